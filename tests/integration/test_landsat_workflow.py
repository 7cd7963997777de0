"""The whole workflow on a Landsat-like series of 30 m, made of the embedded landscape."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from rasterio.merge import merge
from workflow import planned, run, tiny

import sitsformer
from landsat_world import coarse, landscape, write_scenes
from sitsformer import cube
from sitsformer.config import parse
from sitsformer.errors import SitsError
from sitsformer.paths import Paths
from sitsformer.samples import open_samples
from sitsformer.stored import SCALE

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("warmed")]

PLACES = {
    "north": ([-93.600, 42.000, -93.572, 42.010], 2020, ["worldcover"], 1),
    "south": ([-94.900, 43.100, -94.872, 43.110], 2021, ["worldcover", "cdl"], 2),
}
"""Area -> bounds, year, label layers, tiles."""


def settings(folder: Path) -> dict[str, Any]:
    """The tiny config with areas of Landsat."""
    values = tiny(
        sets__landcover__split__block=300,
        sets__crops__split={"by": "block", "block": 240, "fractions": [0.5, 0.2, 0.3]},
        pretrain__objectives=["dual"],
        fewshot__shots=[5],
    )
    for name, (bounds, year, layers, count) in PLACES.items():
        values["areas"][name] = {
            "source": "rasters",
            "sensor": "landsat",
            "bounds": bounds,
            "start": f"{year}-03-01",
            "end": f"{year}-10-31",
            "tiles": {"size": 60, "count": count},
            "labels": layers,
            "rasters": {
                "path": str(folder / name),
                "pattern": "*.TIF",
                "clouds": {"by": "bits"},
                "labels": {
                    layer: {"path": str(folder / f"{name}_{layer}.tif"), "legend": layer}
                    for layer in layers
                },
            },
        }
    return values


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("landsat")
    values = settings(folder)
    config = parse(values)
    for name, area in config.areas.items():
        write_scenes(folder / name, area, Paths(config).tiles(name), name)
        for layer in area.labels:
            merge(
                sorted(folder.glob(f"{name}_{layer}_*.tif")),
                dst_path=folder / f"{name}_{layer}.tif",
            )
    result = run(folder, values)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder, values


def test_cubes_hold_what_the_scenes_were_packed_from(finished) -> None:
    folder, values = finished
    config = parse(values)
    tile = Paths(config).tiles("south")[1]
    assert (tile.pixel, tile.west % 60, tile.side) == (30, 15, 1800)
    found = cube.open_cube(folder / Paths(config).cube("south", tile.name))
    assert found.attrs["sensor"] == "landsat"
    assert found.band.values.tolist() == ["BLUE", "GREEN", "RED", "NIR", "SWIR1", "SWIR2"]
    assert found.wavelength.values.tolist() == [482, 561, 655, 865, 1609, 2201]
    below = landscape("south", config.areas["south"], tile)
    reflectance, cloud = coarse(below)
    seen = np.isfinite(reflectance)
    stored = found.reflectance.values.astype(np.float64)
    # Half a step of the packing, and half of one of the cube.
    assert np.abs(stored * SCALE - reflectance)[seen].max() <= 2.75e-5 / 2 + SCALE / 2 + 1e-9
    assert (stored[~seen] == cube.MISSING).all()
    whole = seen.all(1)
    np.testing.assert_array_equal(found.clear.values[whole] == 0, cloud[whole])
    np.testing.assert_array_equal(found.cdl.values, below.cdl.values[1::3, 1::3])


def test_samples_models_and_maps_are_of_landsat(finished) -> None:
    folder, values = finished
    paths = Paths(parse(values))
    samples = open_samples(folder / paths.samples("crops"))
    assert samples.attrs["sensor"] == "landsat" and samples.sizes["band"] == 6
    assert (samples.x.values % 30 == 0).all()  # centres of pixels
    model = sitsformer.load_model(folder / paths.map_model())
    assert model.sensor == "landsat" and model.architecture.bands == 6
    with rasterio.open(folder / paths.area_map("south", "classes")) as file:
        assert file.res == (30, 30) and (file.read(1) > 0).any()
        pixels = (file.read(1) > 0).sum()
    areas = pd.read_csv(folder / paths.area_map("south", "areas"))
    assert areas.mapped_ha.iloc[-1] == pytest.approx(pixels * 0.09)


def test_learners_know_crops_and_the_report_says_whose_images_they_are(finished) -> None:
    folder, values = finished
    table = pd.read_csv(folder / "results" / "tables" / "fewshot.csv")
    assert set(table.shots) == {5} and len(table) == 3 * 2
    chance = 1 / len(open_samples(folder / "results/patches/crops.zarr").label.attrs["flag_names"])
    best = table[table.method == "nearest_centroid"].overall_accuracy.mean()
    assert best > chance
    page = (folder / "results" / "report.html").read_text()
    assert "Landsat" in page and len(page) > 100_000
    assert planned(folder, values) == {}


def test_a_model_of_landsat_is_refused_by_tiles_of_sentinel_2(finished, tmp_path: Path) -> None:
    folder, values = finished
    config = parse(values)
    model = folder / Paths(config).map_model()
    below = landscape("south", config.areas["south"], Paths(config).tiles("south")[0])
    other = tmp_path / "cube.zarr"
    cube.write(below.isel(time=slice(0, 3)), other, config={})
    from sitsformer.embed import embed_tile

    with pytest.raises(SitsError, match=r"reads images of Landsat.*these are of Sentinel-2"):
        embed_tile(model, other, tmp_path / "out.zarr")
    assert xr.open_zarr(other).sizes["band"] == 10
