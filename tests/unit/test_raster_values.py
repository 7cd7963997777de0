"""What files say of their own values, against the config; and values that cannot be."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr

from raster_files import EPSG, NORTH, SIZE, TILE, WEST, build, image, write
from sitsformer import cube
from sitsformer.config import Rasters
from sitsformer.errors import SitsError
from sitsformer.imagery.rasters.values import Tags, of_attributes, packing
from sitsformer.sensors import BANDS, SENTINEL2

SPLIT = [{"before": "2022-01-25", "value": 0}, {"from": "2022-01-25", "value": -0.1}]
WINTER = {"start": "2021-10-01", "end": "2022-09-30"}


def tagged(path: Path, scale: float, offset: float) -> None:
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (scale,) * file.count, (offset,) * file.count


def test_scale_and_offset_tags_count_unless_the_config_says_otherwise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    values = image(1)
    tagged(write(tmp_path / "20210405.tif", values + np.uint16(1000)), 1e-4, -0.1)
    with caplog.at_level(logging.INFO):
        np.testing.assert_array_equal(build(tmp_path).reflectance[0], values)
    assert caplog.text.count("offset -0.1 is taken from 20210405.tif") == 1
    with caplog.at_level(logging.WARNING):
        other = build(tmp_path, offset=0.0)
    np.testing.assert_array_equal(other.reflectance[0], values + 1000)
    assert "offset: 0 of the config is used, not -0.1 that 20210405.tif" in caplog.text


@pytest.mark.parametrize("internal", [True, False])
def test_masks_in_and_beside_a_file_hide_pixels(tmp_path: Path, internal: bool) -> None:
    write(tmp_path / "20210405.tif", image(2), nodata=None)
    mask = np.full((SIZE, SIZE), 255, np.uint8)
    mask[2, 3] = 0
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal),
        rasterio.open(tmp_path / "20210405.tif", "r+") as file,
    ):
        file.write_mask(mask)
    assert (tmp_path / "20210405.tif.msk").exists() != internal
    missing = build(tmp_path).reflectance.values[0] == cube.MISSING
    np.testing.assert_array_equal(missing, np.broadcast_to(mask == 0, missing.shape))


def test_an_alpha_band_hides_pixels(tmp_path: Path) -> None:
    values = np.concatenate([image(3), np.full((1, SIZE, SIZE), 65535, np.uint16)])
    values[-1, 0] = 0
    path = write(tmp_path / "20210405.tif", values, names=[*BANDS, "alpha"], nodata=None)
    with rasterio.open(path, "r+") as file:
        kinds = [rasterio.enums.ColorInterp.undefined] * 10
        file.colorinterp = (*kinds, rasterio.enums.ColorInterp.alpha)
    found = build(tmp_path).reflectance.values[0]
    assert (found[:, 0] == cube.MISSING).all()
    np.testing.assert_array_equal(found[:, 1:], values[:-1, 1:])


@pytest.mark.parametrize("position", [3, 9])
def test_a_reflectance_that_is_tagged_as_alpha_is_a_reflectance(
    tmp_path: Path, position: int
) -> None:
    """Libraries tag the fourth band of an RGB file so; values below 7 must not hide a pixel."""
    values = image(3)
    values[position, :3] = np.arange(1, 3 * SIZE + 1).reshape(3, SIZE)
    path = write(tmp_path / "20210405.tif", values, nodata=None)
    with rasterio.open(path, "r+") as file:
        kinds = [rasterio.enums.ColorInterp.undefined] * 10
        kinds[position] = rasterio.enums.ColorInterp.alpha
        file.colorinterp = kinds
    np.testing.assert_array_equal(build(tmp_path).reflectance.values[0], values)


def test_a_weak_alpha_leaves_values_as_they_are(tmp_path: Path) -> None:
    values = np.concatenate([image(3), np.ones((1, SIZE, SIZE), np.uint16)])
    path = write(tmp_path / "20210405.tif", values, names=[*BANDS, "alpha"], nodata=None)
    with rasterio.open(path, "r+") as file:
        kinds = [rasterio.enums.ColorInterp.undefined] * 10
        file.colorinterp = (*kinds, rasterio.enums.ColorInterp.alpha)
    np.testing.assert_array_equal(build(tmp_path).reflectance.values[0], values[:-1])


def test_bands_of_several_kinds_of_numbers(tmp_path: Path) -> None:
    """A VRT over files; the values of each band keep their own precision."""
    values = image(5)
    whole = write(tmp_path / "whole.tiff", values[:5], names=None)
    real = write(tmp_path / "real.tiff", (values[5:] + 0.25).astype(np.float32), names=None)
    bands = "".join(
        f'''<VRTRasterBand dataType="{kind}" band="{i + 1}"><Description>{name}</Description>
        <SimpleSource><SourceFilename>{path}</SourceFilename><SourceBand>{i % 5 + 1}</SourceBand>
        </SimpleSource></VRTRasterBand>'''
        for i, name in enumerate(BANDS)
        for kind, path in [("UInt16", whole) if i < 5 else ("Float32", real)]
    )
    place = f"{WEST}, 10, 0, {NORTH}, 0, -10"
    (tmp_path / "20210405.vrt").write_text(
        f'''<VRTDataset rasterXSize="{SIZE}" rasterYSize="{SIZE}"><SRS>EPSG:{EPSG}</SRS>
        <GeoTransform>{place}</GeoTransform>{bands}</VRTDataset>'''
    )
    found = build(tmp_path, pattern="*.vrt")
    np.testing.assert_array_equal(found.reflectance.values[0], values)


def test_a_mask_for_each_band_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "20210405.tif", image(2), nodata=None)
    masks = np.full((10, SIZE, SIZE), 255, np.uint8)
    with rasterio.open(
        f"{path}.msk", "w", driver="GTiff", dtype="uint8", count=10, width=SIZE, height=SIZE
    ) as file:
        file.write(masks)
        file.update_tags(**{f"INTERNAL_MASK_FLAGS_{band}": 0 for band in range(1, 11)})
    with rasterio.open(path) as file:
        assert file.mask_flag_enums[0] == []
    with pytest.raises(SitsError, match=r"20210405\.tif has a mask of its own for each band"):
        build(tmp_path)


def test_missing_is_what_the_file_or_the_config_calls_so(tmp_path: Path) -> None:
    values = image(4).astype(np.int16)
    values[:, 0, 0], values[:, 0, 1] = -9999, 0
    write(tmp_path / "20210405.tif", values, nodata=-9999)
    for nodata, missing in ((None, [True, False]), (0, [True, True]), (-9999, [True, False])):
        given = {} if nodata is None else {"nodata": nodata}
        found = build(tmp_path, **given).reflectance.values[0, :, 0, :2] == cube.MISSING
        np.testing.assert_array_equal(found, np.broadcast_to(missing, found.shape))


def test_an_offset_by_date_reads_a_season_across_a_change(tmp_path: Path) -> None:
    values = [image(i) for i in range(4)]
    days = ("20211105", "20220124", "20220125", "20220310")
    for day, pixels in zip(days, values, strict=True):
        write(tmp_path / f"S2_{day}.tif", pixels + np.uint16(1000 if day >= "20220125" else 0))
    dataset = build(tmp_path, **WINTER, offset=SPLIT)
    np.testing.assert_array_equal(dataset.reflectance, values)
    with pytest.raises(
        SitsError, match=r"from 0\.0\d\d to 0\.1\d\d at 2022-01-25.*offset: \[\{bef"
    ):
        build(tmp_path, **WINTER)
    with pytest.raises(SitsError, match=r"no part of it is for 2022-01-25"):
        build(tmp_path, **WINTER, offset=SPLIT[:1])


def test_the_baseline_in_a_product_name_says_whether_the_offset_is_for_it(tmp_path: Path) -> None:
    values = [image(0), image(1)]
    write(tmp_path / "S2A_MSIL2A_20211105T105031_N0301_R051_T31UES.tif", values[0])
    later = "S2A_MSIL2A_20220310T105031_N0400_R051_T31UES.tif"
    write(tmp_path / later, values[1] + np.uint16(1000))
    np.testing.assert_array_equal(build(tmp_path, **WINTER, offset=-0.1).reflectance, values)


def store(path: Path, attrs: dict[str, dict[str, Any]], dtype: str = "uint16", add: float = 0):
    """A cube with a variable a band; attributes by variable."""
    raw = image(5).astype("float64") + add
    data = {
        name: (
            ("time", "y", "x"),
            raw[None, i].astype(dtype),
            attrs.get(name, attrs.get("all", {})),
        )
        for i, name in enumerate(BANDS)
    }
    coords = {"time": np.array(["2021-05-05"], "datetime64[ns]"), "y": TILE.y, "x": TILE.x}
    xr.Dataset(data, coords).rio.write_crs(EPSG).to_netcdf(path, engine="h5netcdf")
    return path


def test_each_variable_of_a_cube_has_its_own_packing(tmp_path: Path) -> None:
    attrs: dict[str, dict[str, Any]] = {"all": {"scale_factor": 1e-4}}
    attrs["B03"] = {"scale_factor": 2e-4, "add_offset": -0.01}
    attrs["B04"] = {"scale_factor": 1e-4, "valid_range": np.array([0, 900], np.uint16)}
    attrs["B05"] = {"scale_factor": 1.0, "add_offset": 0.0}
    attrs["B06"] = {"add_offset": 300.0}
    attrs["B07"] = {"missing_value": image(5)[5, 1, 1]}
    found = build(store(tmp_path / "cube.nc", attrs)).reflectance.values[0]
    raw = image(5).astype(int)
    np.testing.assert_array_equal(found[0], raw[0])
    np.testing.assert_array_equal(found[1], 2 * raw[1] - 100)
    np.testing.assert_array_equal(found[2], np.where(raw[2] <= 900, raw[2], cube.MISSING))
    np.testing.assert_array_equal(found[3], raw[3])
    np.testing.assert_array_equal(found[4], raw[4] + 300)
    assert found[5, 1, 1] == cube.MISSING


def test_unsigned_values_in_signed_integers() -> None:
    tags = of_attributes({"_FillValue": np.int16(-1)}, np.dtype("u2"))
    assert tags.missing == (65535.0,)
    assert of_attributes({"valid_min": 0.0, "scale_factor": 0.5}, np.dtype("i2")).low == 0
    assert of_attributes({"valid_max": 1.0, "scale_factor": 1e-4}, np.dtype("i2")).high == 1e4


@pytest.mark.parametrize(
    ("tags", "given", "scale", "offset"),
    [
        (Tags(), {}, 1e-4, 0.0),
        (Tags(1e-4, -0.1), {}, 1e-4, -0.1),
        (Tags(1e-4, -0.1), {"scale": 2e-4}, 2e-4, -0.1),
        (Tags(1e-4, -0.1), {"offset": 0.0}, 1e-4, 0.0),
        (Tags(None, 500.0), {}, 1e-4, 0.05),
        (Tags(None, 500.0), {"scale": 1e-3}, 1e-3, 0.5),
        (Tags(2.0, None), {"scale": 1.0}, 1.0, 0.0),
    ],
)
def test_what_the_config_gives_goes_before_the_file(
    tags: Tags, given: dict[str, Any], scale: float, offset: float
) -> None:
    day = np.datetime64("2021-05-05").item()
    found = packing(tags, Rasters(path="x", **given), SENTINEL2, day, "a.tif", "here")
    assert (found.scale, found.offset) == pytest.approx((scale, offset))


@pytest.mark.parametrize(
    ("scale", "options", "message"),
    [
        (1e-4, {}, r"every reflectance is 0 .*scale: 1\.0"),
        (1e-3, {}, r"0 to 0\.0001, so the scale is wrong.*scale: 1\.0"),
        (100.0, {}, r"above 1\.6 .*rasters\.scale"),
        (1e-2, {"scale": 1e-4}, r"scale is 0\.0001"),
        (1.0, {"offset": -0.1}, r"harmonised already.*offset"),
    ],
)
def test_values_that_cannot_be_reflectances_are_refused(
    tmp_path: Path, scale: float, options: dict[str, Any], message: str
) -> None:
    values = (image(6) * scale).astype(np.float32)
    if "offset" in options:
        values[:5] *= 0.5  # dark in the visible, as vegetation is
    write(tmp_path / "20210405.tif", values, nodata=None)
    with pytest.raises(SitsError, match=message):
        build(tmp_path, **options)


@pytest.mark.parametrize("odd", [4])
@pytest.mark.parametrize("scale", [None, 1.0])
def test_one_image_in_another_unit_is_found_among_many(
    tmp_path: Path, odd: int, scale: float | None
) -> None:
    """Eight dates are looked at, and of each kind of numbers two."""
    for day in range(1, 21):
        values = image(day) if (day == odd) == (scale == 1.0) else image(day) * np.float32(1e-4)
        write(tmp_path / f"202104{day:02}.tif", values, nodata=None)
    with pytest.raises(SitsError, match=rf"of 2021-04-{odd:02} reach .* in two units; write them"):
        build(tmp_path, **({} if scale is None else {"scale": scale}))


def test_bright_and_dark_ground_passes_with_a_word_at_most(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    values = image(7)
    values[6:] = 0  # water: dark in the infrared
    write(tmp_path / "20210405.tif", values, nodata=65535)
    values[:] = 12000  # a cloud
    write(tmp_path / "20210505.tif", values, nodata=65535)
    with caplog.at_level(logging.WARNING):
        build(tmp_path)
    assert "are 0 or less" in caplog.text and "above" not in caplog.text
