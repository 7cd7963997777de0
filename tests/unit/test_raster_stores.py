"""One NetCDF or Zarr cube as a source."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rioxarray  # noqa: F401  (registers `rio`)
import xarray as xr
from pyproj import Transformer

from raster_files import EPSG, NORTH, SIZE, TILE, WEST, build, dates, image
from sitsformer import cube
from sitsformer.config import ConfigError
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.sensors import BANDS


def store(kind: str, path: Path, **changes: Any) -> Path:
    """A cube of another project: NetCDF or Zarr, one variable or one for each band."""
    times = np.array(["2021-07-15", "2021-04-05", "2021-06-10"], "datetime64[ns]")
    coords = {"time": times, "y": TILE.y, "x": TILE.x}
    values = np.stack([image(i) for i in (2, 0, 1)])
    if kind.startswith("bands"):
        dataset = xr.Dataset(
            {name: (("time", "y", "x"), values[:, i]) for i, name in enumerate(BANDS)}, coords
        )
    else:
        dataset = xr.Dataset(
            {"s2": (("time", "band", "y", "x"), values)}, {**coords, "band": list(BANDS)}
        )
    dataset = dataset.assign_coords(changes).rio.write_crs(EPSG)
    if kind.endswith("zarr"):
        path = path / "cube.zarr"
        dataset.to_zarr(path, zarr_format=2)
    else:
        path = path / "cube.nc"
        dataset.to_netcdf(path, engine="scipy" if kind.endswith("3") else "h5netcdf")
    return path


@pytest.mark.parametrize("kind", ["bands.nc", "bands.zarr", "one.nc", "one.zarr"])
def test_one_netcdf_or_zarr_cube(tmp_path: Path, kind: str) -> None:
    dataset = build(store(kind, tmp_path))
    np.testing.assert_array_equal(dataset.reflectance, [image(i) for i in range(3)])
    assert [text[:10] for text in dates(dataset)] == ["2021-04-05", "2021-06-10", "2021-07-15"]
    assert (dataset.clear == 100).all()


def test_a_store_on_another_grid_and_partly_outside(tmp_path: Path) -> None:
    path = store("bands.nc", tmp_path, y=TILE.y - 30 + 4, x=TILE.x + 20 - 3)
    dataset = build(path)
    found = dataset.reflectance.values
    np.testing.assert_array_equal(found[0, :, 3:, 2:], image(0)[:, : SIZE - 3, : SIZE - 2])
    assert (found[:, :, :3] == cube.MISSING).all() and (found[..., :2] == cube.MISSING).all()
    with pytest.raises(SitsError, match=r"cube\.nc does not reach tile far"):
        build(path, tile=Tile("farm", "far", EPSG, WEST + 6000, NORTH, SIZE))


def test_a_store_in_degrees_with_scaled_values_and_clouds(tmp_path: Path) -> None:
    lon, lat = Transformer.from_crs(EPSG, 4326, always_xy=True).transform(WEST + 60, NORTH - 60)
    step = 0.0001
    x, y = lon + step * np.arange(-20, 20), lat - step * np.arange(-20, 20)
    raw = image(17, 40)
    scl = np.full((1, 40, 40), 4, np.uint8)
    scl[:, 18:] = 9
    data = {
        name: (("time", "latitude", "longitude"), raw[None, i], {"scale_factor": 2e-4})
        for i, name in enumerate(BANDS)
    }
    data["SCL"] = (("time", "latitude", "longitude"), scl)
    coords = {"time": np.array(["2021-05-05"], "datetime64[ns]"), "latitude": y, "longitude": x}
    xr.Dataset(data, coords).to_netcdf(tmp_path / "cube.nc", engine="h5netcdf")
    dataset = build(tmp_path / "cube.nc", clouds={"by": "scl", "band": "SCL"})
    to_lonlat = Transformer.from_crs(EPSG, 4326, always_xy=True)
    for row in range(SIZE):
        for column in range(SIZE):
            east, north = to_lonlat.transform(TILE.x[column], TILE.y[row])
            i, j = np.abs(y - north).argmin(), np.abs(x - east).argmin()
            found = dataset.reflectance.values[0, :, row, column]
            np.testing.assert_array_equal(found, 2 * raw[:, i, j])
            assert dataset.clear.values[0, row, column] == (100 if i < 18 else 0)


def test_stores_that_do_not_fit(tmp_path: Path) -> None:
    path = store("bands.nc", tmp_path)
    whole = xr.open_dataset(path).load()
    whole.close()

    def saved(dataset: xr.Dataset) -> Path:
        other = tmp_path / f"other{len(list(tmp_path.iterdir()))}.nc"  # the last one is still open
        dataset.to_netcdf(other, engine="h5netcdf")
        return other

    with pytest.raises(SitsError, match=r"nc lacks B8A; its bands are B02"):
        build(saved(whole.drop_vars("B8A")))
    bare = whole.copy(deep=True).drop_vars("spatial_ref")
    for array in bare.data_vars.values():
        array.attrs.pop("grid_mapping")
    with pytest.raises(SitsError, match="no coordinate reference system"):
        build(saved(bare))
    with pytest.raises(SitsError, match="not evenly spaced"):
        build(saved(whole.assign_coords(x=TILE.x + np.arange(SIZE) ** 2)))
    twice = whole.assign_coords(time=np.array(["2021-05-05"] * 3, "datetime64[ns]"))
    with pytest.raises(SitsError, match=r"2021-05-05.* is there twice"):
        build(saved(twice))
    with pytest.raises(SitsError, match="none of the 3 dates is of the season 2022"):
        build(path, start="2022-01-01", end="2022-12-31")
    with pytest.raises(SitsError, match="cannot be read as a NetCDF or Zarr cube"):
        build(tmp_path / "nothing.nc")
    with pytest.raises(SitsError, match=r"clouds\.band: cube\.nc has no band 'SCL'"):
        build(path, clouds={"by": "scl", "band": "SCL"})


def test_an_unset_variable_in_a_path_is_named() -> None:
    with pytest.raises(ConfigError, match="SITSFORMER_NOWHERE is not set"):
        build("$SITSFORMER_NOWHERE/images")
