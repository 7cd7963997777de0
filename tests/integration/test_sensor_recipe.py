"""The recipe "A sensor" of docs/extending.md, carried out: one module."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from affine import Affine

import recipes
from raster_files import write

EPSG, WEST, NORTH, SIZE = 32631, 501_360, 5_629_680, 24


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package with the sensor in it."""
    package = recipes.copy(tmp_path)
    (module,) = recipes.blocks("A sensor")
    (package / "sensors" / "meadow.py").write_text(module)
    return package


@pytest.fixture
def images(tmp_path: Path) -> np.ndarray:
    """Stacks of three dates, in thousandths, with a band of bits; (time, band, y, x)."""
    folder = tmp_path / "images"
    folder.mkdir()
    there = Affine(20, 0, WEST, 0, -20, NORTH)
    values = np.random.default_rng(3).integers(50, 400, (3, 6, SIZE, SIZE)).astype(np.uint16)
    flags = np.zeros((1, SIZE, SIZE), np.uint16)
    flags[0, 0, :4] = (1, 2, 4, 6)
    names = ["blue", "b2", "red", "Red edge", "nir", "B06", "Quality"]
    for day, image in zip(("20210405", "20210610", "20210715"), values, strict=True):
        write(folder / f"{day}.tif", np.concatenate([image, flags]), transform=there, names=names)
    codes = np.ones((1, SIZE, SIZE), np.uint8)
    codes[0, :, SIZE // 2 :] = 2
    write(tmp_path / "crop.tif", codes, transform=there, names=None)
    (tmp_path / "legend.csv").write_text("code,name,colour\n1,a,#ff0000\n2,b,#00ff00\n")
    return values


def config(folder: Path, **changes: object) -> Path:
    label = {"path": str(folder / "crop.tif"), "legend": str(folder / "legend.csv")}
    area = {
        "source": "rasters",
        "sensor": "meadow",
        "bounds": [3.0195, 50.8145, 3.0260, 50.8185],
        "start": "2021-03-01",
        "end": "2021-10-31",
        "tiles": {"size": SIZE, "count": 1},
        "rasters": {
            "path": str(folder / "images"),
            "clouds": {"by": "bits"},
            "labels": {"crop": label},
        },
    }
    values = {
        "areas": {"farm": {**area, **changes}},
        "sets": {"land": {"areas": ["farm"], "label": "crop", "split": {"block": 100}}},
        "patches": {"size": 3, "min_dates": 2, "max_length": 3},
        "pretrain": {"set": "land"},
        "fewshot": {"set": "land"},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def command(package: Path, *words: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    return subprocess.run(
        [sys.executable, "-m", "sitsformer", *map(str, words)],
        cwd=package.parents[1], env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_cube_and_samples_of_the_sensor(package: Path, images, tmp_path: Path) -> None:
    path, out, store = config(tmp_path), tmp_path / "cube.zarr", tmp_path / "tile.zarr"
    name = f"{EPSG}_{WEST}_{NORTH}"
    done = command(package, "cube", "--config", path, "farm", name, out)
    assert done.returncode == 0, done.stderr
    with xr.open_zarr(out, mask_and_scale=False) as found:
        assert found.attrs["sensor"] == "meadow"
        assert found.band.values.tolist() == ["B01", "B02", "B03", "B04", "B05", "B06"]
        np.testing.assert_array_equal(found.reflectance, images * 10)
        assert found.clear.values[0, 0, :5].tolist() == [0, 100, 0, 0, 100]
        assert np.unique(np.diff(found.x)) == 20
    done = command(package, "patches", "--config", path, "land", "farm", name, out, store)
    assert done.returncode == 0, done.stderr
    with xr.open_zarr(store, mask_and_scale=False) as found:
        assert found.attrs["sensor"] == "meadow" and found.sizes["band"] == 6
        assert "Meadow" in found.attrs["title"]
    done = command(package, "picture", out, tmp_path / "tile.png")
    assert done.returncode == 0, done.stderr


def test_the_config_knows_the_sensor(package: Path, images, tmp_path: Path) -> None:
    done = command(package, "config", "check", config(tmp_path))
    assert done.returncode == 0, done.stderr
    done = command(package, "config", "check", config(tmp_path, sensor="meadows"))
    assert done.returncode == 3 and "did you mean 'meadow'?" in done.stderr
    done = command(package, "config", "check", config(tmp_path, tiles={"size": 25}))
    assert done.returncode == 3 and "25 pixels of 20 m must be a multiple of 3" in done.stderr


def test_a_record_that_contradicts_itself_is_named(package: Path, tmp_path: Path) -> None:
    module = package / "sensors" / "meadow.py"
    module.write_text(module.read_text().replace('"nir"', '"lwir"'))
    done = command(package, "config", "check", config(tmp_path))
    assert done.returncode == 3 and "Traceback" not in done.stderr
    assert "sensor 'meadow': no band is called nir" in done.stderr
