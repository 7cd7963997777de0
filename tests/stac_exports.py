"""Exports of areas of the catalogues of stac_world, by the command."""

import subprocess
import sys
from pathlib import Path

import xarray as xr
import yaml

from sitsformer.grid import Tile
from stac_world import Catalogue, area


def add(catalogue: Catalogue, truth: tuple[Tile, xr.Dataset], i: int, **more: object) -> str:
    """Add one acquisition of the tile."""
    tile, dataset = truth
    stored, clear = dataset.reflectance.values[i], dataset.clear.values[i]
    return catalogue.add(stored, clear, dataset.time.values[i], tile, **more)


def written(folder: Path, url: str, **stac: object) -> Path:
    """A whole config around the area."""
    values = area(url, folder / "cache", **stac).model_dump(mode="json", exclude={"rasters"})
    path = folder / "config.yaml"
    sets = {"one": {"areas": ["farm"], "label": "own"}}
    survey = {"kind": "points", "path": str(folder / "points.csv"), "column": "crop"}
    config = {
        "areas": {"farm": values},
        "labels": {"own": survey},
        "sets": sets,
        "pretrain": {"set": "one"},
        "fewshot": {"set": "one"},
    }
    path.write_text(yaml.safe_dump(config))
    return path


def run(config: Path, tile: Tile, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sitsformer", "cube", "--config", str(config)]
    return subprocess.run(
        [*command, "farm", tile.name, str(out)], capture_output=True, text=True, check=False
    )


def refused(config: Path, tile: Tile, status: int) -> str:
    """The last line of an export that leaves nothing."""
    out = config.parent / "cube.zarr"
    done = run(config, tile, out)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in config.parent.iterdir() if "cube" in path.name]
    return done.stderr.strip().splitlines()[-1]
