"""Intervals against scipy, against simulation, and at their edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sitsformer.evaluation import intervals, metrics


def test_one_run_is_students_interval() -> None:
    values = np.array([0.61, 0.64, 0.58, 0.66, 0.6])
    found = intervals.over_seeds(values, 0.95)
    low, high = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert (found.mean, found.low, found.high) == pytest.approx((values.mean(), low, high))


def test_a_single_value_has_no_interval() -> None:
    found = intervals.over_seeds(np.array([0.5]), 0.95)
    assert found.mean == 0.5
    assert np.isnan(found.low)
    assert found.sign == 0


@pytest.mark.parametrize(("run_sd", "draw_sd", "rest_sd"), [(2, 1, 1), (0.1, 2, 1), (1, 1, 3)])
def test_crossed_interval_covers_the_truth(run_sd: float, draw_sd: float, rest_sd: float) -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(600):
        table = (
            rng.normal(0, run_sd, (4, 1))
            + rng.normal(0, draw_sd, (1, 5))
            + rng.normal(0, rest_sd, (4, 5))
        )
        found = intervals.over_seeds(table, 0.95)
        hits += found.low <= 0 <= found.high
    # Four runs are few: Satterthwaite's approximation may be a little off, not more.
    assert 0.92 <= hits / 600 <= 1.0


def test_treating_runs_as_draws_would_be_too_narrow() -> None:
    rng = np.random.default_rng(1)
    table = rng.normal(0, 1, (3, 1)) + rng.normal(0, 0.1, (3, 5))
    crossed = intervals.over_seeds(table, 0.95)
    flat = intervals.over_seeds(table.ravel(), 0.95)
    assert crossed.high - crossed.low > 2 * (flat.high - flat.low)


@pytest.mark.parametrize("turned", [False, True])
def test_an_interval_is_never_narrower_than_one_axis_alone_says(turned: bool) -> None:
    """Mean squares 25 (runs), 0 (draws) and 9 (the rest): 16 together, less than runs alone say."""
    table = np.array([[0.0, 3.0], [8.0, 5.0]])
    found = intervals.over_seeds(table.T if turned else table, 0.95)
    means = table.mean(1)
    low, high = stats.t.interval(0.95, 1, means.mean(), stats.sem(means))
    assert (found.mean, found.low, found.high) == pytest.approx((4.0, low, high))


def test_signs() -> None:
    assert intervals.Interval(0.2, 0.1, 0.3).sign == 1
    assert intervals.Interval(-0.2, -0.3, -0.1).sign == -1
    assert intervals.Interval(0.1, -0.1, 0.3).sign == 0


def test_resampling_equals_repeating_the_samples() -> None:
    rng = np.random.default_rng(0)
    truth, guess = rng.integers(0, 3, (2, 60))
    block = rng.integers(0, 5, 60)
    matrices = metrics.block_confusion(truth, guess, block, 3)
    weights = intervals.block_weights(5, 20)
    found = intervals.resampled(matrices, weights, metrics.macro_f1)
    for row, value in zip(weights, found, strict=True):
        rows = np.concatenate(
            [np.flatnonzero(block == b) for b, n in enumerate(row) for _ in range(int(n))]
        )
        expected = metrics.macro_f1(metrics.confusion(truth[rows], guess[rows], 3))
        assert value == pytest.approx(float(expected))


def test_block_bootstrap_is_wider_than_a_pixel_bootstrap_where_blocks_are_alike() -> None:
    rng = np.random.default_rng(0)
    block = np.repeat(np.arange(30), 20)
    truth = np.zeros(600, np.int64)
    guess = (rng.random(30) < 0.3).astype(np.int64)[block]
    by_block = metrics.block_confusion(truth, guess, block, 2)
    by_pixel = metrics.block_confusion(truth, guess, np.arange(600), 2)
    widths = []
    for matrices in (by_block, by_pixel):
        values = intervals.resampled(
            matrices, intervals.block_weights(len(matrices), 500), metrics.overall_accuracy
        )
        found = intervals.percentile(0.7, values, 0.95)
        widths.append(found.high - found.low)
    assert widths[0] > 3 * widths[1]
