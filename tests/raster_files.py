"""Raster files of a small tile, and the cubes made of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rioxarray  # noqa: F401  (registers `rio`)
import xarray as xr
from affine import Affine

from sitsformer import cube
from sitsformer.config import Area
from sitsformer.grid import Tile
from sitsformer.imagery.rasters.source import RasterSource
from sitsformer.sensors import BANDS

EPSG, WEST, NORTH, SIZE = 32631, 501_360, 5_629_680, 12

TILE = Tile("farm", f"{EPSG}_{WEST}_{NORTH}", EPSG, WEST, NORTH, SIZE)

ON_GRID = Affine(10, 0, WEST, 0, -10, NORTH)

DAYS = ("20210405", "20210610", "20210715")


def image(seed: int, size: int = SIZE, bands: int = len(BANDS)) -> np.ndarray:
    """Clear-looking values: dark blue, bright infrared, and none that means missing."""
    return np.random.default_rng(seed).integers(500, 1500, (bands, size, size), dtype=np.uint16)


def write(
    path: Path,
    values: np.ndarray,
    *,
    transform: Affine = ON_GRID,
    crs: str | None = f"EPSG:{EPSG}",
    names: Sequence[str] | None = BANDS,
    nodata: float | None = 0,
) -> Path:
    profile = {
        "driver": "GTiff",
        "dtype": values.dtype,
        "count": len(values),
        "height": values.shape[1],
        "width": values.shape[2],
        "transform": transform,
        "crs": crs,
        "nodata": nodata,
    }
    with rasterio.open(path, "w", **profile) as file:
        for band, name in enumerate(names or (), start=1):
            file.set_band_description(band, name)
        file.write(values)  # last, so that the header stands first in the file
    return path


def area(path: Path | str, start: str = "2021-03-01", end: str = "2021-10-31", **rasters: Any):
    labels = tuple(rasters.get("labels", ()))
    return Area.model_validate(
        {
            "source": "rasters",
            "bounds": (3.0194, 50.8132, 3.0283, 50.8187),
            "start": start,
            "end": end,
            "labels": labels,
            "rasters": {"path": str(path), **rasters},
        }
    )


def build(path: Path | str, tile: Tile = TILE, **options: Any) -> xr.Dataset:
    dataset = RasterSource().cube("farm", area(path, **options), tile)
    cube.validate(dataset, "the test's cube")
    return dataset.compute()


def dates(dataset: xr.Dataset) -> list[str]:
    return [str(time)[:19] for time in dataset.time.values]
