import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitsformer.model import masking

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=50)


def by_sample(hidden, lengths):
    return np.split(hidden, np.cumsum(lengths)[:-1])


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.sampled_from(["steps", "spans"]), st.floats(0.01, 0.99), st.integers(0, 99))
def test_every_series_has_something_hidden_and_something_seen(lengths, name, rate, seed):
    rng = np.random.default_rng(seed)
    hidden = masking.STRATEGIES[name](np.array(lengths), 10, rate, rng)
    assert hidden.shape == (sum(lengths),)
    for part in by_sample(hidden, lengths):
        assert part.any()
        assert len(part) == 1 or not part.all()


@settings(max_examples=30, deadline=None)
@given(LENGTHS, st.floats(0.01, 0.99), st.integers(0, 99))
def test_bands_are_hidden_for_the_whole_series(lengths, rate, seed):
    hidden = masking.bands(np.array(lengths), 10, rate, np.random.default_rng(seed))
    assert hidden.shape == (sum(lengths), 10)
    for part in by_sample(hidden, lengths):
        assert (part == part[0]).all()
        assert 0 < part[0].sum() < 10


@pytest.mark.parametrize("name", ["steps", "spans", "bands"])
def test_the_rate_is_met(name):
    lengths = np.full(4000, 30)
    hidden = masking.STRATEGIES[name](lengths, 10, 0.3, np.random.default_rng(0))
    assert abs(hidden.mean() - 0.3) < 0.015


def test_spans_are_longer_than_chance():
    lengths = np.full(2000, 40)

    def mean_run(hidden):
        table = hidden.reshape(2000, 40)
        starts = table[:, 1:] & ~table[:, :-1]
        return table.sum() / (starts.sum() + table[:, 0].sum())

    rng = np.random.default_rng(0)
    assert mean_run(masking.spans(lengths, 10, 0.3, rng)) == pytest.approx(3.0, abs=0.25)
    assert mean_run(masking.steps(lengths, 10, 0.3, rng)) == pytest.approx(1 / 0.7, abs=0.1)


def test_the_same_generator_hides_the_same():
    lengths = np.array([5, 9, 2])
    first, second = (masking.steps(lengths, 10, 0.3, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, second)
