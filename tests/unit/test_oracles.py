"""Statistics and rasters against well-kept packages that know nothing of ours."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.weightstats import DescrStatsW

from sitsformer.evaluation import intervals


@given(st.integers(0, 10_000), st.integers(2, 12))
def test_one_run_is_the_interval_of_statsmodels(seed: int, draws: int) -> None:
    values = np.random.default_rng(seed).normal(0.7, 0.1, draws)
    found = intervals.over_seeds(values, 0.9)
    assert (found.low, found.high) == pytest.approx(DescrStatsW(values).tconfint_mean(0.1))


@pytest.mark.parametrize("seed", range(8))
def test_crossed_intervals_come_from_the_mean_squares_of_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    runs, draws = 3, 5
    table = rng.normal(0, 0.05, (runs, 1)) + rng.normal(0, 0.05, (1, draws))
    table = 0.7 + table + rng.normal(0, 0.01, (runs, draws))
    frame = pd.DataFrame(
        {
            "score": table.ravel(),
            "run": np.repeat(np.arange(runs), draws),
            "draw": np.tile(np.arange(draws), runs),
        }
    )
    anova = anova_lm(ols("score ~ C(run) + C(draw)", frame).fit())
    squares = (anova.sum_sq / anova.df).to_dict()
    run, draw, rest = (squares[name] for name in ("C(run)", "C(draw)", "Residual"))
    total = run + draw - rest
    assert total > max(run, draw)  # the case of the formula, not that of its floor
    parts = {run: runs - 1, draw: draws - 1, rest: (runs - 1) * (draws - 1)}
    freedom = total**2 / sum(square**2 / df for square, df in parts.items())
    half = stats.t.ppf(0.975, freedom) * np.sqrt(total / table.size)
    found = intervals.over_seeds(table, 0.95)
    assert (found.low, found.high) == pytest.approx((table.mean() - half, table.mean() + half))
