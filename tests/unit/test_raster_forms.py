"""Names, dates, bands, cloud bands and label rasters in the forms that people have them."""

import logging
import re
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from raster_files import DAYS, ON_GRID, SIZE, area, build, dates, image, write
from sitsformer import cube
from sitsformer.config import Rasters
from sitsformer.errors import SitsError
from sitsformer.imagery.rasters.dates import stamp
from sitsformer.imagery.rasters.source import problems
from sitsformer.sensors import BANDS

DEFAULT = Rasters(path="x")


def told(name: str, **settings: str) -> str:
    own = Rasters(path="x", **settings)
    return str(stamp(name, re.compile(own.date_pattern), own.date_format, "here").moment)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("S2_2021-05-03.tif", "2021-05-03 00:00:00"),
        ("S2_2021_05_03_B02.tif", "2021-05-03 00:00:00"),
        ("HLS.S30.T31UES.2021045T105031.v2.0.tif", "2021-02-14 10:50:31"),
        ("doy2021045_aid0001.tif", "2021-02-14 00:00:00"),
        (
            "S2A_MSIL2A_20210503T105621_N0300_R094_T31UES_20210504T134512.tif",
            "2021-05-03 10:56:21",
        ),
        ("20210503105621.tif", "2021-05-03 10:56:21"),
        ("a_2021-05-03T10-56-21.tif", "2021-05-03 10:56:21"),
    ],
)
def test_dates_in_names(name: str, expected: str) -> None:
    assert told(name) == expected


def test_a_format_of_ones_own_and_digits_that_are_refused() -> None:
    assert told("x_030521.tif", date_pattern=r"_(?P<date>\d{6})", date_format="%d%m%y")[:10] == (
        "2021-05-03"
    )
    seven = r"(?P<date>\d{7})T(?P<time>\d{6})"
    assert told("x_2021114T105031", date_pattern=seven)[:10] == "2021-04-24"
    for name, settings in (
        ("x_2021400.tif", {}),  # no such day of the year
        ("x_2021114.tif", {"date_pattern": r"(?P<date>\d{7})", "date_format": "%Y%m%d"}),
        ("x_20211345.tif", {}),
    ):
        with pytest.raises(SitsError, match=r"no date in the file name"):
            told(name, **settings)
    with pytest.raises(SitsError, match="may be 2000-05-02 and 2021-05-03"):
        told("tile_2000123_20210503.tif")


@given(st.dates(date(1972, 1, 1), date(2100, 12, 31)))
def test_every_day_comes_back_from_every_form(day: date) -> None:
    pattern = re.compile(DEFAULT.date_pattern)
    for form in ("%Y%m%d", "%Y-%m-%d", "%Y%j", "%Y.%m.%d"):
        found = stamp(f"S2_{day.strftime(form)}_x.tif", pattern, None, "here")
        assert found.moment.date() == day


@pytest.mark.parametrize("date_pattern", [None, r"(?P<band>[^_]+)_(?P<date>\d{4}-\d\d-\d\d)\.tif"])
def test_one_band_a_file(tmp_path: Path, date_pattern: str | None) -> None:
    values = [image(1), image(2)]
    for day, pixels in zip(("2021-05-03", "2021-05-18"), values, strict=True):
        for band, layer in zip(BANDS, pixels, strict=True):
            name = band if date_pattern is None else band.replace("B0", "Band ")
            write(tmp_path / f"S2_31UES_{name}_{day}.tif", layer[None], names=None)
        write(tmp_path / f"S2_31UES_B01_{day}.tif", pixels[:1], names=None)
    options = {} if date_pattern is None else {"date_pattern": date_pattern}
    dataset = build(tmp_path, **options)
    np.testing.assert_array_equal(dataset.reflectance, values)
    for path in tmp_path.glob("*8A_2021-05-18.tif"):
        path.unlink()
    with pytest.raises(SitsError, match=r"the image of 2021-05-18 .* lacks B8A"):
        build(tmp_path, **options)


def test_bands_of_a_product_in_several_resolutions_and_a_cloud_band(tmp_path: Path) -> None:
    values = image(3)
    scl = np.full((1, SIZE // 2, SIZE // 2), 4, np.uint8)
    scl[0, 0] = 9
    coarse = ON_GRID @ ON_GRID.scale(2, 2)
    stem = "T31UES_20210503T105621"
    for band, layer in zip(BANDS, values, strict=True):
        write(tmp_path / f"{stem}_{band}_10m.tif", layer[None], names=None)
        blurred = layer[None, ::2, ::2] + np.uint16(1)
        write(tmp_path / f"{stem}_{band}_20m.tif", blurred, transform=coarse, names=None)
    write(tmp_path / f"{stem}_SCL_20m.tif", scl, transform=coarse, names=None)
    dataset = build(tmp_path, clouds={"by": "scl", "band": "SCL"})
    np.testing.assert_array_equal(dataset.reflectance[0], values)
    assert (dataset.clear.values[0, :2] == 0).all() and (dataset.clear.values[0, 2:] == 100).all()


def test_a_file_with_one_band_that_no_name_tells(tmp_path: Path) -> None:
    write(tmp_path / "20210405.tif", image(1)[:1], names=None)
    with pytest.raises(SitsError, match=r"one band, and its name does not say which.*\?P<band>"):
        build(tmp_path)


def test_two_bands_of_one_name_are_refused(tmp_path: Path) -> None:
    values = image(1, bands=11)
    write(tmp_path / "20210405.tif", values, names=[*BANDS[1:], "blue", "B2"])
    with pytest.raises(SitsError, match=r"blue, B2 of 20210405\.tif are all B02"):
        build(tmp_path)
    write(tmp_path / "20210405.tif", values, names=[*BANDS, "blue"])
    np.testing.assert_array_equal(build(tmp_path).reflectance[0], values[:10])


def clouded(folder: Path, band: np.ndarray) -> None:
    pixels = image(2).astype(np.result_type(np.uint16, band.dtype))
    write(folder / "20210405.tif", np.concatenate([pixels, band[None]]), names=[*BANDS, "QA"])


@pytest.mark.parametrize(
    ("clear", "cloudy", "way"),
    [
        (1, 0, {"by": "mask"}),
        (255, 0, {"by": "mask"}),
        (255, 128, {"by": "mask", "mask_clear": [255]}),
        (64, 66, {"by": "mask", "mask_clear": [64]}),
        (3, 96, {"by": "probability"}),
        (0.03, 0.96, {"by": "probability", "probability_max": 0.4}),
    ],
)
def test_cloud_bands_by_their_meaning(
    tmp_path: Path, clear: float, cloudy: float, way: dict[str, object]
) -> None:
    band = np.full((SIZE, SIZE), clear, np.float32 if clear < 1 else np.uint16)
    band[:4] = cloudy
    clouded(tmp_path, band)
    found = build(tmp_path, clouds={"band": "QA", **way}).clear.values[0]
    assert (found[:4] == 0).all() and (found[4:] == 100).all()


@pytest.mark.parametrize(
    ("values", "way", "message"),
    [
        ((64, 1024), {"by": "scl"}, "scl band 'QA' holds .*codes 0 to 11"),
        ((0.0004, 0.0009), {"by": "scl"}, r"holds 0\.000"),
        ((3, 96), {"by": "probability", "probability_max": 0.4}, "in the unit of the band"),
    ],
)
def test_cloud_bands_that_are_something_else(
    tmp_path: Path, values: tuple[float, float], way: dict[str, object], message: str
) -> None:
    dtype = np.float32 if 0 < values[0] < 1 else np.uint16
    clouded(tmp_path, np.where(np.arange(SIZE) % 2, *values)[None].repeat(SIZE, 0).astype(dtype))
    with pytest.raises(SitsError, match=message):
        build(tmp_path, clouds={"band": "QA", **way})


@pytest.mark.parametrize(("values", "clear"), [((3, 96), ()), ((1, 255), (1,)), ((1, 2), (1,))])
def test_strange_values_of_a_mask_are_cloudy_and_told_once(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    values: tuple[int, int],
    clear: tuple[int, ...],
) -> None:
    band = np.where(np.arange(SIZE) % 2, *values)[None].repeat(SIZE, 0).astype(np.uint16)
    clouded(tmp_path, band)
    with caplog.at_level(logging.WARNING):
        found = build(tmp_path, clouds={"by": "mask", "band": "QA"}).clear.values[0]
    np.testing.assert_array_equal(found == 100, np.isin(band, clear))
    told = [record.message for record in caplog.records if "mask band 'QA' holds" in record.message]
    assert len(told) == 1  # however many dates and blocks
    assert "mask_clear" in told[0] and "by: probability" in told[0]


def legend(folder: Path, *codes: int) -> str:
    rows = [f"{code},class {code},#0000{code % 256:02x}" for code in codes]
    (folder / "legend.csv").write_text("\n".join(["code,name,colour", *rows]))
    return str(folder / "legend.csv")


def test_zero_is_a_class_where_the_file_has_another_value_for_no_label(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "20210405.tif", image(1))
    codes = np.ones((1, SIZE, SIZE), np.uint8)
    codes[0, :, 6:], codes[0, :3] = 0, 255
    path = write(tmp_path / "mask.tiff", codes, names=None, nodata=255)
    label = {"path": str(path), "legend": legend(tmp_path, 0, 1)}
    layer = build(tmp_path, labels={"crop": label}).crop
    assert layer.attrs["no_label"] == 255
    np.testing.assert_array_equal(layer, codes[0])
    with caplog.at_level(logging.WARNING):
        untold = build(tmp_path, labels={"crop": {**label, "nodata": 0}}).crop
        assert "code 0" not in caplog.text
        write(path, np.minimum(codes, 1), names=None, nodata=None)
        build(tmp_path, labels={"crop": label})
    assert untold.attrs["no_label"] == 0
    assert "code 0 is in the legend, and means no label" in caplog.text


@pytest.mark.parametrize("dtype", ["float32", "int8", "int16", "int32", "float64"])
def test_codes_in_any_kind_of_number(tmp_path: Path, dtype: str) -> None:
    write(tmp_path / "20210405.tif", image(1))
    codes = np.random.default_rng(0).choice([-1, 3, 7], (1, SIZE, SIZE)).astype(dtype)
    path = write(tmp_path / "codes.tiff", codes, names=None, nodata=-1)
    label = {"path": str(path), "legend": legend(tmp_path, 3, 7)}
    layer = build(tmp_path, labels={"crop": label}).crop
    assert layer.dtype == np.uint8
    np.testing.assert_array_equal(layer, np.maximum(codes[0], 0))
    if dtype.startswith("float"):
        write(path, codes + 0.5, names=None, nodata=-1)
        with pytest.raises(SitsError, match=r"codes that the legend legend lacks: .*7\.5"):
            build(tmp_path, labels={"crop": label})


def test_codes_that_no_layer_holds_say_what_to_do(tmp_path: Path) -> None:
    write(tmp_path / "20210405.tif", image(1))
    codes = np.full((1, SIZE, SIZE), 330_106_040, np.int32)
    path = write(tmp_path / "codes.tiff", codes, names=None, nodata=-1)
    label = {"path": str(path), "legend": legend(tmp_path, 3, 7)}
    with pytest.raises(SitsError, match=r"lacks: 330106040; .*up to 65535: .* as a survey"):
        build(tmp_path, labels={"crop": label})


def test_polygons_are_no_label_raster(tmp_path: Path) -> None:
    import geopandas
    from shapely.geometry import box

    write(tmp_path / "20210405.tif", image(1))
    frame = geopandas.GeoDataFrame({"code": [1]}, geometry=[box(3, 50, 4, 51)], crs=4326)
    frame.to_file(tmp_path / "parcels.gpkg")
    label = {"path": str(tmp_path / "parcels.gpkg"), "legend": legend(tmp_path, 1)}
    with pytest.raises(SitsError, match=r"parcels\.gpkg holds polygons .*gdal_rasterize"):
        build(tmp_path, labels={"crop": label})
    found = problems("farm", area(tmp_path, labels={"crop": label}))
    assert len(found) == 1 and found[0].startswith("areas.farm.rasters.labels.crop.path: ")


def test_problems_are_known_before_a_pixel_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / f"{DAYS[0]}.tif", image(1))
    assert problems("farm", area(tmp_path)) == []
    assert "matches '*.jp2'" in problems("farm", area(tmp_path, pattern="*.jp2"))[0]
    assert "is a file; set `path` to its folder" in problems("farm", area(path))[0]
    path.write_bytes(b"no image")
    assert "cannot be read" in problems("farm", area(tmp_path))[0]
    (tmp_path / "cube.nc").write_bytes(b"no cube")
    assert "cannot be read as a NetCDF" in problems("farm", area(tmp_path / "cube.nc"))[0]


def test_dates_of_folders_count_where_names_have_none(tmp_path: Path) -> None:
    day = date(2021, 5, 3)
    for i in range(2):
        folder = tmp_path / f"S2_{day + timedelta(i)}"
        folder.mkdir()
        for band, layer in zip(BANDS, image(i), strict=True):
            write(folder / f"{band}.tif", layer[None], names=None)
    dataset = build(tmp_path, pattern="*/*.tif")
    assert [text[:10] for text in dates(dataset)] == ["2021-05-03", "2021-05-04"]
    np.testing.assert_array_equal(dataset.reflectance, [image(0), image(1)])


def test_a_broken_band_leaves_its_date_out(tmp_path: Path) -> None:
    for day in DAYS[:2]:
        for band, layer in zip(BANDS, image(1), strict=True):
            write(tmp_path / f"{day}_{band}.tif", layer[None], names=None)
    (tmp_path / f"{DAYS[0]}_B05.tif").write_bytes(b"")
    with pytest.raises(SitsError, match=r"B05\.tif cannot be read"):
        build(tmp_path)
    assert len(dates(build(tmp_path, on_broken="skip"))) == 1


def test_one_bit_and_palette_label_rasters(tmp_path: Path) -> None:
    write(tmp_path / "20210405.tif", image(1))
    codes = np.random.default_rng(1).integers(0, 2, (SIZE, SIZE), np.uint8)
    path = tmp_path / "bits.tiff"
    profile = {"driver": "GTiff", "width": SIZE, "height": SIZE, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, nbits=1, crs="EPSG:32631", transform=ON_GRID) as file:
        file.write(codes, 1)
    label = {"path": str(path), "legend": legend(tmp_path, 1)}
    np.testing.assert_array_equal(build(tmp_path, labels={"crop": label}).crop, codes)
    assert cube.label_layers(build(tmp_path, labels={"crop": label}))["crop"].no_label == 0
