"""Folders with one .npz a sample."""

import numpy as np
import pytest
from click.testing import CliRunner

from sitsformer.commands.convert import convert
from sitsformer.convert.samples import folder
from sitsformer.errors import SitsError
from sitsformer.samples import load_samples, read_manifest


def write_npz(path, length, label=None, seed=0):
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    values = rng.integers(0, 9000, (length, 10, 5, 5)).astype(np.int16)
    doy = np.sort(rng.choice(366, length, replace=False) + 1)
    more = {} if label is None else {"class_label": np.int64(label)}
    np.savez(path, ts=values, doy=doy, **more)
    return values, doy


def test_labelled_folders_become_splits(tmp_path):
    made = {
        name: write_npz(tmp_path / "set" / name / f"{i}.npz", 4 + i, label=10 * (i % 2), seed=i)
        for i, name in enumerate(("TRAIN", "VALIDATE", "TEST"))
    }
    assert folder(tmp_path / "set", tmp_path / "set.zarr") == 3
    samples = load_samples(tmp_path / "set.zarr")
    assert samples.split.tolist() == [0, 1, 2]
    assert samples.label.tolist() == [0, 1, 0]
    assert samples.classes.names == ("class_0", "class_10")
    assert samples.reflectance.shape == (3, 6, 10, 5, 5)
    for i, (values, doy) in enumerate(made.values()):
        assert np.array_equal(samples.reflectance[i, : len(doy)], values)
        assert samples.doy[i, : len(doy)].tolist() == doy.tolist()
        assert (samples.doy[i, len(doy) :] == 0).all()


def test_unlabelled_folders_are_for_training(tmp_path):
    for i in range(3):
        write_npz(tmp_path / "set" / f"{i}.npz", 5, seed=i)
    result = CliRunner().invoke(
        convert, ["samples", str(tmp_path / "set"), str(tmp_path / "set.zarr")]
    )
    assert result.exit_code == 0, result.output
    samples = load_samples(tmp_path / "set.zarr")
    assert samples.split.tolist() == [0, 0, 0]
    assert samples.label.tolist() == [-1, -1, -1]


def test_folders_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(SitsError, match=r"no \.npz files"):
        folder(tmp_path, tmp_path / "o.zarr")
    write_npz(tmp_path / "set" / "a.npz", 5)
    np.savez(tmp_path / "set" / "b.npz", ts=np.zeros((4, 10, 3, 3), np.int16), doy=np.arange(1, 5))
    with pytest.raises(SitsError, match=r"b\.npz"):
        folder(tmp_path / "set", tmp_path / "o.zarr")
    np.savez(tmp_path / "set" / "b.npz", other=np.zeros(3))
    with pytest.raises(SitsError, match="lacks the array 'ts'"):
        folder(tmp_path / "set", tmp_path / "o.zarr")


DAYS = np.array([10, 40, 90, 150, 200, 300])


def series(seed=0):
    """A series of patches, reflectance x 10,000."""
    return np.random.default_rng(seed).integers(300, 4200, (6, 10, 5, 5))


def save(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        np.savez(stream, **({"ts": series(), "doy": DAYS} | arrays))


def convert_two(tmp_path, options=None, **arrays):
    """Convert a whole sample and one of `arrays`; what a reader sees of the store."""
    save(tmp_path / "set" / "a.npz")
    save(tmp_path / "set" / "b.npz", **arrays)
    folder(tmp_path / "set", tmp_path / "set.zarr", **(options or {}))
    return load_samples(tmp_path / "set.zarr")


@pytest.mark.parametrize(
    "stored",
    [
        lambda r: r.astype(np.int16),
        lambda r: r.astype(">i4"),
        lambda r: np.asfortranarray(r),
        lambda r: r.astype(np.float32),
    ],
)
def test_files_of_any_type_are_the_same_reflectance(tmp_path, stored):
    samples = convert_two(tmp_path, ts=stored(series()))
    assert np.array_equal(samples.reflectance[1], series())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reflectance_from_0_to_1(tmp_path, dtype):
    for name in ("a", "b"):
        save(tmp_path / "set" / f"{name}.npz", ts=(series() / 1e4).astype(dtype))
    folder(tmp_path / "set", tmp_path / "set.zarr")
    assert np.array_equal(load_samples(tmp_path / "set.zarr").reflectance[0], series())
    with pytest.raises(SitsError, match=r"those of b\.npz"):
        convert_two(tmp_path, ts=(series() / 1e4).astype(dtype))


@pytest.mark.parametrize("gap", [np.nan, -9999, 0])
def test_steps_without_values_are_refused_or_left_out(tmp_path, gap):
    values = series().astype(np.float32)
    values[2, :, 1, 3] = gap
    with pytest.raises(SitsError, match=r"b\.npz has no value in a pixel of day 90"):
        convert_two(tmp_path, ts=values)
    assert not (tmp_path / "set.zarr").exists()
    samples = convert_two(tmp_path, {"drop_missing": True}, ts=values)
    assert samples.doy[1].tolist() == [10, 40, 150, 200, 300, 0]
    assert np.array_equal(samples.reflectance[1, :5], np.delete(series(), 2, 0))


def test_padding_is_left_out(tmp_path):
    values, days = series(), DAYS.copy()
    values[4:], days[4:] = 0, 0
    samples = convert_two(tmp_path, ts=values, doy=days)
    assert samples.doy[1].tolist() == [10, 40, 90, 150, 0, 0]


def test_an_empty_series_is_refused_or_dropped_and_counted(tmp_path):
    empty = {"ts": series()[:0], "doy": DAYS[:0]}
    with pytest.raises(SitsError, match=r"b\.npz has no step"):
        convert_two(tmp_path, **empty)
    assert len(convert_two(tmp_path, {"drop_missing": True}, **empty)) == 1
    assert read_manifest(tmp_path / "set.zarr")["dropped"] == {"missing": {"(none)": 1}}


def test_a_season_over_new_year_keeps_its_order(tmp_path):
    days = np.array([300, 330, 360, 10, 40, 70])
    samples = convert_two(tmp_path, doy=days)
    assert samples.doy[1].tolist() == days.tolist()
    assert np.array_equal(samples.reflectance[1], series())


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"doy": DAYS - 10}, "doy is 0 where ts has values"),
        ({"doy": DAYS + 67}, "found 367"),
        ({"doy": DAYS[[3, 0, 5, 1, 4, 2]]}, "out of order"),
        ({"doy": np.array([10, 10, 90, 150, 200, 300])}, "two steps of day 10"),
        ({"doy": DAYS[:4]}, r"doy \(4,\)"),
        ({"ts": series().transpose(1, 0, 2, 3)}, "another order"),
        ({"ts": series()[..., :3, :3]}, r"expected \(T, 10, 5, 5\)"),
        ({"ts": series().astype(object)}, "Python objects"),
        ({"class_label": np.array([1, 2])}, "one value a sample"),
        ({"label": np.array(1)}, "'label' and no 'class_label'"),
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path, arrays, message):
    with pytest.raises(SitsError, match=message) as caught:
        convert_two(tmp_path, **arrays)
    assert "b.npz" in str(caught.value)
    assert not (tmp_path / "set.zarr").exists()


@pytest.mark.parametrize(
    ("label", "index", "names"),
    [
        (np.array([3]), 0, ("class_3",)),
        (np.array(3.0), 0, ("class_3",)),
        (np.array("maize"), 0, ("maize",)),
        (np.array(b"maize"), 0, ("maize",)),
        (np.array(255, np.uint8), -1, ()),
        (np.array(-1), -1, ()),
        (np.array(np.nan), -1, ()),
    ],
)
def test_a_label_of_any_type_beside_a_file_without(tmp_path, label, index, names):
    samples = convert_two(tmp_path, class_label=label)
    assert samples.label.tolist() == [-1, index]
    assert samples.classes.names == names


def test_text_and_numbers_are_no_labels_of_one_set(tmp_path):
    save(tmp_path / "set" / "c.npz", class_label=np.array("maize"))
    with pytest.raises(SitsError, match="text in some files"):
        convert_two(tmp_path, class_label=np.array(1))


def test_folders_of_splits_in_other_spellings_and_hidden_files(tmp_path):
    for name in ("train/a.npz", "train/._a.npz", "Val/b.NPZ", "testing/c.npz", ".old/d.npz"):
        save(tmp_path / "set" / name)
    (tmp_path / "set" / "train" / "._a.npz").write_bytes(b"resource fork")
    assert folder(tmp_path / "set", tmp_path / "set.zarr") == 3
    assert load_samples(tmp_path / "set.zarr").split.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("TRAIN/a.npz", "b.npz"), "beside the sub-folders"),
        (("TRAIN/a.npz", "OLD/b.npz"), "in the sub-folder OLD"),
        (("wheat/a.npz", "maize/b.npz"), "in the sub-folder maize"),
        (("TRAIN/a.npz", "train/b.npz"), "two sub-folders for one split"),
    ],
)
def test_files_that_it_is_not_clear_what_they_are_for(tmp_path, files, message):
    for name in files:
        save(tmp_path / "set" / name)
    with pytest.raises(SitsError, match=message):
        folder(tmp_path / "set", tmp_path / "set.zarr")


def test_a_share_of_a_flat_folder_validates(tmp_path):
    for i in range(10):
        save(tmp_path / "set" / f"{i}.npz")
    folder(tmp_path / "set", tmp_path / "set.zarr", valid_rate=0.2)
    assert sorted(load_samples(tmp_path / "set.zarr").split.tolist()) == [0] * 8 + [1] * 2


def test_other_bands_by_name(tmp_path):
    save(tmp_path / "set" / "a.npz", ts=series()[:, :6])
    with pytest.raises(SitsError, match="--bands"):
        folder(tmp_path / "set", tmp_path / "set.zarr")
    names = ["B05", "B02", "B03", "B04", "B12", "B11"]
    folder(tmp_path / "set", tmp_path / "set.zarr", bands=names)
    samples = load_samples(tmp_path / "set.zarr")
    assert samples.bands == ("B02", "B03", "B04", "B05", "B11", "B12")
    assert np.array_equal(samples.reflectance[0], series()[:, [1, 2, 3, 0, 5, 4]])


def test_more_samples_than_a_chunk_holds(tmp_path, monkeypatch):
    from sitsformer.samples import shards

    monkeypatch.setattr(shards, "CHUNK_BYTES", 2 * 6 * 250 * 2)
    for i in range(5):
        save(tmp_path / "set" / f"{i}.npz", ts=series(i))
    folder(tmp_path / "set", tmp_path / "set.zarr")
    found = load_samples(tmp_path / "set.zarr").reflectance
    assert np.array_equal(found, np.stack([series(i) for i in range(5)]))
