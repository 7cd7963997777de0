"""NetCDF and Zarr as different tools write them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rioxarray  # noqa: F401  (registers `rio`)
import xarray as xr
from pyproj import CRS

from raster_files import EPSG, TILE, build, dates, image
from sitsformer.errors import SitsError
from sitsformer.sensors import BANDS

TIMES = np.array(["2021-04-05", "2021-06-10", "2021-07-15"], "datetime64[ns]")
VALUES = np.stack([image(i) for i in range(3)])
COMMON = ["blue", "green", "red", "rededge1", "rededge2", "rededge3"]
COMMON += ["nir", "nir08", "swir16", "swir22"]
WKT = CRS.from_epsg(EPSG).to_wkt()


def plain(bands: object = BANDS) -> xr.Dataset:
    """A cube (time, band, y, x) without a coordinate system."""
    coords = {"time": TIMES, "band": list(bands), "y": TILE.y, "x": TILE.x}  # type: ignore[call-overload]
    return xr.Dataset({"s2": (("time", "band", "y", "x"), VALUES)}, coords)


def known() -> xr.Dataset:
    return plain().rio.write_crs(EPSG)


def standard_names() -> xr.Dataset:
    dataset = known().rename(x="i", y="j", time="k")
    dataset.i.attrs = {"standard_name": "projection_x_coordinate"}
    dataset.j.attrs = {"standard_name": "projection_y_coordinate"}
    dataset.k.attrs = {"standard_name": "time"}
    return dataset


def crs_variable() -> xr.Dataset:
    return (
        plain()
        .to_dataarray("v")
        .isel(v=0, drop=True)
        .to_dataset("band")
        .assign(crs=xr.DataArray(0, attrs={"crs_wkt": WKT}))
    )


FORMS: dict[str, Callable[[], xr.Dataset]] = {
    "t": lambda: known().rename(time="t"),
    "valid_time": lambda: known().rename(time="valid_time"),
    "phenomenon_time": lambda: known().rename(time="phenomenon_time"),
    "texts": lambda: known().assign_coords(
        time=["2021-04-05T00:00:00Z", "2021-06-10", "2021-07-15"]
    ),
    "X and Y": lambda: known().rename(x="X", y="Y"),
    "easting": lambda: known().rename(x="easting", y="northing"),
    "standard names": standard_names,
    "float32": lambda: known().assign_coords(
        x=TILE.x.astype(np.float32), y=TILE.y.astype(np.float32)
    ),
    "upwards": lambda: known().isel(y=slice(None, None, -1), x=slice(None, None, -1)),
    "bands": lambda: known().rename(band="bands"),
    "spectral": lambda: known().rename(band="spectral"),
    "numpy bytes": lambda: known().assign_coords(band=np.array(BANDS, "S3")),
    "common": lambda: known().assign_coords(
        band=[
            "blue",
            "green",
            "red",
            "rededge1",
            "rededge2",
            "rededge3",
            "nir",
            "nir08",
            "swir16",
            "swir22",
        ]
    ),
    "crs variable": crs_variable,
    "attribute crs_wkt": lambda: plain().assign_attrs(crs_wkt=WKT),
    "attribute epsg": lambda: plain().assign_attrs({"proj:epsg": EPSG}),
    "attribute of the variable": lambda: plain().assign(
        s2=plain().s2.assign_attrs(crs=f"EPSG:{EPSG}")
    ),
    "coordinate epsg": lambda: plain().assign_coords(epsg=EPSG),
    "days nobody decodes": lambda: known().assign(
        lag=xr.DataArray(3, attrs={"units": "months since 1950-01-01", "calendar": "360_day"})
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_cube_in_other_words(tmp_path: Path, form: str) -> None:
    FORMS[form]().to_netcdf(tmp_path / "cube.nc", engine="h5netcdf")
    dataset = build(tmp_path / "cube.nc")
    np.testing.assert_array_equal(dataset.reflectance, VALUES)
    assert [text[:10] for text in dates(dataset)] == [str(time)[:10] for time in TIMES]


@pytest.mark.parametrize("version", [2, 3])
def test_a_group_of_a_zarr_store_without_consolidated_metadata(
    tmp_path: Path, version: int
) -> None:
    path = tmp_path / "cube.zarr"
    known().to_zarr(path, group="r10m", zarr_format=version, consolidated=False)  # type: ignore[call-overload]
    np.testing.assert_array_equal(build(path / "r10m").reflectance, VALUES)
    with pytest.raises(SitsError, match=r"holds no variables but groups: r10m; .*cube\.zarr/r10m"):
        build(path)
    with pytest.raises(SitsError, match="the group other"):
        build(path / "other")


def test_one_date_without_a_dimension_of_dates(tmp_path: Path) -> None:
    known().isel(time=1).to_netcdf(tmp_path / "cube.nc", engine="h5netcdf")
    np.testing.assert_array_equal(build(tmp_path / "cube.nc").reflectance, VALUES[1:2])


def test_bands_of_the_config_name_those_of_a_cube(tmp_path: Path) -> None:
    order = BANDS[::-1]
    path = tmp_path / "cube.nc"
    plain(range(1, 11)).isel(band=slice(None, None, -1)).rio.write_crs(EPSG).to_netcdf(
        path, engine="h5netcdf"
    )
    np.testing.assert_array_equal(build(path, bands=order).reflectance, VALUES)
    with pytest.raises(SitsError, match=r"bands are 10, 9, .*set `bands`"):
        build(path)
    with pytest.raises(SitsError, match="11 names for the 10 bands"):
        build(path, bands=[*order, "SCL"])
    other = tmp_path / "variables.nc"
    known().s2.to_dataset("band").rename({band: f"layer_{band}" for band in BANDS}).to_netcdf(
        other, engine="h5netcdf"
    )
    np.testing.assert_array_equal(build(other, bands=BANDS).reflectance, VALUES)


def test_a_mask_of_truth_values(tmp_path: Path) -> None:
    clear = np.ones((3, TILE.size, TILE.size), bool)
    clear[:, :3] = False
    dataset = known().assign(clear=(("time", "y", "x"), clear))
    dataset.to_netcdf(tmp_path / "cube.nc", engine="h5netcdf")
    found = build(tmp_path / "cube.nc", clouds={"by": "mask", "band": "clear"})
    np.testing.assert_array_equal(found.clear, 100 * clear)


def test_a_packed_scene_classification(tmp_path: Path) -> None:
    scl = np.full((3, TILE.size, TILE.size), 40, np.int16)
    scl[:, 0] = 90
    variable = (("time", "y", "x"), scl, {"scale_factor": 0.1})
    known().assign(SCL=variable).to_netcdf(tmp_path / "cube.nc", engine="h5netcdf")
    found = build(tmp_path / "cube.nc", clouds={"by": "scl", "band": "scl"}).clear.values
    assert (found[:, 0] == 0).all() and (found[:, 1:] == 100).all()


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (("time", [0, 30, 59], {"units": "days since 2021-02-01", "calendar": "noleap"}), "noleap"),
        (("time", [20210405, 20210610, 20210715]), "int64 without units of time"),
        (("time", ["spring", "summer", "autumn"]), "does not hold dates"),
        (("time", np.array(["2021-04-05", "NaT", "2021-07-15"], "datetime64[ns]")), "NaT"),
    ],
)
def test_times_that_are_no_dates(tmp_path: Path, times: tuple, message: str) -> None:
    known().assign_coords(time=times).to_netcdf(tmp_path / "cube.nc", engine="h5netcdf")
    with pytest.raises(SitsError, match=message):
        build(tmp_path / "cube.nc")


def test_an_uneven_axis_of_float32_is_still_refused(tmp_path: Path) -> None:
    x = np.delete(np.append(TILE.x, TILE.x[-1] + 10), 5).astype(np.float32)
    known().assign_coords(x=x).to_netcdf(tmp_path / "cube.nc", engine="h5netcdf")
    with pytest.raises(SitsError, match="`x` of the cube is not evenly spaced"):
        build(tmp_path / "cube.nc")


def test_what_a_damaged_or_odd_cube_says(tmp_path: Path) -> None:
    path = tmp_path / "cube.nc"
    known().expand_dims("model").expand_dims("run").to_netcdf(path, engine="h5netcdf")
    np.testing.assert_array_equal(build(path).reflectance, VALUES)
    packed = known()
    packed.s2.attrs["scale_factor"] = "a lot"
    packed.to_netcdf(tmp_path / "packed.nc", engine="h5netcdf")
    with pytest.raises(SitsError, match=r"attributes of `s2` .*a lot"):
        build(tmp_path / "packed.nc")
    words = known().s2.astype(str).to_dataset(name="s2")
    words.to_netcdf(tmp_path / "words.nc", engine="h5netcdf")
    with pytest.raises(SitsError, match="no variable of numbers along time, y and x"):
        build(tmp_path / "words.nc")
    known().to_zarr(tmp_path / "cube.zarr")
    for chunk in (tmp_path / "cube.zarr" / "s2" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"no chunk")
    with pytest.raises(SitsError, match="pixels cannot be read"):
        build(tmp_path / "cube.zarr")
