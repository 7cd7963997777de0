"""Intervals: over seeds (draws of labels, runs of pretraining) and over spatial blocks.

Two different questions are asked of every score, and a claim needs both answers.
`over_seeds`: would another draw of labels, or another run of pretraining, give the same result?
`over_blocks`: would another set of test places give the same result?
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]

ENOUGH_BLOCKS = 5
"""Test blocks from which on they are resampled: with fewer, an interval would only look narrow."""


@dataclass(frozen=True)
class Interval:
    """A mean and its interval; `low` and `high` are NaN where nothing can be said.

    Attributes:
        mean: the estimate.
        low: lower end.
        high: upper end.
    """

    mean: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 when the whole interval is above zero, -1 when below, 0 otherwise (also for NaN)."""
        return int(self.low > 0) - int(self.high < 0)


def over_seeds(values: Floats, level: float) -> Interval:
    """Mean of a table of scores with an interval for both of its axes.

    With one pretraining run (or none) this is Student's t interval over the draws. With several,
    runs and draws are crossed random effects without replication, and the variance of the grand
    mean is estimated from the mean squares of the two-way table,

        (MS_run + MS_draw - MS_rest) / (runs x draws),

    with Satterthwaite's degrees of freedom (Searle, Casella & McCulloch 1992, ch. 4). It is never
    taken smaller than what either axis alone gives.

    Args:
        values: (run, draw) scores, or (draw,).
        level: 0.95 gives a 95 % interval.

    Returns:
        The interval; unbounded (NaN) when there is only one draw and one run.
    """
    table = np.atleast_2d(np.asarray(values, np.float64))
    runs, draws = table.shape
    mean = float(table.mean())
    if draws < 2 and runs < 2:
        return Interval(mean, float("nan"), float("nan"))
    if runs < 2 or draws < 2:
        return _student(mean, float(table.var(ddof=1)) / table.size, table.size - 1, level)
    by_run = table.mean(1, keepdims=True)
    by_draw = table.mean(0, keepdims=True)
    ms_run = float(draws * ((by_run - mean) ** 2).sum() / (runs - 1))
    ms_draw = float(runs * ((by_draw - mean) ** 2).sum() / (draws - 1))
    rest = float(((table - by_run - by_draw + mean) ** 2).sum() / ((runs - 1) * (draws - 1)))
    total = ms_run + ms_draw - rest
    if total <= max(ms_run, ms_draw):
        square, freedom = max((ms_run, runs - 1), (ms_draw, draws - 1))
        return _student(mean, square / table.size, freedom, level)
    freedom = total**2 / (
        ms_run**2 / (runs - 1) + ms_draw**2 / (draws - 1) + rest**2 / ((runs - 1) * (draws - 1))
    )
    return _student(mean, total / table.size, freedom, level)


def _student(mean: float, variance: float, freedom: float, level: float) -> Interval:
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * variance**0.5
    return Interval(mean, mean - half, mean + half)


def block_weights(blocks: int, resamples: int, seed: int = 0) -> Floats:
    """How often each block is in each bootstrap resample.

    The same weights must be used for two methods that are compared.

    Args:
        blocks: number of spatial blocks of the test split.
        resamples: bootstrap resamples.
        seed: of the resampling.

    Returns:
        (resample, block) float64; rows sum to `blocks`.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=resamples).astype(np.float64)


def resampled(
    matrices: npt.NDArray[np.integer],
    weights: Floats,
    score: Callable[[npt.NDArray[np.generic]], Floats],
) -> Floats:
    """A score on every bootstrap resample.

    Args:
        matrices: (block, K, K) confusion matrices of one cell.
        weights: (resample, block), see `block_weights`.
        score: (..., K, K) -> (...).

    Returns:
        (resample,) float64; NaN with fewer than `ENOUGH_BLOCKS` blocks.
    """
    blocks, classes, _ = matrices.shape
    if blocks < ENOUGH_BLOCKS:
        return np.full(len(weights), np.nan)
    flat = weights @ matrices.reshape(blocks, classes * classes).astype(np.float64)
    return score(flat.reshape(-1, classes, classes))


def percentile(mean: float, samples: Floats, level: float) -> Interval:
    """Percentile interval of bootstrap samples.

    Args:
        mean: the estimate on the data themselves.
        samples: (resample,) the estimate on every resample.
        level: 0.95 gives a 95 % interval.
    """
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high))
