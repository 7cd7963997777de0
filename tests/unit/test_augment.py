import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitsformer.model.steps import make_series, pack
from sitsformer.stored import MISSING
from sitsformer.training import augment
from sitsformer.training.augment import LEAST_STEPS, NOTHING, Strength

MEAN, STD = np.full(10, 0.3), np.full(10, 0.2)


def series(lengths, time, value=5000):
    doy = np.where(np.arange(time) < np.array(lengths)[:, None], 100 + np.arange(time), 0)
    values = np.full((len(lengths), time, 10, 1, 1), value, np.uint16)
    values[doy == 0] = MISSING
    return make_series(values, doy, MEAN, STD)


def draw(table, strength, seed=0):
    rng = np.random.default_rng(seed)
    return augment.draw_changes(table.lengths, table.doy.shape[1], 10, strength, rng)


def test_nothing_is_no_change():
    table = series([5, 3], 6)
    assert draw(table, NOTHING) is None


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=30),
    st.floats(0.0, 1.0),
    st.integers(0, 30),
    st.integers(0, 99),
)
def test_series_stay_usable(lengths, share, shift, seed):
    table = series(lengths, 12)
    change = draw(table, Strength(shift, share, 0.05, 0.01), seed)
    steps = pack(table, np.arange(len(lengths)), change)
    least = np.minimum(np.array(lengths), LEAST_STEPS)
    assert (steps.layout.lengths >= least).all()
    assert int(steps.doy.min()) >= 1 and int(steps.doy.max()) <= 366
    assert np.isfinite(steps.values.numpy()).all()


def test_the_share_of_dropped_steps():
    table = series([30] * 2000, 30)
    steps = pack(table, np.arange(2000), draw(table, Strength(drop=0.2)))
    assert steps.layout.steps / 60000 == pytest.approx(0.8, abs=0.01)


def test_a_shift_moves_a_whole_series():
    table = series([10] * 200, 10)
    steps = pack(table, np.arange(200), draw(table, Strength(day_shift=8)))
    moved = steps.doy.view(200, 10).numpy() - table.doy
    assert (moved == moved[:, :1]).all()
    assert set(np.unique(moved)) == set(range(-8, 9))


def test_gain_and_noise_are_in_reflectance():
    table = series([4] * 3000, 4)
    plain = (0.5 - 0.3) / 0.2
    steps = pack(table, np.arange(3000), draw(table, Strength(gain=0.05)))
    moved = (steps.values.view(3000, 4, 10).numpy() - plain) * 0.2
    assert np.allclose(moved, moved[:, :1, :1], atol=1e-5)  # one factor a sample
    assert moved.std() == pytest.approx(0.5 * 0.05, rel=0.1)
    steps = pack(table, np.arange(3000), draw(table, Strength(noise=0.01)))
    moved = (steps.values.view(3000, 4, 10).numpy() - plain) * 0.2
    assert np.allclose(moved, moved[:, :1], atol=1e-5)  # one shift a band
    assert moved.std() == pytest.approx(0.01, rel=0.1)
