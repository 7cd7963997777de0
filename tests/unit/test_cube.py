"""The cube contract: what is written, what xarray shows, what is refused."""

import threading
import warnings
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr

from sitsformer import artefacts, cube
from sitsformer.grid import Tile
from sitsformer.legends import load_legend

TILE = Tile("farm", "32631_570240_5642580", 32631, 570240, 5642580, 12)
TIMES = np.array(["2021-03-01T10:50:31", "2021-03-06T10:50:29"], "datetime64[ns]")


def make(lazy: bool = False, **changes) -> xr.Dataset:
    rng = np.random.default_rng(0)
    reflectance = rng.integers(0, 9000, (2, 10, 12, 12)).astype(np.uint16)
    reflectance[0, :, 0, 0] = cube.MISSING
    reflectance[1, :, 0, 0] = 0
    clear = np.full((2, 12, 12), 90, np.uint8)
    parts = {
        "tile": TILE,
        "times": TIMES,
        "reflectance": da.from_array(reflectance, chunks=(1, 10, 6, 6)) if lazy else reflectance,
        "clear": da.from_array(clear, chunks=(1, 12, 12)) if lazy else clear,
        "layers": {
            "worldcover": (np.full((12, 12), 40, np.uint8), load_legend("worldcover")),
            "cdl_confidence": (np.full((12, 12), 80, np.uint8), None),
        },
        "attrs": {"source": "test"},
        **changes,
    }
    return cube.build(**parts)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    dataset = make()
    cube.write(dataset, tmp_path / "t.zarr", config={"a": 1})
    found = cube.open_cube(tmp_path / "t.zarr")
    for name in ("reflectance", "clear", "worldcover", "cdl_confidence"):
        assert found[name].dtype == dataset[name].dtype
        np.testing.assert_array_equal(found[name].values, dataset[name].values)
    assert cube.tile_of(found) == TILE
    assert cube.label_layers(found) == {"worldcover": load_legend("worldcover")}


def test_the_grid_is_read_as_any_tool_writes_it() -> None:
    made = make()
    other = made.drop_vars("spatial_ref").rio.write_crs(32631)
    cube.validate(other, "the cube")
    assert "epsg" not in other.spatial_ref.attrs and cube.tile_of(other) == TILE
    for attrs in ({}, {"crs_wkt": "nowhere"}):
        bare = made.assign_coords(spatial_ref=((), np.int32(0), attrs))
        with pytest.raises(cube.CubeError, match="spatial_ref tells no CRS of EPSG"):
            cube.validate(bare, "the cube")


def test_xarray_shows_reflectance_crs_and_flags_without_a_warning(tmp_path: Path) -> None:
    cube.write(make(), tmp_path / "t.zarr", config={})
    (tmp_path / "t.zarr" / ".snakemake_timestamp").touch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = xr.open_zarr(tmp_path / "t.zarr", decode_coords="all").load()
    assert found.rio.crs.to_epsg() == 32631
    assert np.isnan(found.reflectance[0, 0, 0, 0]) and found.reflectance[1, 0, 0, 0] == 0
    assert float(found.reflectance.max()) < 0.9 + 1e-9
    assert found.sel(band="B08").sizes == {"time": 2, "y": 12, "x": 12}
    assert "cropland" in found.worldcover.attrs["flag_meanings"].split()
    assert found.clear.dtype.kind == "f"  # 255 is a fill value


def test_lazy_and_eager_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    cube.write(make(), tmp_path / "eager.zarr", config={})
    cube.write(make(lazy=True), tmp_path / "lazy.zarr", config={})
    assert artefacts.digest(tmp_path / "eager.zarr") == artefacts.digest(tmp_path / "lazy.zarr")


def test_a_failing_write_leaves_nothing(tmp_path: Path) -> None:
    """Even where other blocks are at work when one fails: none goes on after it was said."""
    failed, said, started, ended = (threading.Event(), threading.Event(), [], [])

    def block(block_info):
        number = block_info[None]["chunk-location"][0]
        started.append(number)
        if number == 1:
            failed.set()
            raise RuntimeError("source broke")
        failed.wait(10)
        said.wait(0.5)  # a writer that does not wait for the others speaks now
        ended.append(number)
        return np.zeros(block_info[None]["chunk-shape"], np.uint16)

    dates, shape = 3 * cube.CHUNK["time"], (12, 12)
    lazy = da.map_blocks(
        block,
        chunks=((cube.CHUNK["time"],) * 3, 10, *shape),
        dtype=np.uint16,
        meta=np.empty((0,), np.uint16),
    )
    times = TIMES[0] + np.arange(dates).astype("timedelta64[D]")
    clear = np.full((dates, *shape), 90, np.uint8)
    dataset = make(times=times, reflectance=lazy, clear=clear)
    with pytest.raises(RuntimeError, match="source broke"):
        cube.write(dataset, tmp_path / "t.zarr", config={})
    at_work = set(started) - set(ended) - {1}
    said.set()
    assert at_work == set()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": TIMES[::-1]}, "dates are not sorted"),
        ({"times": TIMES[[0, 0]]}, "is there twice"),
        ({"reflectance": np.zeros((2, 10, 12, 12), np.float32)}, "reflectance is float32"),
        ({"clear": np.zeros((2, 12, 12), np.int16)}, "clear is int16"),
        ({"tile": Tile("farm", "t", 32631, 570250, 5642580, 12)}, "x origin 570250 m"),
        ({"layers": {"crops": (np.zeros((12, 12), np.uint8), None)}}, "no flag_values"),
    ],
)
def test_breaches_of_the_contract_are_named(change, message) -> None:
    with pytest.raises(cube.CubeError, match=message):
        make(**change)


def test_cubes_that_changed_after_writing(tmp_path: Path) -> None:
    for name, edit, message in (
        ("grid", lambda d: d.assign_coords(x=d.x + np.arange(12)), "does not run in steps"),
        ("bands", lambda d: d.isel(band=slice(9)), "the bands are"),
        ("missing", lambda d: d.drop_vars("clear"), "clear is missing"),
        ("empty", lambda d: d.isel(time=slice(0)), "no dates"),
    ):
        edit(make()).to_zarr(tmp_path / name, zarr_format=3, consolidated=True)
        with pytest.raises(cube.CubeError, match=message):
            cube.open_cube(tmp_path / name)
    with pytest.raises(cube.CubeError, match="cannot be opened"):
        cube.open_cube(tmp_path / "nowhere")
