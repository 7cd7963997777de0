"""Models, features, surveys and converted tables of another sensor than Sentinel-2."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
from shapely.geometry import Point, box

import sitsformer
from sitsformer import finetune
from sitsformer.baselines.series import PixelSeries
from sitsformer.checks.foresight import model_problems
from sitsformer.classes import Classes
from sitsformer.config import Model, Survey, parse
from sitsformer.config.areas import Area
from sitsformer.convert.table import table
from sitsformer.embed import embed_samples
from sitsformer.errors import SitsError
from sitsformer.grid import tiles
from sitsformer.labelchecks import in_water
from sitsformer.model import Architecture, SITSFormer
from sitsformer.modelstore import Origin, save_model
from sitsformer.patches.leakage import leakage_table
from sitsformer.samples import About, Samples, load_samples, write_samples
from sitsformer.sampleseries import series_of
from sitsformer.sensors import SENTINEL2, Sensor, sensors
from sitsformer.surveys.placing import place
from sitsformer.surveys.reading import read

LANDSAT, HLS = sensors()["landsat"], sensors()["hls"]


def store(path: Path, sensor: Sensor) -> Path:
    """12 samples of 8 dates, vegetated: little red, much near infrared."""
    rng = np.random.default_rng(1)
    bands = sensor.names
    values = rng.integers(400, 900, (12, 8, len(bands), 3, 3)).astype(np.uint16)
    values[:, :, bands.index(sensor.called("nir")[0])] += 2500
    values[:, :, bands.index(sensor.called("swir16")[0])] += 1000
    classes = Classes(("a", "b"), ("#4477aa", "#ee6677"), ((1,), (2,)))
    about = About(
        "made", classes, "worldcover", ("a/t",), ("a",), (2021,), "block", 640.0, bands, sensor
    )
    place = np.arange(12) * 3 * sensor.pixel
    columns = {
        "doy": np.tile(np.arange(60, 300, 30), (12, 1)),
        "label": np.arange(12) % 2,
        "split": np.repeat([0, 1, 2], 4).astype(np.uint8),
        "block": np.arange(12),
        "x": 500_000.0 + place,
        "y": np.full(12, 5_000_000.0),
        "epsg": np.full(12, 32631),
        "lon": 3.0 + place / 111_000 / 0.7,
        "lat": np.full(12, 45.15),
    }
    write_samples(path, values, columns, about)
    return path


def model(path: Path, sensor: Sensor) -> Path:
    count = len(sensor.bands)
    shape = Architecture(
        bands=count, patch=3, hidden=16, layers=1, heads=2, classes=2, embedding="linear"
    )
    made = SITSFormer(
        shape, np.full(count, 0.1), np.full(count, 0.1), sensor.names, ("a", "b"), sensor.name
    )
    save_model(path, made, Origin("ssl"))
    return path


def test_a_model_says_whose_images_it_reads(tmp_path: Path) -> None:
    path = model(tmp_path / "landsat", LANDSAT)
    assert json.loads((path / "config.json").read_text())["sensor"] == "landsat"
    assert "patches of Landsat surface reflectance" in (path / "README.md").read_text()
    assert sitsformer.load_model(path, sensor="landsat").sensor == "landsat"
    with pytest.raises(SitsError, match=r"reads images of Landsat .* these are of Sentinel-2"):
        sitsformer.load_model(path, sensor="sentinel-2")
    # Models of Sentinel-2 say what they said before.
    other = model(tmp_path / "sentinel", SENTINEL2)
    assert "sensor" not in json.loads((other / "config.json").read_text())
    assert sitsformer.load_model(other, sensor="sentinel-2").sensor == "sentinel-2"


def test_samples_of_another_sensor_are_refused_with_one_error(tmp_path: Path) -> None:
    stores = {one.name: store(tmp_path / f"{one.name}.zarr", one) for one in (LANDSAT, HLS)}
    path = model(tmp_path / "model", LANDSAT)
    assert embed_samples(path, stores["landsat"], tmp_path / "out.zarr") == 12
    # The bands have the same names, and a model would take them without a word.
    message = r"reads images of Landsat \(BLUE, .*30 m\), and these are of Harmonized Landsat and"
    with pytest.raises(SitsError, match=message):
        embed_samples(path, stores["hls"], tmp_path / "other.zarr")
    assert not (tmp_path / "other.zarr").exists()
    samples = load_samples(stores["hls"])
    with pytest.raises(SitsError, match=message):
        series_of(samples, path)
    with pytest.raises(SitsError, match=message):
        finetune.start_network(samples, series_of(samples, None), path, 0, Model())


def test_a_network_that_is_tuned_is_of_the_sensor_of_its_samples(tmp_path: Path) -> None:
    samples = load_samples(store(tmp_path / "hls.zarr", HLS))
    small = Model(embedding="linear", hidden=16, layers=1, heads=2)
    found = finetune.start_network(samples, series_of(samples, None), None, 0, small)
    assert (found.sensor, found.bands) == ("hls", HLS.names)


def test_config_check_knows_models_of_another_sensor(tmp_path: Path) -> None:
    given = model(tmp_path / "model", LANDSAT)
    values = {
        "areas": {
            "here": {
                "source": "synthetic",
                "bounds": [8.60, 49.90, 8.63, 49.92],
                "start": "2021-03-01",
                "end": "2021-10-31",
            }
        },
        "maps": {"model": str(given), "tiles": {"here": 1}},
        "patches": {"size": 3},
    }
    found = list(model_problems(parse(values)))
    assert len(found) == 1 and found[0].endswith(
        "reads images of Landsat, and areas.here is of Sentinel-2: give a model that was trained "
        "on Sentinel-2"
    )


@pytest.mark.parametrize("sensor", [LANDSAT, HLS, SENTINEL2], ids=lambda one: one.name)
def test_indices_take_bands_by_what_they_are(sensor: Sensor, tmp_path: Path) -> None:
    samples = load_samples(store(tmp_path / "s.zarr", sensor))
    series = PixelSeries.of(samples)
    regular, found = series.regular("centre"), series.features("centre")
    red, near, short = (
        regular[..., sensor.names.index(name)] for name in sensor.called("red", "nir", "swir16")
    )
    wide, grid = regular[0].size, regular.shape[1]
    np.testing.assert_array_equal(found[:, wide : wide + grid], (near - red) / (near + red))
    assert found[:, -9] == pytest.approx(((near - short) / (near + short)).min(1))
    assert not in_water(samples).any()
    green, near_at = (sensor.names.index(name) for name in sensor.called("green", "nir"))
    wet = samples.reflectance.copy()
    wet[3, :, [green, near_at]] = [[[[900]]], [[[200]]]]
    assert in_water(Samples(**{**vars(samples), "reflectance": wet})).nonzero()[0].tolist() == [3]


def test_patches_that_touch_do_not_overlap_whatever_the_pixel(tmp_path: Path) -> None:
    # Centres three pixels apart: patches of three pixels share an edge and no pixel.
    for sensor in (LANDSAT, SENTINEL2):
        path = store(tmp_path / f"{sensor.name}.zarr", sensor)
        rows = [row.row() for row in leakage_table(path)]
        assert [row["overlapping"] for row in rows] == [0, 0, 0]
        assert rows[0]["nearest"] == pytest.approx(3 * sensor.pixel, rel=0.02)


def test_points_and_polygons_fall_into_the_pixels_of_the_sensor(tmp_path: Path) -> None:
    area = Area.model_validate(
        {
            "source": "rasters",
            "sensor": "landsat",
            "bounds": [-94.900, 43.100, -94.880, 43.110],
            "start": "2021-03-01",
            "end": "2021-10-31",
            "tiles": {"size": 20},
            "rasters": {"path": "x"},
        }
    )
    of_area = tiles("county", area)
    tile = of_area[1]
    assert tile.west % 60 == tile.north % 60 == 15
    shapes = [Point(tile.west + 30 * c + 1, tile.north - 30 * r - 29) for c, r in ((0, 0), (4, 7))]
    frame = geopandas.GeoDataFrame({"crop": ["a", "b"]}, geometry=shapes, crs=tile.epsg)
    frame.to_file(tmp_path / "points.gpkg")
    survey = Survey(kind="points", path=str(tmp_path / "points.gpkg"), column="crop", min_samples=1)
    found = place(read("survey", survey), area, of_area, tile, size=1, block=None)
    assert np.argwhere(found.feature).tolist() == [[0, 0], [7, 4]]
    # A field of 150 x 120 m: its pixels, and those that are 30 m from its border.
    field = box(tile.west + 60, tile.north - 210, tile.west + 210, tile.north - 90)
    frame = geopandas.GeoDataFrame({"crop": ["a"]}, geometry=[field], crs=tile.epsg)
    frame.to_file(tmp_path / "fields.gpkg")
    options = {"kind": "polygons", "path": str(tmp_path / "fields.gpkg"), "column": "crop"}
    # Without a word, a pixel of the sensor.
    for erode, rows, columns in (({"erode": 0}, (3, 7), (2, 7)), ({}, (4, 6), (3, 6))):
        survey = Survey(**options, **erode)
        found = place(read("survey", survey), area, of_area, tile, size=1, block=None)
        there = np.zeros((20, 20), bool)
        there[slice(*rows), slice(*columns)] = True
        np.testing.assert_array_equal(found.feature > 0, there)


def test_a_table_of_another_sensor(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "x": rng.integers(300, 4000, (40, 6, 6)).astype(np.uint16),
        "label": rng.integers(0, 2, 40),
        "lon": rng.uniform(-121, -118, 40),
        "lat": rng.uniform(36, 39, 40),
        "dates": np.array([f"2021-0{m}-11" for m in range(1, 7)]),
        "bands": np.array(["swir22", "SWIR1", "nir", "red", "green", "blue"]),
    }
    np.savez(tmp_path / "t.npz", **arrays)
    table(tmp_path / "t.npz", tmp_path / "t.zarr", sensor="landsat")
    samples = load_samples(tmp_path / "t.zarr")
    assert samples.sensor is LANDSAT and samples.bands == LANDSAT.names
    np.testing.assert_array_equal(samples.reflectance[0, 0, ::-1, 0, 0], arrays["x"][0, 0])
    with pytest.raises(SitsError, match="is none of Sentinel-2's"):
        np.savez(tmp_path / "t.npz", **{**arrays, "bands": np.array(list("abcdef"))})
        table(tmp_path / "t.npz", tmp_path / "u.zarr")
    np.savez(tmp_path / "t.npz", **{**arrays, "x": arrays["x"] + 8000})
    with pytest.raises(SitsError, match=r"only with their offset \(x 2.75e-05 -0.2\)"):
        table(tmp_path / "t.npz", tmp_path / "u.zarr", sensor="landsat", scale=2.75e-5)
    with pytest.raises(SitsError, match="unknown sensor 'spot'"):
        table(tmp_path / "t.npz", tmp_path / "u.zarr", sensor="spot")
