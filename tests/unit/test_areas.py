"""Areas and accuracy: the worked example of Olofsson et al., weights, blocks, coverage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sitsformer.evaluation import areas
from sitsformer.evaluation.areas import Reference

# Olofsson et al. 2014, table 8: map (rows) by reference (columns), and pixels of 30 m by class.
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])
NAMES = ("deforestation", "gain", "stable forest", "stable other")


def units(counts: np.ndarray) -> Reference:
    """The sampled units of a confusion matrix."""
    mapped = np.repeat(np.arange(len(counts)), counts.sum(1))
    truth = np.concatenate([np.repeat(np.arange(len(counts)), row) for row in counts])
    return Reference.plain(mapped, truth)


def test_the_worked_example() -> None:
    table = areas.table(PIXELS, NAMES, (1, 2, 3, 4), units(COUNTS), 0.95, "drawn", 0.09)
    # Section 5.1 of the paper: deforestation in pixels, then hectares, all with half widths.
    assert table.estimated_ha[0] / 0.09 == pytest.approx(235_086, abs=1)
    assert 1.96 * table.standard_error_ha[0] / 0.09 == pytest.approx(68_418, abs=1)
    hectares = [21_158, 11_686, 285_770, 581_386]
    np.testing.assert_allclose(table.estimated_ha[:4], hectares, rtol=1e-4)
    half = (table.high_ha - table.low_ha)[:4] / 2
    np.testing.assert_allclose(half, [6_158, 3_756, 15_510, 16_282], rtol=2e-3)
    # Accuracies as printed, and half widths of the user's and the overall one.
    np.testing.assert_allclose(table.users_accuracy, [0.88, 0.73, 0.93, 0.96, 0.95], atol=0.006)
    np.testing.assert_allclose(table.producers_accuracy, [0.75, 0.85, 0.93, 0.96, 0.95], atol=0.006)
    width = 1.96 * np.sqrt(table.users_variance)
    np.testing.assert_allclose(width, [0.07, 0.10, 0.04, 0.02, 0.02], atol=0.006)
    assert table["class"].tolist() == [*NAMES, "(all)"]
    assert table.samples.tolist() == [75, 75, 165, 325, 640]


def equations(counts: np.ndarray, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Equations 1 to 3, 5 to 7, 9 and 10 of the paper, term by term."""
    k, n_i = len(counts), counts.sum(1)
    w = pixels / pixels.sum()
    p = [[w[i] * counts[i, j] / n_i[i] for j in range(k)] for i in range(k)]
    share = [sum(p[i][j] for i in range(k)) for j in range(k)]
    u = [counts[i, i] / n_i[i] for i in range(k)]
    producers = [p[j][j] / share[j] for j in range(k)]
    v_p = []
    for j in range(k):
        n_j = sum(pixels[i] * counts[i, j] / n_i[i] for i in range(k))
        own = pixels[j] ** 2 * (1 - producers[j]) ** 2 * u[j] * (1 - u[j]) / (n_i[j] - 1)
        others = sum(
            pixels[i] ** 2 * counts[i, j] / n_i[i] * (1 - counts[i, j] / n_i[i]) / (n_i[i] - 1)
            for i in range(k)
            if i != j
        )
        v_p.append((own + producers[j] ** 2 * others) / n_j**2)
    return {
        "overall": sum(p[i][i] for i in range(k)),
        "overall_variance": sum(w[i] ** 2 * u[i] * (1 - u[i]) / (n_i[i] - 1) for i in range(k)),
        "users": u,
        "users_variance": [u[i] * (1 - u[i]) / (n_i[i] - 1) for i in range(k)],
        "producers": producers,
        "producers_variance": v_p,
        "share": share,
        "share_variance": [
            sum((w[i] * p[i][j] - p[i][j] ** 2) / (n_i[i] - 1) for i in range(k)) for j in range(k)
        ],
    }


@pytest.mark.parametrize("seed", range(6))
def test_a_sample_stratified_by_map_class_is_the_equations(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 40, (5, 5)) + np.diag(rng.integers(20, 200, 5))
    pixels = rng.integers(1_000, 5_000_000, 5)
    found, wanted = areas.estimate(pixels, units(counts)), equations(counts, pixels)
    for name, values in wanted.items():
        np.testing.assert_allclose(getattr(found, name), values, rtol=1e-9, err_msg=name)
    # Weights that are equal within a class change nothing, and neither does their scale.
    sample = units(counts)
    again = areas.estimate(
        pixels, Reference(sample.mapped, sample.truth, 7.5 * (1 + sample.mapped))
    )
    np.testing.assert_allclose(again.share_variance, found.share_variance, rtol=1e-9)


def test_what_is_drawn_of_a_small_class_leaves_less_of_it_unknown() -> None:
    """Strata of 10, 4 and 1 pixels; of these 5, 4 and 1 are drawn: only the first is uncertain."""
    pixels, mapped = np.array([10, 4, 1]), np.repeat([0, 1, 2], [5, 4, 1])
    truth = np.array([0, 0, 0, 1, 1, 1, 1, 1, 0, 2])
    found = areas.estimate(pixels, Reference.plain(mapped, truth, pixels))
    assert found.share.tolist() == pytest.approx([7 / 15, 7 / 15, 1 / 15])
    # (1 - 5 / 10) (10 / 15)^2 p (1 - p) / (n - 1), of p = 3 / 5
    expected = 0.5 * (10 / 15) ** 2 * 0.6 * 0.4 / 4
    assert found.share_variance.tolist() == pytest.approx([expected, expected, 0])
    assert found.users_variance.tolist() == pytest.approx([0.5 * 0.6 * 0.4 / 4, 0, 0])
    assert found.overall_variance == pytest.approx(expected)
    assert found.producers_variance[2] == 0
    # All of them: nothing is left to chance. One of two: half of not knowing.
    whole = areas.estimate(pixels, Reference.plain(*(np.repeat([0, 1, 2], pixels),) * 2, pixels))
    assert whole.share_variance.tolist() == [0, 0, 0] and whole.overall_variance == 0
    two = np.array([10, 2])
    one = areas.estimate(
        two, Reference.plain(np.repeat([0, 1], [10, 1]), np.repeat([0, 1], [10, 1]), two)
    )
    assert one.users_variance.tolist() == [0, 0.125]
    assert one.share_variance.tolist() == pytest.approx([(2 / 12) ** 2 * 0.125] * 2)


def test_units_of_one_kind_may_be_counted() -> None:
    rng = np.random.default_rng(8)
    mapped = rng.choice(3, 500, p=[0.6, 0.3, 0.1])
    truth = np.where(rng.random(500) < 0.3, rng.choice(3, 500), mapped)
    pixels = np.array([900, 400, 70])
    kinds, times = np.unique(np.stack([mapped, truth]), axis=1, return_counts=True)
    one = areas.table(
        pixels, "abc", (1, 2, 3), Reference.plain(mapped, truth, pixels), 0.95, "", 1.0
    )
    counted = Reference.plain(*kinds, pixels, times)
    other = areas.table(pixels, "abc", (1, 2, 3), counted, 0.95, "", 1.0)
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize("drawn", [400, 900])
def test_a_sample_of_much_of_the_map_has_the_intervals_that_it_needs(drawn: int) -> None:
    """Of a map of 1,000 pixels: without what is left, intervals would hold nearly always."""
    rng = np.random.default_rng(4)
    found = rng.choice(2, 1000, p=[0.6, 0.4])
    truth = np.where(rng.random(1000) < 0.25, 1 - found, found)
    pixels, held = np.bincount(found), np.zeros(2)
    for draw in range(300):
        some = np.random.default_rng(draw).choice(1000, drawn, replace=False)
        for k, of in enumerate((pixels, None)):
            one = areas.estimate(pixels, Reference.plain(found[some], truth[some], of))
            half = 1.96 * np.sqrt(one.share_variance[1])
            held[k] += abs(one.share[1] - truth.mean()) <= half
    assert 0.91 <= held[0] / 300 <= 0.98 < held[1] / 300


def landscape(seed: int, side: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """True classes in fields, and a map that errs more one way than the other."""
    rng = np.random.default_rng(seed)
    fields = rng.choice(4, (side // 10, side // 10), p=[0.5, 0.3, 0.15, 0.05])
    truth = fields.repeat(10, 0).repeat(10, 1)
    wrong = rng.random(truth.shape)
    found = np.where((wrong < 0.15) & (truth == 0), 1, truth)
    found = np.where((wrong > 0.9) & (truth == 2), 3, found)
    return truth, found


@pytest.mark.parametrize("design", ["stratified", "simple"])
def test_intervals_cover_the_truth_as_often_as_they_say(design: str) -> None:
    truth, found = landscape(1)
    truth, found = truth.ravel(), found.ravel()
    pixels, true = np.bincount(found), np.bincount(truth) / truth.size
    inside = np.zeros((400, 4), bool)
    right = np.zeros(400, bool)
    for draw in range(400):
        rng = np.random.default_rng(draw)
        if design == "simple":
            drawn = rng.choice(truth.size, 600, replace=False)
        else:
            drawn = np.concatenate(
                [rng.choice(np.flatnonzero(found == k), 150, False) for k in range(4)]
            )
        estimate = areas.estimate(pixels, Reference.plain(found[drawn], truth[drawn]))
        half = 1.96 * np.sqrt(estimate.share_variance)
        inside[draw] = np.abs(estimate.share - true) <= half
        overall = abs(estimate.overall - (truth == found).mean())
        right[draw] = overall <= 1.96 * np.sqrt(estimate.overall_variance)
    # Class 0 is never committed; the others have intervals that are not of width 0.
    assert (inside.mean(0) > 0.91).all() and (inside.mean(0)[:3] < 0.99).all()
    assert 0.91 < right.mean() < 0.99
    # Counting pixels alone is far off.
    assert abs(pixels[1] / truth.size - true[1]) > 0.05


def test_blocks_that_were_drawn_as_one_widen_the_interval() -> None:
    """Whole fields err: units of a block say the same, and their number promises too much."""
    covered = {"alone": 0, "blocks": 0}
    for draw in range(200):
        rng = np.random.default_rng(draw)
        truth, found = landscape(draw, 200)
        wrong = (rng.random((10, 10)) < 0.2).repeat(20, 0).repeat(20, 1)
        found = np.where(wrong, 1 - np.minimum(truth, 1), np.minimum(truth, 1))
        truth = np.minimum(truth, 1)
        block = np.arange(100).reshape(10, 10).repeat(20, 0).repeat(20, 1)
        drawn = np.isin(block, rng.choice(100, 30, False))
        share = (truth == 1).mean()
        for name, cluster in (("alone", None), ("blocks", block[drawn])):
            sample = Reference(found[drawn], truth[drawn], np.ones(int(drawn.sum())), cluster)
            row = areas.table(
                np.bincount(found.ravel()), ("a", "b"), (1, 2), sample, 0.95, "", 0.01
            ).iloc[1]
            covered[name] += row.low_ha <= share * truth.size / 100 <= row.high_ha
    assert covered["blocks"] > 180 and covered["alone"] < 140


def test_the_variance_over_blocks_is_that_of_their_means() -> None:
    """Three blocks of two units on a map of one class: shares 1, 0 and 1/2 of the other."""
    truth, block = np.array([1, 1, 0, 0, 1, 0]), np.repeat([7, 3, 5], 2)
    found = areas.estimate(np.array([600, 0]), Reference(truth * 0, truth, np.ones(6), block))
    assert found.share.tolist() == pytest.approx([0.5, 0.5])
    expected = np.var([1, 0, 0.5], ddof=1) / 3
    assert found.share_variance.tolist() == pytest.approx([expected, expected])
    assert found.overall_variance == pytest.approx(expected)
    assert found.freedom == 2


def test_weights_undo_a_balanced_draw() -> None:
    # 90 % of the land is corn; the map calls 10 % of corn and 10 % of soy wrongly.
    rng = np.random.default_rng(0)
    truth = (rng.random(200_000) > 0.9).astype(np.int64)
    guess = np.where(rng.random(200_000) < 0.1, 1 - truth, truth)
    pixels = np.bincount(guess, minlength=2)
    drawn = np.concatenate([rng.choice(np.flatnonzero(truth == k), 500, False) for k in (0, 1)])
    weight = (np.bincount(truth) / 500)[truth[drawn]]
    found = areas.estimate(pixels, Reference(guess[drawn], truth[drawn], weight))
    half = 1.96 * np.sqrt(found.share_variance[1])
    assert abs(found.share[1] - truth.mean()) < half < 0.05
    plain = areas.estimate(pixels, Reference.plain(guess[drawn], truth[drawn]))
    assert plain.share[1] > 1.5 * truth.mean()


def test_a_mapped_class_without_a_unit_is_said_to_be_unknown() -> None:
    pixels = np.array([90, 10, 0])
    sample = Reference.plain(np.zeros(10, np.int64), np.array([0] * 8 + [1] * 2))
    found = areas.estimate(pixels, sample)
    assert found.share.tolist() == pytest.approx([0.72, 0.28, 0])
    assert np.isnan(found.users[1:]).all() and found.users[0] == pytest.approx(0.8)
    # As wide as not knowing makes it.
    assert found.share_variance[1] > 0.1**2 * 0.25
    assert np.isnan(found.producers[2])
    table = areas.table(pixels, ("a", "b", "c"), (1, 2, 3), sample, 0.95, "", 0.01)
    assert table.samples.tolist() == [10, 0, 0, 10]
    assert (table.high_ha - table.low_ha)[1] > 0.1


def test_what_is_carried_over_has_no_interval() -> None:
    frame = areas.table(np.array([60, 40]), ("a", "b"), (1, 2), None, 0.95, "", 0.01)
    mapped, truth = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    found = areas.carried_over(frame, mapped, truth, np.array([1.0, 3, 1, 1]), "elsewhere")
    assert found.users_accuracy.tolist() == [0.25, 1, 0.5]
    assert found.producers_accuracy.tolist() == pytest.approx([1, 0.4, 0.5])
    assert found.samples.tolist() == [2, 2, 4] and set(found.basis) == {"elsewhere"}
    empty = ["estimated_ha", "low_ha", "high_ha", "users_variance", "producers_variance"]
    assert found[empty].isna().all(axis=None)
