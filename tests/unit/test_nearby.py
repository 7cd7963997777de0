"""Predictions weighed by those of the samples around, against plain loops and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import phenology
from sitsformer.baselines.fitting import run
from sitsformer.config import FewShot, Model
from sitsformer.errors import SitsError
from sitsformer.fewshot import NETWORK, Cell, Draw, nearby, parse_learner, refine
from sitsformer.finetune import run_cells
from sitsformer.samples import Samples

SWEEP = FewShot(set="crops", validation=5, refine=("nearby",))


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Degrees between two places (lon, lat), by the law of cosines."""
    (a, b), (c, d) = np.radians(one), np.radians(other)
    cosine = np.sin(b) * np.sin(d) + np.cos(b) * np.cos(d) * np.cos(a - c)
    return float(np.degrees(np.arccos(min(1.0, cosine))))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 40))
def test_the_nearest_of_the_own_split_are_asked(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    places = np.stack([rng.uniform(-180, 180, count), rng.uniform(-70, 70, count)], 1)
    split = rng.integers(0, 3, count)
    near = nearby.around(places[:, 0], places[:, 1], split).near.toarray()
    for i in range(count):
        own = [j for j in range(count) if j != i and split[j] == split[i]]
        own.sort(key=lambda j, i=i: apart(places[i], places[j]))
        assert set(np.flatnonzero(near[i])) == set(own[: nearby.NEAR])
    assert set(np.unique(near)) <= {0.0, 1.0}


def test_the_share_nearby_takes_the_place_of_the_share_in_all() -> None:
    # Two samples beside each other, one far off in another split that has nobody to ask.
    lon, lat, split = np.array([0.0, 0.1, 50]), np.zeros(3), np.array([0, 0, 2])
    guess = np.array([[0.5, 0.5], [0.9, 0.1], [0.1, 0.9]])
    found = nearby.around(lon, lat, split).weigh(guess)
    average = guess.mean(0)  # 0.5, 0.5
    of_first = (guess[1] + average) / 2  # its neighbour, and one average sample
    expected = guess[0] * of_first / average
    np.testing.assert_allclose(found[0], expected / expected.sum())
    assert found[0, 0] == pytest.approx(0.7)
    np.testing.assert_allclose(found[2], guess[2])  # nobody near: as it was


def test_crops_that_grow_side_by_side_are_found_better() -> None:
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 100)
    lon, lat = label * 5 + rng.uniform(0, 1, 200), rng.uniform(0, 1, 200)
    guess = rng.dirichlet([1, 1], 200)
    guess[np.arange(200), label] += 0.3
    guess /= guess.sum(1, keepdims=True)
    found = nearby.around(lon, lat, np.zeros(200, int)).weigh(guess)
    assert (found.argmax(1) == label).mean() > (guess.argmax(1) == label).mean() + 0.1


def test_it_is_tried_where_it_is_offered() -> None:
    around = nearby.around(np.arange(4.0), np.zeros(4), np.zeros(4, int))
    pool = replace(refine.Pool.of(np.zeros((4, 2))), around=around)
    assert refine.switches(("nearby", "smoothing"), pool) == [
        *((), ("smoothing",), ("nearby",), ("smoothing", "nearby"))
    ]
    guess = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.2, 0.8]])
    label = np.array([0, 0, 0, 1])
    found = refine.mixed(guess, label, Draw(np.array([0]), np.array([2, 3])), pool, ("nearby",))
    assert set(found.scores) == {"none", "nearby"}


@pytest.mark.parametrize("learner", ["nearest_centroid", "none-probe"])
def test_every_learner_is_offered_it_and_samples_need_a_place(learner: str) -> None:
    made = phenology.make()
    rng = np.random.default_rng(0)
    samples = replace(made, lon=rng.uniform(0, 1, len(made)), lat=rng.uniform(0, 1, len(made)))
    (cell,) = cells(samples, learner)
    assert cell.choice["refined"] in ("none", "nearby")
    assert set(cell.choice["refinements"]) == {"none", "nearby"}
    np.testing.assert_allclose(cell.probabilities.sum(1), 1, atol=1e-6)
    lost = replace(samples, lon=np.where(np.arange(len(made)) < 2, np.nan, samples.lon))
    with pytest.raises(SitsError, match=r"2 of the .* samples have no coordinates: take `nearby`"):
        cells(lost, learner)


def cells(samples: Samples, name: str) -> list[Cell]:
    """One cell of a learner that is offered it."""
    learner = parse_learner(name)
    if learner.method != NETWORK:
        return run(samples, learner, 5, [0], SWEEP)
    return run_cells(samples, None, learner, 5, [0], Model(hidden=16, layers=1, heads=2), SWEEP)[0]
