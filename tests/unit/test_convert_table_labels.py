"""Labels, places, blocks and files of tables of pixel series."""

import logging

import numpy as np
import pytest

from npz_tables import DAYS, convert, whole, write_table
from sitsformer.convert.table import table
from sitsformer.errors import SitsError
from sitsformer.samples import load_samples, read_manifest
from sitsformer.samples.describe import describe

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


def test_a_warning_of_many_absent_classes_says_how_many(tmp_path):
    names = [f"crop {k}" for k in range(40)]
    write_table(tmp_path / "t.npz", label=np.arange(60) % 2, label_names=np.array(names))
    table(tmp_path / "t.npz", tmp_path / "t.zarr")
    (line,) = (w for w in read_manifest(tmp_path / "t.zarr")["warnings"] if "split" not in w)
    shown = ", ".join(names[2:14])
    assert line == f"no sample of {shown}, ... (38 in all)"


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
