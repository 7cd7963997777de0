"""Tables of pixel series."""

import logging

import numpy as np
import pytest

from sitsformer.convert.table import table
from sitsformer.errors import SitsError
from sitsformer.samples import load_samples, open_samples, read_manifest
from sitsformer.samples.describe import describe
from sitsformer.stored import MISSING


def write_table(path, samples=60, **changes):
    rng = np.random.default_rng(0)
    valid = (rng.random((samples, 6)) < 0.8).astype(np.uint8)
    valid[3] = 0
    values = rng.integers(100, 9000, (samples, 6, 10)).astype(np.uint16)
    values[valid == 0] = 0
    arrays = {
        "x": values,
        "valid": valid,
        "label": rng.integers(0, 2, samples).astype(np.uint8),
        "label_names": np.array(["a", "b"]),
        "lon": rng.uniform(-121, -118, samples),
        "lat": rng.uniform(36, 39, samples),
        "dates": np.array([f"2021-0{m}-11" for m in range(1, 7)]),
    }
    arrays |= changes
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return arrays


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


DATES = np.array([f"2021-0{m}-11" for m in range(1, 7)])
DAYS = [11, 42, 70, 101, 131, 162]


def whole(samples=40):
    """A table without gaps: reflectance x 10,000 (sample, time, band)."""
    return np.random.default_rng(5).integers(300, 4200, (samples, 6, 10))


def convert(tmp_path, values, **changes):
    """Convert a table of `values`; the samples that a reader of the store sees."""
    changes = {"valid": None, "label": np.arange(len(values)) % 2} | changes
    options = changes.pop("options", {})
    write_table(tmp_path / "t.npz", samples=len(values), x=values, **changes)
    table(tmp_path / "t.npz", tmp_path / "t.zarr", **options)
    return load_samples(tmp_path / "t.zarr")


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


NUMBER = np.arange(40) % 2


@pytest.mark.parametrize(
    ("label", "wanted"),
    [
        (NUMBER[:, None], NUMBER),
        (NUMBER[None].astype(np.float32), NUMBER),
        (NUMBER.astype(">u4"), NUMBER),
        (NUMBER == 1, NUMBER),
        (np.array([b"a", b"b"])[NUMBER], NUMBER),
        (np.array(["b", ""])[NUMBER], np.where(NUMBER, -1, 1)),
        (np.where(NUMBER, np.nan, 0), np.where(NUMBER, -1, 0)),
        (np.where(NUMBER, 255, 0).astype(np.uint8), np.where(NUMBER, -1, 0)),
        (np.where(NUMBER, -1, 1), np.where(NUMBER, -1, 1)),
    ],
)
def test_labels_of_any_type(tmp_path, label, wanted):
    samples = convert(tmp_path, whole(), label=label)
    assert samples.label.tolist() == wanted.tolist()
    assert samples.classes.names == ("a", "b")


def test_labels_name_the_classes_where_nothing_else_does(tmp_path):
    text = np.array(["maize", "barley"])[NUMBER]
    samples = convert(tmp_path, whole(), label=text, label_names=None)
    assert samples.classes.names == ("barley", "maize")
    assert samples.label.tolist() == (1 - NUMBER).tolist()
    codes = np.array([1200, 4])[NUMBER]
    assert convert(tmp_path, whole(), label=codes, label_names=None).classes.names == (
        "class_4",
        "class_1200",
    )
    assert convert(tmp_path, whole(), label=None, label_names=None).classes.names == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": NUMBER + 1}, "count from 0"),
        ({"label": NUMBER + 5}, "has no name"),
        ({"label": NUMBER - 5}, "below 0"),
        ({"label": NUMBER + 0.5}, "whole numbers"),
        ({"label": np.eye(2)[NUMBER]}, "one-hot"),
        ({"label": NUMBER[:1]}, "one value a sample"),
        ({"label": np.array(["a", "c"])[NUMBER]}, "'c' is not in label_names"),
        ({"label_names": np.array(["a", "a"])}, "twice"),
        ({"label": np.array(["blé".encode("latin-1")] * 40), "label_names": None}, "not UTF-8"),
        ({"lon": np.where(NUMBER, np.nan, 3.0)}, "is no number"),
        ({"lon": np.full(40, 5e5)}, "degrees from -180 to 180"),
        ({"lat": np.full(40, -120.0), "lon": np.full(40, 38.0)}, "swapped"),
        ({"valid": np.full((40, 6), 0.5) + np.arange(6)}, "1 for steps to keep"),
        ({"valid": np.ones((6, 40))}, r"expected \(40, 6\)"),
        ({"options": {"block": 0.0}}, "above 0 degrees"),
        ({"options": {"block": 300.0}}, "would have no sample"),
        ({"options": {"fractions": (1.2, -0.5, 0.3)}}, "none below 0"),
    ],
)
def test_labels_and_places_that_do_not_fit_are_refused(tmp_path, changes, message):
    with pytest.raises(SitsError, match=message):
        convert(tmp_path, whole(), **changes)


def test_valid_steps_of_any_type(tmp_path):
    valid = np.ones((40, 6))
    valid[:, 1] = 0
    for made in (valid, valid > 0, np.where(valid, 255, 0).astype(np.uint8)):
        samples = convert(tmp_path, whole(), valid=made)
        assert samples.doy.tolist() == [[DAYS[0], *DAYS[2:], 0]] * 40


def test_bands_come_in_the_order_of_every_store(tmp_path):
    values = whole()
    names = np.array(["B12", "b2", "NIR narrow", "04", "green", "band 1", "B9"])
    samples = convert(tmp_path, values[..., :7], bands=names)
    assert samples.bands == ("B01", "B02", "B03", "B04", "B8A", "B09", "B12")
    order = [5, 1, 4, 3, 2, 6, 0]
    assert np.array_equal(samples.reflectance[..., 0, 0], values[..., order])
    for wrong, message in ((["thermal"] * 7, "none of Sentinel-2's"), (["B2"] * 7, "there twice")):
        with pytest.raises(SitsError, match=message):
            convert(tmp_path, values[..., :7], bands=np.array(wrong))


def test_nothing_but_an_older_store_is_replaced(tmp_path):
    write_table(tmp_path / "t.npz")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("words")
    for out in (tmp_path / "t.npz", mine):
        with pytest.raises(SitsError, match="is there and is no samples"):
            table(tmp_path / "t.npz", out)
    assert (mine / "thesis.txt").read_text() == "words"
    for _ in range(2):
        table(tmp_path / "t.npz", tmp_path / "t.zarr")


def test_files_that_are_no_npz_are_named(tmp_path):
    np.save(tmp_path / "a.npy", whole())
    (tmp_path / "b.npz").write_bytes(b"words")
    write_table(tmp_path / "c.npz")
    (tmp_path / "c.npz").write_bytes((tmp_path / "c.npz").read_bytes()[:3000])
    for name in ("a.npy", "b.npz", "c.npz", "d.npz", "."):
        with pytest.raises(SitsError):
            table(tmp_path / name, tmp_path / "t.zarr")


def test_a_converted_table_can_be_inspected_and_counted(tmp_path):
    write_table(tmp_path / "t.npz")
    table(tmp_path / "t.npz", tmp_path / "t.zarr")
    counts = read_manifest(tmp_path / "t.zarr")
    assert counts["samples"] == sum(counts["kept"].values()) == 59
    assert sum(counts["dropped"]["missing"].values()) == 1
    assert sum(sum(part.values()) for part in counts["splits"].values()) == 59
    lines = describe(tmp_path / "t.zarr")
    assert any(line.split()[:2] == ["a", str(counts["kept"]["a"])] for line in lines)
    assert not any("0 m" in line or "tiles" in line for line in lines)


def test_arrays_under_other_names_are_not_passed_over(tmp_path):
    for changes, message in (
        ({"label": None, "labels": NUMBER}, "'labels' and no 'label'"),
        ({"label": None}, "has label_names"),
        ({"mask": np.ones((40, 6))}, "'mask' and no 'valid'"),
    ):
        with pytest.raises(SitsError, match=message):
            convert(tmp_path, whole(), **changes)


def test_warnings_of_an_offset_and_of_splits_that_are_not_used(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("sitsformer"), "propagate", True)
    convert(tmp_path, whole(200))
    assert caplog.text == ""
    convert(tmp_path, whole(200) + 1000, split=np.zeros(200))
    assert "1000 too large" in caplog.text and "'split', which is not used" in caplog.text


def counties(samples=60):
    """Three counties, the last of which is the test; the others are shared."""
    region = np.array(["Adams", "Harvey", "Haskell"])[np.arange(samples) % 3]
    split = np.where(region == "Haskell", "test", "train").astype("<U10")
    split[:3:3] = "Val"
    return region, split


def test_a_table_without_places_is_kept_apart_by_its_blocks(tmp_path):
    region, _ = counties()
    write_table(tmp_path / "t.npz", lon=None, lat=None, block=region)
    table(tmp_path / "t.npz", tmp_path / "t.zarr", fractions=(0.34, 0.33, 0.33), seed=2)
    samples = load_samples(tmp_path / "t.zarr")
    kept = np.delete(region, 3)
    assert np.isnan(samples.lon).all() and np.isnan(samples.lat).all()
    assert [len(np.unique(samples.split[kept == name])) for name in np.unique(region)] == [1] * 3
    assert len(np.unique(samples.split)) == 3
    assert any("split by block" in line for line in describe(tmp_path / "t.zarr"))


def test_the_splits_of_a_table_with_blocks_are_its_own(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("sitsformer"), "propagate", True)
    region, split = counties()
    write_table(tmp_path / "t.npz", lon=None, lat=None, block=region, split=split)
    table(tmp_path / "t.npz", tmp_path / "t.zarr", fractions=(1.0, 0.0, 0.0))
    found = load_samples(tmp_path / "t.zarr").split
    wanted = {"train": 0, "Val": 1, "test": 2}
    assert found.tolist() == [wanted[name] for name in np.delete(split, 3)]
    assert "train and validation share 1 blocks" in caplog.text
    numbers = np.array([wanted[name] for name in split])
    write_table(tmp_path / "n.npz", block=region, split=numbers)
    table(tmp_path / "n.npz", tmp_path / "n.zarr")
    assert np.array_equal(load_samples(tmp_path / "n.zarr").split, found)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lon": None, "lat": None}, r"lacks the array 'lon': .* leave out both .* give 'block'"),
        ({"lon": None, "block": counties()[0]}, "lacks the array 'lon': "),
        (
            {"block": counties()[0], "split": np.array(["test", "train"] * 30)},
            r"block 'Adams' has samples in the test and in another split \(3 such blocks\)",
        ),
        (
            {"block": counties()[0], "split": np.full(60, "hold-out")},
            "split holds 'hold-out', expected train, validation, test, or 0, 1, 2",
        ),
        ({"block": counties()[0], "split": np.zeros(7)}, r"split is \(7,\), expected \(60,\)"),
    ],
)
def test_blocks_and_splits_that_do_not_fit_are_refused(tmp_path, changes, message):
    write_table(tmp_path / "t.npz", **changes)
    with pytest.raises(SitsError, match=message):
        table(tmp_path / "t.npz", tmp_path / "t.zarr")
    assert not (tmp_path / "t.zarr").exists()
