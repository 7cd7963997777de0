"""Thinning: never too long, in order, the season covered, and a pure function of the place."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plain_thinning import plain_thin
from sitsformer.patches.thinning import thin, uniform


@given(
    clear=st.lists(st.booleans(), min_size=1, max_size=60),
    length=st.integers(1, 30),
    epsg=st.integers(32601, 32760),
    x=st.integers(-(10**6), 10**7),
    y=st.integers(-(10**6), 10**7),
)
def test_equals_a_plain_loop(clear, length, epsg, x, y):
    found = thin(np.array([clear]), length, epsg, np.array([x]), np.array([y]))
    assert found[0].tolist() == plain_thin(clear, length, epsg, x, y)


@given(dates=st.integers(2, 200), length=st.integers(2, 50), epsg=st.integers(32601, 32760))
def test_the_season_stays_covered(dates, length, epsg):
    kept = thin(np.ones((1, dates), bool), length, epsg, np.array([5]), np.array([7]))[0]
    kept = kept[kept >= 0]
    run = -(-dates // length)
    assert len(kept) == min(dates, length)
    assert (np.diff(kept) >= 1).all()
    assert kept[0] < run
    assert kept[-1] >= dates - run
    assert np.diff(kept).max(initial=0) < 2 * run


def test_a_sample_does_not_depend_on_its_neighbours():
    rng = np.random.default_rng(0)
    clear = rng.random((50, 40)) < 0.8
    x, y = rng.integers(0, 10**6, (2, 50))
    together = thin(clear, 10, 32632, x, y)
    alone = np.concatenate(
        [thin(clear[i : i + 1], 10, 32632, x[i : i + 1], y[i : i + 1]) for i in range(50)]
    )
    assert (together == alone).all()
    assert (thin(clear, 10, 32633, x, y) != together).any()


def test_numbers_are_spread_evenly():
    numbers = uniform(0, np.arange(1000)[:, None], np.arange(100)[None])
    assert numbers.min() >= 0 and numbers.max() < 1
    counts = np.histogram(numbers, 20, (0, 1))[0] / numbers.size
    assert np.abs(counts - 0.05).max() < 0.005
    assert abs(np.corrcoef(numbers[:, 0], numbers[:, 1])[0, 1]) < 0.1
