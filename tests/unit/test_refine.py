"""Refinements of predictions by unlabelled samples, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from sitsformer.fewshot import Draw, refine

RNG = np.random.default_rng(3)


def made(count: int = 60, classes: int = 3):
    """Two-dimensional points in three heaps, their classes, and guesses that are often wrong."""
    label = np.arange(count) % classes
    centres = np.array([[0, 0], [6, 0], [0, 6]], float)
    points = centres[label] + RNG.normal(0, 0.7, (count, 2))
    guess = RNG.dirichlet(np.ones(classes), count)
    return points, label, guess


def test_neighbours_are_the_nearest_other_samples() -> None:
    points, _, _ = made()
    found = refine.Pool.of(points).neighbours
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    expected = np.sort(np.argsort(apart, axis=1)[:, : refine.NEIGHBOURS], axis=1)
    np.testing.assert_array_equal(np.sort(found, axis=1), expected)


@pytest.mark.parametrize("most", [40, 60])
def test_of_a_large_store_some_say_the_directions_and_no_more_are_held(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refine, "MOST", most)
    monkeypatch.setattr(refine, "DIRECTIONS", 2)
    points = made()[0] @ RNG.normal(size=(2, 9)) + 0.01 * RNG.normal(size=(60, 9))
    some = np.random.default_rng(0).permutation(60)[:most]
    pca = PCA(2, svd_solver="full").fit(points[some])
    expected = NearestNeighbors(n_neighbors=15).fit(pca.transform(points)).kneighbors()[1]
    asked = []

    def batches(rows: np.ndarray):
        for part in np.array_split(np.arange(len(rows))[::-1], 3):
            asked.append(rows[part])
            yield part, points[rows[part]]

    found = refine.Pool(60, batches).neighbours
    np.testing.assert_array_equal(np.sort(found, 1), np.sort(expected, 1))
    assert sorted(np.concatenate(asked)) == list(range(60))
    assert sorted(np.concatenate(asked[:3])) == sorted(some)


def test_a_small_store_has_fewer_neighbours() -> None:
    points, _, _ = made(6)
    assert refine.Pool.of(points).neighbours.shape == (6, 5)


@pytest.mark.parametrize("rows", [7, 4096])
def test_smoothing_equals_a_loop(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refine, "ROWS", rows)
    points, label, guess = made(30)
    drawn = np.array([0, 1, 2])
    neighbours = refine.Pool.of(points).neighbours
    found = refine.smoothed(guess, label[drawn], drawn, neighbours)
    start = guess.copy()
    for i in drawn:
        start[i] = np.eye(3)[label[i]]
    expected = start.copy()
    for _ in range(20):  # as docs/evaluation.md says
        last = expected.copy()
        for i in range(len(points)):
            if i in drawn:
                continue
            around = sum(last[j] for j in neighbours[i]) / len(neighbours[i])
            expected[i] = 0.2 * start[i] + 0.8 * around
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(found.sum(1), 1)
    before, after = ((p.argmax(1) == label).mean() for p in (guess, found))
    assert after > before


def test_land_cover_equals_bayes_by_hand() -> None:
    land_cover = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7]])
    guess = np.full((4, 2), 0.5)
    drawn, label = np.array([0, 2]), np.array([0, 1])
    found = refine.with_land_cover(guess, label, drawn, land_cover)
    average = land_cover.mean(0)  # 0.525, 0.475
    of_crop = np.array([(land_cover[0] + average) / 2, (land_cover[2] + average) / 2])
    for i in range(4):
        score = [sum(land_cover[i] * of_crop[k] / average) for k in range(2)]
        np.testing.assert_allclose(found[i], np.array(score) / sum(score))


def test_what_is_offered_is_what_is_tried() -> None:
    with_cover = refine.Pool.of(np.zeros((3, 2)), np.ones((3, 1)))
    without = refine.Pool.of(np.zeros((3, 2)))
    both = ("land_cover", "smoothing")
    assert refine.switches(both, with_cover) == [
        *((), ("land_cover",), ("smoothing",), ("land_cover", "smoothing"))
    ]
    assert refine.switches(both, without) == [(), ("smoothing",)]
    assert refine.switches((), with_cover) == [()]


def test_the_mixture_is_what_the_formula_says() -> None:
    points, label, guess = made(90)
    cover = RNG.dirichlet(np.ones(2), 90)
    draw = Draw(np.arange(6), np.array([60, 61, 62, 63, 66]))  # of the classes 2, 2 and 1
    pool = refine.Pool.of(points, cover)
    found = refine.mixed(guess, label, draw, pool, ("land_cover", "smoothing"))
    weights, expected = {}, np.zeros_like(guess)
    for chosen in ((), ("land_cover",), ("smoothing",), ("land_cover", "smoothing")):
        one = refine.refined(guess, chosen, label[draw.train], draw.train, pool)
        of_class: dict[int, list[bool]] = {0: [], 1: [], 2: []}
        for i in draw.validation:
            of_class[label[i]].append(one[i].argmax() == label[i])
        right = 5 * np.mean([np.mean(those) for those in of_class.values()])
        weights["+".join(chosen) or "none"] = 2 ** len(chosen) * np.exp(right / 2)
    total = sum(weights.values())
    for name, weight in weights.items():
        assert found.shares[name] == pytest.approx(weight / total)
        chosen = () if name == "none" else tuple(name.split("+"))
        one = refine.refined(guess, chosen, label[draw.train], draw.train, pool)
        expected += weight / total * one
    np.testing.assert_allclose(found.probabilities, expected)
    np.testing.assert_allclose(found.probabilities.sum(1), 1)
    assert found.name == max(weights, key=lambda name: weights[name])
    assert set(found.record) == {"refined", "refinements", "refined_shares"}


@pytest.mark.parametrize("useful", [True, False])
def test_validation_decides_what_counts(useful: bool) -> None:
    points, label, guess = made(150)
    if not useful:  # right already, and neighbours that say nothing
        guess = 0.4 * guess + 0.6 * np.eye(3)[label]
    space = points if useful else RNG.normal(size=points.shape)
    draw = Draw(np.arange(6), np.arange(60, 150))
    found = refine.mixed(guess, label, draw, refine.Pool.of(space), ("smoothing",))
    assert (found.name == "smoothing") == useful
    assert (found.scores["smoothing"] > found.scores["none"]) == useful
    assert found.shares[found.name] > 0.99


def test_a_single_validation_sample_decides_little() -> None:
    points, label, guess = made(90)
    draw = Draw(np.arange(6), np.array([60]))
    shares = refine.mixed(guess, label, draw, refine.Pool.of(points), ("smoothing",)).shares
    assert 0.5 < shares["smoothing"] < 0.8


def test_what_is_not_offered_changes_nothing() -> None:
    points, label, guess = made(90)
    draw = Draw(np.arange(6), np.arange(60, 90))
    found = refine.mixed(guess, label, draw, refine.Pool.of(points), ())
    np.testing.assert_array_equal(found.probabilities, guess)
    assert found.shares == {"none": 1.0}


def test_labels_beyond_the_draw_are_not_looked_at() -> None:
    """Those of validation weigh, and no others reach the prediction."""
    points, label, guess = made(90)
    draw = Draw(np.arange(6), np.arange(60, 90))
    other = label.copy()
    other[6:60] = -1
    pool = refine.Pool.of(points)
    first, second = (refine.mixed(guess, k, draw, pool, ("smoothing",)) for k in (label, other))
    np.testing.assert_array_equal(first.probabilities, second.probabilities)
