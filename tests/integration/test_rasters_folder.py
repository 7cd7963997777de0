"""A folder of rasters through the command line: the same cube comes back, mistakes in a line."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
import yaml

from sitsformer import cube
from sitsformer.config import Area, Synthetic
from sitsformer.grid import Tile, tiles
from sitsformer.imagery.synthetic.source import SyntheticSource
from sitsformer.sensors import BANDS

pytestmark = pytest.mark.usefixtures("warmed")

BOUNDS = (-94.001, 43.0, -93.999, 43.002)
SEASON = {"start": date(2021, 5, 1), "end": date(2021, 9, 1)}


def config(folder: Path, **rasters: object) -> Path:
    """A whole config around one `rasters` area."""
    sample_set = {"areas": ["farm"], "label": "parcels"}
    values = {
        "areas": {
            "farm": {
                "source": "rasters",
                "bounds": list(BOUNDS),
                **SEASON,
                "labels": ["parcels"],
                "tiles": {"size": 48},
                "rasters": {
                    "path": str(folder),
                    "clouds": {"by": "mask", "band": "clear", "mask_clear": [1]},
                    "labels": {"parcels": {"path": str(folder / "labels.tif"), "legend": "cdl"}},
                    **rasters,
                },
            }
        },
        "sets": {"one": sample_set},
        "pretrain": {"set": "one"},
        "fewshot": {"set": "one"},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture(scope="module")
def truth() -> tuple[Tile, xr.Dataset]:
    area = Area(
        source="synthetic",
        bounds=BOUNDS,
        labels=("worldcover", "cdl"),
        tiles={"size": 48},
        **SEASON,
    )
    tile = tiles("farm", area)[0]
    return tile, SyntheticSource(Synthetic()).cube("farm", area, tile)


@pytest.fixture
def folder(truth: tuple[Tile, xr.Dataset], tmp_path: Path) -> Path:
    """The cube as files: ten bands and a mask an acquisition, and a label raster."""
    tile, dataset = truth
    profile = {
        "driver": "GTiff",
        "height": tile.size,
        "width": tile.size,
        "crs": f"EPSG:{tile.epsg}",
        "transform": tile.transform,
        "nodata": 0,
    }
    for image, score, time in zip(
        dataset.reflectance.values, dataset.clear.values, dataset.time.values, strict=True
    ):
        stamp = str(time)[:19].replace("-", "").replace(":", "")
        with rasterio.open(
            tmp_path / f"S2_{stamp}.tif", "w", dtype="uint16", count=11, **profile
        ) as file:
            file.descriptions = (
                *BANDS,
                "clear",
            )  # first, so that the header is whole before pixels
            # 1 clear, 2 cloudy: 0 would mean no data.
            file.write(np.concatenate([image, np.where(score >= 60, 1, 2)[None]]))
    with rasterio.open(tmp_path / "labels.tif", "w", dtype="uint8", count=1, **profile) as file:
        file.write(dataset.cdl.values, 1)
    return tmp_path


def run(path: Path, tile: Tile, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sitsformer", "cube", "--config", str(path)]
    return subprocess.run(
        [*command, "farm", tile.name, str(out)], capture_output=True, text=True, check=False
    )


def test_a_cube_survives_the_way_through_files(
    truth: tuple[Tile, xr.Dataset], folder: Path
) -> None:
    tile, dataset = truth
    done = run(config(folder), tile, folder / "cube.zarr")
    assert done.returncode == 0, done.stderr
    found = cube.open_cube(folder / "cube.zarr")
    np.testing.assert_array_equal(found.reflectance, dataset.reflectance)
    np.testing.assert_array_equal(found.parcels, dataset.cdl)
    np.testing.assert_array_equal(found.clear, np.where(dataset.clear.values >= 60, 100, 0))
    np.testing.assert_array_equal(found.time, dataset.time)


def test_a_file_that_breaks_off_is_one_line_and_leaves_nothing(
    truth: tuple[Tile, xr.Dataset], folder: Path
) -> None:
    tile, dataset = truth
    broken = sorted(folder.glob("S2_*.tif"))[3]
    broken.write_bytes(broken.read_bytes()[:20_000])  # the header is whole, the pixels are not
    done = run(config(folder), tile, folder / "cube.zarr")
    assert done.returncode == 3
    message = done.stderr.strip().splitlines()[-1]
    assert "error:" in message and broken.name in message and "on_broken: skip" in message
    assert "Traceback" not in done.stderr
    assert not [path for path in folder.iterdir() if "cube" in path.name]

    done = run(config(folder, on_broken="skip"), tile, folder / "cube.zarr")
    assert done.returncode == 0
    assert f"{broken.name} cannot be read and is skipped" in done.stderr
    found = cube.open_cube(folder / "cube.zarr")
    assert (found.reflectance[3] == cube.MISSING).all()
    np.testing.assert_array_equal(found.reflectance[4:], dataset.reflectance[4:])
