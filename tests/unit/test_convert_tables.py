"""Tables of pixel series."""

import numpy as np
import pytest

from npz_tables import DATES, DAYS, convert, whole, write_table
from sitsformer.convert.table import table
from sitsformer.errors import SitsError
from sitsformer.samples import load_samples, open_samples
from sitsformer.stored import MISSING


def test_a_table_becomes_a_store(tmp_path):
    arrays = write_table(tmp_path / "t.npz")
    assert table(tmp_path / "t.npz", tmp_path / "t.zarr") == 59
    samples = load_samples(tmp_path / "t.zarr")
    kept = np.delete(np.arange(60), 3)
    assert samples.reflectance.shape == (59, 6, 10, 1, 1)
    assert samples.classes.names == ("a", "b")
    days = np.array([11, 42, 70, 101, 131, 162])
    for i, row in enumerate(kept):
        valid = arrays["valid"][row] > 0
        n = valid.sum()
        assert np.array_equal(samples.reflectance[i, :n, :, 0, 0], arrays["x"][row][valid])
        assert (samples.reflectance[i, n:] == MISSING).all()
        assert samples.doy[i, :n].tolist() == days[valid].tolist()
    assert open_samples(tmp_path / "t.zarr").date.values.max() == 18789  # 2021-06-11


def test_no_square_is_in_two_splits(tmp_path):
    write_table(tmp_path / "t.npz", samples=400)
    table(tmp_path / "t.npz", tmp_path / "t.zarr", fractions=(0.4, 0.3, 0.3))
    samples = load_samples(tmp_path / "t.zarr")
    squares = np.stack([np.floor(samples.lon / 0.5), np.floor(samples.lat / 0.5)], 1)
    for square in np.unique(squares, axis=0):
        inside = (squares == square).all(1)
        assert len(np.unique(samples.split[inside])) == 1
        assert len(np.unique(samples.block[inside])) == 1
    assert set(np.unique(samples.split)) == {0, 1, 2}


def test_tables_that_do_not_fit_are_named(tmp_path):
    write_table(tmp_path / "t.npz", lon=None)
    with pytest.raises(SitsError, match="lacks the array 'lon'"):
        table(tmp_path / "t.npz", tmp_path / "t.zarr")
    write_table(tmp_path / "t.npz", lat=np.zeros(7))
    with pytest.raises(SitsError, match=r"lat is \(7,\), expected \(60,\)"):
        table(tmp_path / "t.npz", tmp_path / "t.zarr")
    write_table(tmp_path / "t.npz")
    with pytest.raises(SitsError, match="must sum to 1"):
        table(tmp_path / "t.npz", tmp_path / "t.zarr", fractions=(0.9, 0.3, 0.3))


@pytest.mark.parametrize(
    "stored",
    [
        lambda r: r.astype(np.int16),
        lambda r: r,
        lambda r: r.astype(">u2"),
        lambda r: np.asfortranarray(r.astype(np.int32)),
        lambda r: r.astype(np.float32),
        lambda r: (r / 1e4).astype(np.float32),
        lambda r: (r / 1e4).astype(">f8"),
    ],
    ids=["int16", "int64", "big-endian", "fortran", "x 10,000", "0 to 1", "big-endian 0 to 1"],
)
def test_numbers_of_any_type_are_the_same_reflectance(tmp_path, stored):
    values = whole()
    samples = convert(tmp_path, stored(values))
    assert np.array_equal(samples.reflectance[..., 0, 0], values)
    assert samples.doy.tolist() == [DAYS] * 40


@pytest.mark.parametrize("gap", [np.nan, np.inf, -9999, -32768, -1, 0, 65535, 9.96921e36])
def test_what_stands_for_nothing_is_no_step(tmp_path, gap):
    values = whole()
    given = values.astype(np.float64)
    given[:, 2] = gap
    samples = convert(tmp_path, given)
    assert np.array_equal(samples.reflectance[:, :5, :, 0, 0], np.delete(values, 2, 1))
    assert (samples.reflectance[:, 5] == MISSING).all()
    assert samples.doy.tolist() == [[*DAYS[:2], *DAYS[3:], 0]] * 40


def test_one_missing_band_is_no_step_and_a_little_below_zero_is_zero(tmp_path):
    given = whole().astype(np.int16)
    given[0, 4, 7] = -9999
    given[1, 1, 3] = -40
    samples = convert(tmp_path, given)
    assert (samples.doy > 0).sum(1).tolist() == [5] + [6] * 39
    assert samples.reflectance[1, 1, 3, 0, 0] == 0


def test_the_user_says_scale_and_fill(tmp_path):
    values = whole()
    samples = convert(tmp_path, values / 100, options={"scale": 0.01})
    assert np.array_equal(samples.reflectance[..., 0, 0], values)
    given = values.copy()
    given[3, 0] = 70000
    samples = convert(tmp_path, given, options={"fill": 70000})
    assert (samples.doy > 0).sum(1).tolist() == [6] * 3 + [5] + [6] * 36


def _one(index, value):
    def change(values):
        values = values.copy()
        values[index] = value
        return values

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r / 100, "neither reflectance"),
        (lambda r: (r // 20).astype(np.uint8), "neither reflectance"),
        (lambda r: (r - r.mean()) / r.std(), "normalised"),
        (_one((0, 0, 0), 70000), "largest that can be stored"),
        (_one((0, 0, 0), -5000), "--fill"),
        (lambda r: np.where(np.arange(40)[:, None, None] < 9, r / 1e4, r), "one unit"),
        (lambda r: r.astype(complex), "numbers were expected"),
        (lambda r: r.astype(object), "Python objects"),
        (lambda r: r.astype(float) * np.nan, "no step of any sample"),
        (lambda r: r.transpose(0, 2, 1), "axes are in another order"),
        (lambda r: r[..., None], r"expected \(sample, time, band\)"),
        (lambda r: r[..., :9], "--bands"),
    ],
)
def test_values_that_can_be_read_in_two_ways_are_refused(tmp_path, change, message):
    write_table(tmp_path / "t.npz", 40, x=change(whole()), valid=None)
    with pytest.raises(SitsError, match=message):
        table(tmp_path / "t.npz", tmp_path / "t.zarr")
    assert [item.name for item in tmp_path.iterdir()] == ["t.npz"]


@pytest.mark.parametrize(
    "written",
    [
        DATES.astype("datetime64[ns]"),
        DATES.astype("S"),
        np.array([int(text.replace("-", "")) for text in DATES]),
        np.array([text.replace("-", "/") for text in DATES]),
        np.array([f"{text}T10:56:31.024Z" for text in DATES]),
        np.array([".".join(reversed(text.split("-"))) for text in DATES]),
        np.array([f"2021-{day:03d}" for day in DAYS]),
        np.array(DAYS, np.float64),
        np.repeat(DATES[None], 40, 0),
    ],
)
def test_dates_as_people_write_them(tmp_path, written):
    assert convert(tmp_path, whole(), dates=written).doy.tolist() == [DAYS] * 40


def test_dates_of_each_sample_with_padding(tmp_path):
    dates, values = np.repeat(DATES[None], 40, 0), whole()
    dates[:, 5], values[:, 5] = "1970-01-01", 0
    assert convert(tmp_path, values, dates=dates).doy.tolist() == [[*DAYS[:5], 0]] * 40
    values[7, 5] = 900 + np.arange(10)
    with pytest.raises(SitsError, match="sample 7 has a step with values and without a date"):
        convert(tmp_path, values, dates=dates)


def test_strokes_are_read_where_one_date_tells_their_order(tmp_path):
    wanted = [11, 42, 70, 101, 131, 173]
    for form in ("{2}/{1}/{0}", "{1}/{2}/{0}"):
        written = np.array([form.format(*t.split("-")) for t in [*DATES[:5], "2021-06-22"]])
        assert convert(tmp_path, whole(), dates=written).doy[0].tolist() == wanted
    with pytest.raises(SitsError, match="day/month or month/day"):
        convert(tmp_path, whole(), dates=np.array([f"0{m}/11/2021" for m in range(1, 7)]))


def test_dates_out_of_order_are_sorted_with_their_values(tmp_path):
    values, order = whole(), [3, 0, 5, 1, 4, 2]
    samples = convert(tmp_path, values[:, order], dates=DATES[order])
    assert samples.doy.tolist() == [DAYS] * 40
    assert np.array_equal(samples.reflectance[..., 0, 0], values)


def test_days_of_a_season_over_new_year_keep_their_order(tmp_path):
    season = [300, 330, 360, 10, 40, 70]
    values = whole()
    dated = np.array(["2020-10-26", "2020-11-25", "2020-12-25", "2021-01-10", "2021-02-09"])
    samples = convert(tmp_path, values, dates=np.array(season))
    assert samples.doy.tolist() == [season] * 40
    assert np.array_equal(samples.reflectance[..., 0, 0], values)
    assert convert(tmp_path, values[:, :5], dates=dated).doy.tolist() == [season[:5]] * 40


def test_a_date_that_comes_twice(tmp_path):
    values = whole()
    values[:, 3] = values[:, 2]
    twice = DATES[[0, 1, 2, 2, 4, 5]]
    samples = convert(tmp_path, values, dates=twice)
    assert np.array_equal(samples.reflectance[:, :5, :, 0, 0], np.delete(values, 3, 1))
    with pytest.raises(SitsError, match="two steps of day 70"):
        convert(tmp_path, whole(), dates=twice)


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (["2021-02-30"] * 6, "no date"),
        (["2021-05"] * 6, "can be read"),
        ([*DATES[:5], "20210611"], "all dates alike"),
        ([*DAYS[:5], 367], "1-366"),
        ([0, *DAYS[1:]], "lacks a day at position 0"),
        (np.array(DAYS)[[1, 0, 3, 2, 5, 4]], "out of order"),
        (np.array([*DATES[:5], "NaT"], "datetime64[D]"), "lacks a day at position 5"),
        (DATES[:5], "expected"),
        ([4, 5, 6, 7, 8, 9], "look like months"),
        ([20, 21, 22, 23, 24, 25], "numbers of steps"),
    ],
)
def test_dates_that_cannot_be_told_are_refused(tmp_path, dates, message):
    with pytest.raises(SitsError, match=message):
        convert(tmp_path, whole(), dates=np.array(dates))
