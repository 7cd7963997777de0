"""Cubes, tile stores and sets of areas with several tiles."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import xarray as xr

from cubes import make_cube, tiles
from sitsformer import cube
from sitsformer.config import Config
from sitsformer.patches import make_tile_store
from sitsformer.patches.merge import merge
from sitsformer.samples.trace import trace

WORLD = {"max_length": 16, "clear_share": 0.5, "min_dates": 2}
"""Tiles of more than one chunk of 1,024 samples."""


def trace_ok(store: Path, index: int, root: Path, cube_path: Path) -> bool:
    """Trace a sample with its cube put where the default layout has it."""
    source = cube.open_cube(cube_path)
    place = root / "cubes" / source.attrs["area"] / f"{source.attrs['tile']}.zarr"
    if not place.exists():
        shutil.copytree(cube_path, place)
    return trace(store, index, root / "cubes").differences == ()


def build(root: Path, config: Config) -> dict:
    """Make everything from cubes to the set; what was made, by name."""
    stores = []
    for area in config.sets["land"].areas:
        for number, tile in enumerate(tiles(config, area)):
            path = root / "cubes" / area / f"{tile.name}.zarr"
            if not path.exists():
                make_cube(path, tile, seed=number, dates=12)
            out = root / "patches" / "land" / area / f"{tile.name}.zarr"
            make_tile_store(config, "land", area, tile.name, path, out)
            stores.append(out)
    out = root / "patches" / "land.zarr"
    manifest = merge(config, "land", out, stores)
    return {"root": root, "config": config, "stores": stores, "set": out, "manifest": manifest}


def places(dataset: xr.Dataset) -> list[tuple]:
    return list(zip(dataset.x.values.tolist(), dataset.y.values.tolist(), strict=True))


def sitsformer(*arguments: str, status: int = 0) -> str:
    """Run the real command; its output, with its message when it is to fail."""
    run = subprocess.run(
        [sys.executable, "-m", "sitsformer", *arguments], capture_output=True, text=True
    )
    assert run.returncode == status, run.stderr
    assert "Traceback" not in run.stderr
    return run.stdout if status == 0 else run.stdout + run.stderr
