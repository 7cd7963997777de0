"""The sample store: what is written comes back, xarray shows it, statistics are exact."""

import warnings
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import phenology
from sitsformer import artefacts, samples
from sitsformer.classes import Classes
from sitsformer.samples import SPLITS, SampleError, load_samples, statistics, statistics_of
from sitsformer.samples.contract import rechunk


@pytest.fixture(scope="module")
def made():
    return phenology.make(700, side=3)


@pytest.fixture(scope="module")
def store(tmp_path_factory, made):
    return phenology.write(tmp_path_factory.mktemp("store") / "s.zarr", made)


def test_samples_come_back(store, made):
    found = load_samples(store)
    for name, value in vars(made).items():
        assert np.array_equal(getattr(found, name), value), name
        if isinstance(value, np.ndarray):
            assert getattr(found, name).dtype == value.dtype, name


def test_one_split_comes_back(store, made):
    for value, name in enumerate(SPLITS):
        found = load_samples(store, name)
        assert (found.index == np.flatnonzero(made.split == value)).all()
        assert (found.reflectance == made.reflectance[found.index]).all()
        assert (found.split == value).all()


def test_taking_keeps_arrays_together(made):
    rows = np.array([5, 3, 9])
    some = made.take(rows)
    assert len(some) == 3 and some.index.tolist() == [5, 3, 9]
    assert (some.doy == made.doy[rows]).all() and some.classes.names == made.classes.names


def test_statistics_are_those_of_the_training_split_and_exact(store, made):
    train = made.split == 0
    steps = made.reflectance[train][made.doy[train] > 0]
    found = statistics(store)
    for band in range(10):
        values = steps[:, band].astype(np.int64).ravel()
        n, total = len(values), int(values.sum())
        variance = Fraction(int((values**2).sum()), n) - Fraction(total, n) ** 2
        assert found.mean[band] == pytest.approx(total / n * 1e-4, rel=1e-15)
        assert found.std[band] == pytest.approx(float(variance) ** 0.5 * 1e-4, rel=1e-14)
    assert found.mean.dtype == found.std.dtype == np.float64


def test_statistics_do_not_see_the_test_split(tmp_path, made):
    bright = made.reflectance.copy()
    bright[made.split != 0] = 60_000
    changed = phenology.write(
        tmp_path / "s.zarr", samples.Samples(**{**vars(made), "reflectance": bright})
    )
    plain = phenology.write(tmp_path / "t.zarr", made)
    assert (statistics(changed).mean == statistics(plain).mean).all()


@pytest.mark.parametrize("bands", [1, 2, 5, 6, 12])
def test_statistics_of_any_bands_with_splits_in_whole_chunks(tmp_path, made, bands):
    """A folder of train, validation and test in turn: most chunks have no training sample."""
    rng = np.random.default_rng(bands)
    count = 5000
    values = rng.integers(0, 65_000, (count, 4, bands, 3, 3), dtype=np.uint16)
    values[:, :, -1] = 1234
    doy = np.tile(np.array([5, 90, 200, 0], np.int16), (count, 1))
    split = np.repeat([2, 0, 1], [2600, 400, 2000]).astype(np.uint8)
    names = tuple(f"B{number}" for number in range(bands))
    about = samples.About(
        "t", Classes((), (), ()), "label", ("a/t",), ("a",), (2021,), "area", 0, names
    )
    columns = {"doy": doy, "label": np.full(count, -1), "split": split}
    samples.write_samples(tmp_path / "s.zarr", values, columns, about)
    found = statistics(tmp_path / "s.zarr")
    held = statistics_of(load_samples(tmp_path / "s.zarr"))
    assert (held.mean == found.mean).all() and (held.std == found.std).all()
    steps = values[split == 0][:, :3].astype(np.float64) * 1e-4
    np.testing.assert_allclose(found.mean, steps.mean((0, 1, 3, 4)), rtol=1e-12)
    np.testing.assert_allclose(found.std[:-1], steps.std((0, 1, 3, 4))[:-1], rtol=1e-9)
    assert found.std[-1] == 1  # one value throughout: nothing to scale


def test_statistics_without_a_valid_step_are_refused(tmp_path, made):
    bare = samples.Samples(**{**vars(made), "doy": np.where(made.split[:, None] == 0, 0, made.doy)})
    store = phenology.write(tmp_path / "s.zarr", bare)
    with pytest.raises(SampleError, match="no valid step"):
        statistics(store)
    with pytest.raises(SampleError, match="no sample of the split 'train' has a valid step"):
        statistics_of(bare)


def test_xarray_shows_units_flags_and_crs_without_warnings(store, made):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = xr.open_zarr(store)
        whole = xr.open_zarr(store, decode_coords="all")
    assert dataset.reflectance.dims == ("sample", "time", "band", "py", "px")
    assert dataset.reflectance.attrs["units"] == "1"
    assert np.isnan(dataset.reflectance[0].where(dataset.doy[0] == 0).values).all()
    value = float(dataset.reflectance.sel(band="B08")[0, 0, 1, 1])
    assert value == pytest.approx(made.reflectance[0, 0, 6, 1, 1] * 1e-4)
    assert dataset.label.attrs["flag_meanings"] == "winter_wheat maize soy grass"
    assert dataset.label.attrs["codes"] == [[1], [2], [3], [4]]
    assert dataset.split.attrs["flag_meanings"] == "train validation test unassigned"
    assert dataset.lon.attrs["units"] == "degrees_east"
    assert "date" in dataset.coords and dataset.date.dtype.kind == "M"
    assert whole.rio.crs.to_epsg() == 4326


def test_a_store_is_an_artefact_of_few_files(store):
    record = artefacts.read(store)
    assert record["kind"] == "samples"
    assert artefacts.check(store) == []
    assert len(record["files"]) < 35


def test_an_empty_store_is_whole(tmp_path, made):
    empty = phenology.write(tmp_path / "s.zarr", made.take(np.arange(0)))
    assert len(load_samples(empty)) == 0
    with pytest.raises(SampleError, match=r"no samples in the split 'train'; it has no split yet"):
        load_samples(empty, "train")


def test_same_samples_same_bytes(tmp_path, made):
    first, second = (phenology.write(tmp_path / name, made) for name in ("a.zarr", "b.zarr"))
    assert artefacts.digest(first) == artefacts.digest(second)


def test_wrong_shapes_are_refused(tmp_path, made):
    odd = samples.Samples(**{**vars(made), "label": made.label[:5]})
    with pytest.raises(SampleError, match=r"label has the shape \(5,\), not \(700,\)"):
        phenology.write(tmp_path / "s.zarr", odd)
    assert not (tmp_path / "s.zarr").exists()


def test_other_stores_are_refused(tmp_path):
    odd = xr.Dataset({"reflectance": (("time",), [1.0])})
    with pytest.warns(UserWarning, match="Consolidated metadata"):
        odd.to_zarr(tmp_path / "x.zarr", consolidated=True)
    with pytest.raises(SampleError, match="breaks the sample contract: reflectance is float64"):
        load_samples(tmp_path / "x.zarr")
    with pytest.raises(SampleError, match="cannot be opened"):
        load_samples(tmp_path / "none.zarr")


@given(
    lengths=st.lists(st.integers(0, 30), max_size=12),
    rows=st.integers(1, 17),
)
def test_pieces_of_any_length_become_pieces_of_one(lengths, rows):
    ends = np.cumsum([0, *lengths])
    parts = [np.arange(a, b) for a, b in pairwise(ends.tolist())]
    found = list(rechunk(parts, rows))
    assert all(len(piece) == rows for piece in found[:-1])
    assert all(0 < len(piece) <= rows for piece in found)
    assert np.concatenate([*found, []]).tolist() == list(range(ends[-1]))
