"""Landsat and HLS as users have them: files of their products, and what does not go together."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml
from affine import Affine

from raster_files import write
from sitsformer import cube
from sitsformer.config import Area, ConfigError, parse
from sitsformer.errors import SitsError
from sitsformer.grid import Tile, tiles
from sitsformer.imagery.rasters.bands import refuse_other_product
from sitsformer.imagery.rasters.source import RasterSource
from sitsformer.sensors import SENTINEL2, recorded, sensors

EPSG, WEST, NORTH, SIZE = 32631, 501_360, 5_629_680, 4
BOUNDS = (3.0194, 50.8132, 3.0283, 50.8187)
NAMES = ("BLUE", "GREEN", "RED", "NIR", "SWIR1", "SWIR2")


def tile(corner: int = 0) -> Tile:
    return Tile("farm", "here", EPSG, WEST + corner, NORTH + corner, SIZE, 30)


def area(path: Path, sensor: str, **rasters: Any) -> Area:
    return Area.model_validate(
        {
            "source": "rasters",
            "sensor": sensor,
            "bounds": BOUNDS,
            "start": "2010-03-01",
            "end": "2011-10-31",
            "rasters": {"path": str(path), **rasters},
        }
    )


def build(path: Path, sensor: str, corner: int = 0, **rasters: Any) -> xr.Dataset:
    dataset = RasterSource().cube("farm", area(path, sensor, **rasters), tile(corner))
    return dataset.compute()


def scene(folder: Path, name: str, bands: dict[str, int], corner: int = 0, **others: Any) -> None:
    """A file for each band, filled with a number of its own, and a file of bits."""
    place = Affine(30, 0, WEST + corner, 0, -30, NORTH + corner)
    settings = {"transform": place, "names": None, "nodata": None, **others}
    for band, value in bands.items():
        values = np.full((1, SIZE, SIZE), value, np.uint16)
        write(folder / name.format(band), values, **settings)


def test_landsat_5_and_8_give_one_series_by_their_own_numbers_of_bands(tmp_path: Path) -> None:
    # Values of USGS's guide: 7273 is a reflectance of 0.0000075, 43636 of 0.99999.
    oli = dict(zip((f"SR_B{i}" for i in range(2, 8)), range(8000, 14000, 1000), strict=True))
    tm = dict(zip((f"SR_B{i}" for i in (1, 2, 3, 4, 5, 7)), range(8100, 14100, 1000), strict=True))
    clear, cloud, shadow, snow = 1 << 6, 1 << 3, 1 << 4, (1 << 6) | (1 << 5)
    extra = {"QA_PIXEL": clear, "ST_B10": 1, "SR_QA_AEROSOL": 3}
    scene(tmp_path, "LC08_L2SP_198025_20100405_20100412_02_T1_{}.TIF", {**oli, **extra}, 15)
    scene(tmp_path, "LT05_L2SP_198025_20100610_20200823_02_T1_{}.TIF", {**tm, **extra}, 15)
    flags = np.array([[clear, cloud, shadow, snow]] * SIZE, np.uint16)[None]
    place = Affine(30, 0, WEST + 15, 0, -30, NORTH + 15)
    name = "LT05_L2SP_198025_20100610_20200823_02_T1_QA_PIXEL.TIF"
    write(tmp_path / name, flags, transform=place, names=None, nodata=1)
    found = build(tmp_path, "landsat", 15, pattern="*.TIF", clouds={"by": "bits"})
    assert found.band.values.tolist() == list(NAMES)
    for number, bands in enumerate((oli, tm)):
        expected = [round((value * 2.75e-5 - 0.2) / 1e-4) for value in bands.values()]
        assert found.reflectance.values[number, :, 0, 0].tolist() == expected
    assert (found.clear[0] == 100).all()
    assert found.clear.values[1, 0].tolist() == [100, 0, 0, 100]
    assert found.title.startswith("Landsat surface reflectance")
    assert recorded(found.attrs) is sensors()["landsat"]


def test_a_number_means_what_the_product_of_hls_says(tmp_path: Path) -> None:
    l30 = {"B02": 500, "B03": 600, "B04": 700, "B05": 3000, "B06": 2000, "B07": 1000}
    s30 = {**{"B02": 510, "B03": 610, "B04": 710, "B05": 1500}, "B06": 2500, "B07": 2600}
    s30 |= {"B08": 2900, "B8A": 3010, "B11": 2010, "B12": 1010}
    water, cloud = 1 << 5, (1 << 1) | (1 << 5)
    scene(tmp_path, "HLS.L30.T31UES.2010095T103021.v2.0.{}.tif", {**l30, "Fmask": water})
    scene(tmp_path, "HLS.S30.T31UES.2010097T105031.v2.0.{}.tif", {**s30, "Fmask": cloud})
    found = build(tmp_path, "hls", clouds={"by": "bits"})
    assert found.reflectance.values[0, :, 0, 0].tolist() == [500, 600, 700, 3000, 2000, 1000]
    assert found.reflectance.values[1, :, 0, 0].tolist() == [510, 610, 710, 3010, 2010, 1010]
    assert [int(score.min()) for score in found.clear] == [100, 0]
    assert str(found.time.values[0])[:19] == "2010-04-05T10:30:21"
    # -9999 of signed files is missing without a word.
    gap = np.full((1, SIZE, SIZE), -9999, np.int16)
    there = Affine(30, 0, WEST, 0, -30, NORTH)
    name = tmp_path / "HLS.L30.T31UES.2010095T103021.v2.0.B05.tif"
    write(name, gap, transform=there, names=None, nodata=None)
    found = build(tmp_path, "hls", clouds={"by": "bits"})
    assert (found.reflectance.values[0, 3] == cube.MISSING).all() and (found.clear[0] == 255).all()


def test_stacks_are_read_by_names_or_by_the_bands_of_the_config(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(500, 1500, (6, SIZE, SIZE)).astype(np.uint16)
    there = Affine(30, 0, WEST, 0, -30, NORTH)
    names = ("swir22", "swir16", "nir08", "red", "green", "blue")
    write(tmp_path / "20100405.tif", values, transform=there, names=names)
    np.testing.assert_array_equal(build(tmp_path, "hls").reflectance[0], values[::-1])
    write(tmp_path / "20100405.tif", values, transform=there, names=None)
    found = build(tmp_path, "hls", bands=list(names))
    np.testing.assert_array_equal(found.reflectance[0], values[::-1])
    # A number alone tells nothing of HLS, and is the number of Landsat 8 for Landsat.
    numbers = [f"B{i}" for i in range(2, 8)]
    write(tmp_path / "20100405.tif", values, transform=there, names=numbers)
    with pytest.raises(SitsError, match=r"lacks BLUE, .*; its bands are B02, B03.*`bands`"):
        build(tmp_path, "hls")
    there = Affine(30, 0, WEST + 15, 0, -30, NORTH + 15)
    write(tmp_path / "20100405.tif", values, transform=there, names=numbers)
    found = build(tmp_path, "landsat", 15, scale=1e-4)
    np.testing.assert_array_equal(found.reflectance[0], values)


@pytest.mark.parametrize("form", ["stack", "cube"])
def test_bits_of_which_none_is_set_are_clear_where_0_means_missing(form, tmp_path: Path) -> None:
    values = np.full((7, SIZE, SIZE), 900, np.uint16)
    values[6] = 0
    values[6, 0, 0], values[:6, 0, 1] = 1 << 1, 0
    there = Affine(30, 0, WEST, 0, -30, NORTH)
    names = ("blue", "green", "red", "nir08", "swir16", "swir22", "Fmask")
    path = write(tmp_path / "20100405.tif", values, transform=there, names=names, nodata=0)
    if form == "cube":
        dims = ("time", "y", "x")
        x, y = WEST + 15 + 30 * np.arange(SIZE), NORTH - 15 - 30 * np.arange(SIZE)
        own = {n: (dims, v[None], {"_FillValue": 0}) for n, v in zip(names, values, strict=True)}
        dataset = xr.Dataset(own, {"time": [np.datetime64("2010-04-05", "ns")], "y": y, "x": x})
        path = tmp_path / "series.nc"
        dataset.assign_attrs(crs=f"EPSG:{EPSG}").to_netcdf(path)
    found = build(path if form == "cube" else tmp_path, "hls", clouds={"by": "bits"})
    assert found.clear.values[0, 0].tolist() == [0, 255, 100, 100]
    assert (found.clear[0, 1:] == 100).all()


def test_another_sensors_files_are_known(tmp_path: Path) -> None:
    ten = ["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"]
    values = np.full((10, SIZE, SIZE), 900, np.uint16)
    write(tmp_path / "20100405.tif", values, names=ten)
    with pytest.raises(SitsError, match=r"bands of Sentinel-2, not of .*`sensor: sentinel-2`"):
        build(tmp_path, "hls")
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    bands = {f"SR_B{i}": 9000 for i in range(1, 8)}
    scene(scenes, "LC08_L2SP_198025_20100405_20100412_02_T1_{}.TIF", bands)
    for sensor in ("sentinel-2", "hls"):
        chosen = area(scenes, sensor, pattern="*.TIF")
        said = "is named as a product of Landsat, and"
        with pytest.raises(SitsError, match=rf"{said}.*`sensor: landsat`"):
            RasterSource().cube("farm", chosen, tile())


def test_files_of_hls_are_not_read_as_landsats(tmp_path: Path) -> None:
    """Their numbers, scale and bits differ, and both have all six bands under some number."""
    s30 = {f"B{i:02}": 900 for i in range(2, 8)}
    scene(tmp_path, "HLS.S30.T31UES.2010097T105031.v2.0.{}.tif", s30)
    pattern = r"HLS\..30\.\w+\.(?P<date>\d{7})T\d+\.v2\.0\.(?P<band>\w+)"
    for settings in ({}, {"date_pattern": pattern}):
        with pytest.raises(SitsError, match=r"Harmonized Landsat and Sentinel-2.*`sensor: hls`"):
            build(tmp_path, "landsat", **settings)
    stack = np.full((6, SIZE, SIZE), 900, np.uint16)
    (tmp_path / "stacks").mkdir()
    there = Affine(30, 0, WEST + 15, 0, -30, NORTH + 15)
    name = tmp_path / "stacks" / "HLS.L30.T31UES.2010095T103021.v2.0.tif"
    write(name, stack, transform=there, names=NAMES)
    with pytest.raises(SitsError, match=r"`sensor: landsat`; set `sensor: hls` there"):
        build(tmp_path / "stacks", "landsat", 15, scale=1e-4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("LC08_L1TP_198025_20100405_20100412_02_T1_{}.TIF", "of level 1: .*order .* level 2"),
        ("LT05_L1GS_198025_20100405_20100412_02_T2_{}.TIF", "of level 1: .*order .* level 2"),
        ("LC09_L2SP_198025_20100405_20100405_02_RT_{}.TIF", "of the tier RT .* of tier 1 or 2"),
    ],
)
@pytest.mark.parametrize("sensor", ["landsat", "sentinel-2"])
def test_files_of_landsat_that_are_no_product_of_it_say_what_to_get(
    sensor: str, name: str, message: str, tmp_path: Path
) -> None:
    """Their numbers of bands are the same, and so are the values of level 1 read as of level 2."""
    scene(tmp_path, name, {f"B{i}": 9000 for i in range(2, 8)}, 15)
    with pytest.raises(SitsError, match=rf"is named as a Landsat product {message}"):
        build(tmp_path, sensor, 15, pattern="*.TIF")


def test_surface_reflectance_of_collection_1_is_read(tmp_path: Path) -> None:
    bands = {f"sr_band{i}": 1000 + i for i in range(2, 8)}
    scene(tmp_path, "LC08_L1TP_198025_20100405_20100412_01_T1_{}.tif", bands, 15)
    found = build(tmp_path, "landsat", 15, scale=1e-4)
    assert found.reflectance.values[0, :, 0, 0].tolist() == list(range(1002, 1008))


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "zip"])
def test_archives_are_to_be_unpacked(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"LC08_L2SP_198025_20100405_20100412_02_T1.{ending}"
    path.write_bytes(b"packed")
    with pytest.raises(SitsError, match=rf"holds archives \(LC08\S+{ending}\).*unpack each into"):
        build(tmp_path, "landsat", 15, pattern="**/*.TIF")
    with pytest.raises(SitsError, match=r"is an archive, .*unpack it into a folder"):
        build(path, "landsat", 15)


@pytest.mark.parametrize("kind", ["tenthousandth", "floats"])
def test_values_without_a_scale_that_are_not_the_products_are_refused(kind, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(300, 3500, (6, SIZE, SIZE)).astype(np.uint16)
    there = Affine(30, 0, WEST + 15, 0, -30, NORTH + 15)
    scaled = (values / 10_000).astype(np.float32) if kind == "floats" else values
    write(tmp_path / "20100405.tif", scaled, transform=there, names=NAMES)
    with pytest.raises(SitsError, match=r"0 or less.*rasters\.scale"):
        build(tmp_path, "landsat", 15)
    scale = 1.0 if kind == "floats" else 0.0001
    found = build(tmp_path, "landsat", 15, scale=scale)
    np.testing.assert_array_equal(found.reflectance[0], values)


def test_no_baseline_of_sentinel_2_is_looked_for(tmp_path: Path) -> None:
    # A dark surface that steps by 0.1 at the day of baseline 04.00 would be refused there.
    there = Affine(30, 0, WEST, 0, -30, NORTH)
    rng = np.random.default_rng(0)
    for day, base in (("20211220", 100), ("20220220", 1100)):
        values = rng.integers(base, base + 900, (6, SIZE, SIZE)).astype(np.uint16)
        write(tmp_path / f"{day}.tif", values, transform=there, names=NAMES)
    season = {"start": date(2021, 11, 1), "end": date(2022, 4, 1)}
    chosen = area(tmp_path, "hls").model_copy(update=season)
    found = RasterSource().cube("farm", chosen, tile()).compute()
    assert found.reflectance.values.max() > 1100


@pytest.mark.parametrize(("sensor", "corner", "pixel"), [("landsat", 15, 30), ("hls", 0, 30)])
def test_tiles_lie_on_the_grid_of_the_products(sensor, corner, pixel, tmp_path: Path) -> None:
    chosen = area(tmp_path, sensor, labels={}).model_copy(update={})
    for one in tiles("farm", chosen):
        assert (one.west % 60, one.north % 60, one.pixel) == (corner, corner, pixel)
        assert one.bounds[2] - one.bounds[0] == one.side == 126 * 30
        assert (np.diff(one.x) == 30).all() and one.x[0] == one.west + 15


def config(path: Path, **changes: Any) -> dict[str, Any]:
    here = {
        "source": "rasters",
        "sensor": "landsat",
        "bounds": list(BOUNDS),
        "start": "2021-03-01",
        "end": "2021-10-31",
        "labels": ["crop"],
        "rasters": {
            "path": str(path),
            "labels": {"crop": {"path": str(path / "crop.tif"), "legend": "cdl"}},
        },
    }
    values: dict[str, Any] = {
        "areas": {"a": here, "b": {**here}},
        "sets": {name: {"areas": [name], "label": "crop"} for name in ("a", "b")},
        "pretrain": {"set": "a"},
        "fewshot": {"set": "b"},
        "maps": {"tiles": {"b": 1}},
    }
    for key, value in changes.items():
        *parents, last = key.split("__")
        section = values
        for parent in parents:
            section[parent] = {**section[parent]}
            section = section[parent]
        section[last] = value
    return values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"areas__a__sensor": "landsatt"}, r"areas\.a\.sensor: unknown sensor.*did you mean"),
        ({"areas__a__tiles": {"size": 7}}, r"areas\.a\.tiles\.size: 7 pixels of 30 m"),
        (
            {"areas__a__rasters__clouds": {"by": "scl", "band": "SCL"}},
            r"areas\.a\.rasters\.clouds\.by: Landsat has no scene classification.*QA_PIXEL",
        ),
        (
            {"areas__a__rasters__bands": ["B02", "B03", "B04", "B8A", "B11", "B12"]},
            r"areas\.a\.rasters\.bands: Landsat has no B8A, B11, B12, and NIR, SWIR1, SWIR2",
        ),
        (
            {
                **{"areas__a__source": "synthetic", "areas__a__labels": ["cdl"]},
                "areas__a__rasters": None,
            },
            r"areas\.a\.sensor: `source: synthetic` brings sentinel-2, not 'landsat'",
        ),
        (
            {"areas__b__sensor": "hls"},
            r"pretrain\.set: images of one sensor are wanted; pretrain\.set is of Landsat",
        ),
        ({"sets__a__areas": ["a", "b"], "areas__b__sensor": "hls"}, r"sets\.a\.areas: images of"),
        (
            {"areas__b__sensor": "hls", "fewshot__set": "a"},
            r"maps\.tiles\.b: its images are of Harmonized.*fewshot\.set is of Landsat",
        ),
    ],
)  # fmt: skip
def test_what_the_config_refuses(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(config(tmp_path, **change))


def test_the_config_of_the_page_can_be_used() -> None:
    page = (Path(__file__).parents[2] / "docs/sensors.md").read_text()
    (text,) = re.findall(r"```yaml\n(areas:.*?)```", page, re.DOTALL)
    values = {"sets": {"land": {"areas": ["farm_2009"], "label": "crops"}}, **yaml.safe_load(text)}
    parse({**values, "pretrain": {"set": "land"}, "fewshot": {"set": "land"}})


def test_what_the_config_takes(tmp_path: Path) -> None:
    bands = ["blue", "green", "red", "nir", "swir16", "swir22", "SCL"]
    parse(config(tmp_path, areas__a__rasters__bands=bands, areas__a__tiles={"size": 8}))
    own = {"by": "bits", "band": "QAI", "bits": [1, 2]}
    here = {**config(tmp_path)["areas"]["a"], "sensor": "sentinel-2"}
    here["rasters"] = {**here["rasters"], "clouds": own}
    parse(config(tmp_path, areas={"a": here, "b": here}))
    with pytest.raises(ConfigError, match="products of Sentinel-2 have no band of bits"):
        here["rasters"] = {**here["rasters"], "clouds": {"by": "bits"}}
        parse(config(tmp_path, areas={"a": here, "b": here}))


def test_s30_may_be_read_as_sentinel_2_whose_bands_it_has() -> None:
    folder = Path("images")
    name = "HLS.S30.T31UES.2021123T105031.v2.0.tif"
    refuse_other_product(folder / name, folder, SENTINEL2, "here")
    with pytest.raises(SitsError, match="`sensor: hls`"):
        refuse_other_product(folder / name.replace("S30", "L30"), folder, SENTINEL2, "here")
