"""Quotas, reasons and the draw of pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cubes import make_config
from sitsformer.classes import Classes
from sitsformer.patches.sampling import (
    REASONS,
    Layers,
    draw_pixels,
    quotas,
    tile_seed,
    uniform_window,
)

CANDIDATES = st.lists(st.integers(0, 500), min_size=1, max_size=12)


@given(candidates=CANDIDATES, total=st.integers(1, 3000))
def test_balanced_quotas(candidates, total):
    counts = np.array(candidates)
    take = quotas(counts, total, "balanced")
    assert (take <= counts).all() and (take >= 0).all()
    assert take.sum() == min(total, counts.sum())
    # Nobody who could give more gets less than another, but for the rounding.
    for k in np.flatnonzero(take < counts):
        assert take[k] >= take.max() - 1


@given(candidates=CANDIDATES, total=st.integers(1, 3000))
def test_proportional_quotas(candidates, total):
    counts = np.array(candidates)
    take = quotas(counts, total, "proportional")
    assert (take <= counts).all()
    assert take.sum() == min(total, counts.sum())
    if total < counts.sum():
        assert np.abs(take - counts * total / counts.sum()).max() < 1 + 1e-9


def test_all_takes_everything():
    assert quotas(np.array([3, 0, 5]), "all", "balanced").tolist() == [3, 0, 5]


@pytest.mark.parametrize("size", [1, 3, 5])
def test_uniform_window_equals_a_loop(size):
    values = np.random.default_rng(0).integers(0, 2, (9, 11))
    values[2:8, 2:9] = 1
    half = size // 2
    expected = np.zeros(values.shape, bool)
    for i in range(half, 9 - half):
        for j in range(half, 11 - half):
            window = values[i - half : i + half + 1, j - half : j + half + 1]
            expected[i, j] = len(set(window.ravel().tolist())) == 1
    assert (uniform_window(values, size) == expected).all()


def test_seeds_differ_by_tile_and_area():
    seeds = {tile_seed(s, a, t) for s in (0, 1) for a in ("a", "b") for t in ("x", "y")}
    assert len(seeds) == 8


CLASSES = Classes(("a", "b"), ("#000000", "#ffffff"), ((1,), (2, 3)))


def layers(seed: int = 0) -> Layers:
    rng = np.random.default_rng(seed)
    return Layers(
        codes=rng.integers(0, 5, (20, 20)),
        dates=rng.integers(0, 9, (20, 20)).astype(np.uint16),
        one_split=rng.random((20, 20)) < 0.8,
        confidence=None,
    )


def test_every_pixel_ends_in_one_place():
    chosen = make_config(chosen={"per_tile": 30}).sets["land"]
    drawn = draw_pixels(layers(), CLASSES, chosen, 3, 4, seed=1)
    dropped = sum(counts.sum() for counts in drawn.dropped.values())
    assert len(drawn.row) == 30
    assert len(drawn.row) + dropped == 400
    assert list(drawn.dropped) == list(REASONS)
    assert len(set(zip(drawn.row.tolist(), drawn.column.tolist(), strict=True))) == 30


def test_as_many_clear_dates_as_asked_for_are_enough():
    dates = np.arange(400, dtype=np.uint16).reshape(20, 20) % 9
    whole = Layers(np.ones((20, 20), np.int64), dates, np.ones((20, 20), bool), None)
    chosen = make_config(chosen={"per_tile": "all"}).sets["land"]
    drawn = draw_pixels(whole, CLASSES, chosen, 1, 4, seed=1)
    assert set(dates[drawn.row, drawn.column].tolist()) == {4, 5, 6, 7, 8}
    assert drawn.dropped["cloud"].sum() == (dates < 4).sum()


def test_a_class_does_not_change_the_draw_of_another():
    both = layers()
    chosen = make_config(chosen={"per_tile": 40}).sets["land"]
    drawn = draw_pixels(both, CLASSES, chosen, 1, 0, seed=1)
    codes = both.codes.copy()
    spare = np.argwhere(codes == 4)[:5]  # no class has code 4
    codes[tuple(spare.T)] = 1
    changed = Layers(codes, both.dates, both.one_split, None)
    again = draw_pixels(changed, CLASSES, chosen, 1, 0, seed=1)

    def of(found, label):
        mine = found.label == label
        return set(zip(found.row[mine].tolist(), found.column[mine].tolist(), strict=True))

    assert of(drawn, 1) == of(again, 1)
    assert len(of(drawn, 0)) == len(of(again, 0)) == 20


def test_more_samples_keep_the_first_ones():
    few = draw_pixels(layers(), CLASSES, make_config(chosen={"per_tile": 10}).sets["land"], 1, 0, 1)
    more = draw_pixels(
        layers(), CLASSES, make_config(chosen={"per_tile": 50}).sets["land"], 1, 0, 1
    )
    places = [set(zip(d.row.tolist(), d.column.tolist(), strict=True)) for d in (few, more)]
    assert places[0] < places[1]
