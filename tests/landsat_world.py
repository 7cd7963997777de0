"""A Landsat-like series of the embedded landscape: scenes of level 2, a file a band, at 30 m.

Each pixel is the mean of the nine pixels of 10 m below it, packed as USGS packs it. The landscape
is moved by 15 m, so that pixels begin where those of Landsat's products do.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from affine import Affine

from sitsformer.config import Area, Synthetic
from sitsformer.grid import Tile
from sitsformer.imagery.synthetic.source import SyntheticSource
from sitsformer.stored import MISSING, SCALE

OF_SENTINEL_2 = {"B02": 2, "B03": 3, "B04": 4, "B8A": 5, "B11": 6, "B12": 7}
"""Bands of Sentinel-2 that stand for those of OLI, and their numbers."""

CLOUD, CLEAR = 1 << 3, 1 << 6
"""Bits of QA_PIXEL."""


def landscape(area_name: str, area: Area, tile: Tile) -> xr.Dataset:
    """The cube of 10 m below a tile of 30 m, 15 m away."""
    other = Area.model_validate(
        {
            "source": "synthetic",
            "bounds": area.bounds,
            "start": area.start,
            "end": area.end,
            "labels": area.labels,
        }
    )
    below = Tile(area_name, "below", tile.epsg, tile.west - 15, tile.north - 15, 3 * tile.size)
    source = SyntheticSource(Synthetic(revisit=8, cloudiness=0.3, label_error=0.0))
    return source.cube(area_name, other, below).compute()


def coarse(cube: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance (time, band, y, x) of 30 m, NaN where a part was not seen, and cloud."""
    own = cube.sel(band=list(OF_SENTINEL_2)).reflectance.values.astype(np.float64)
    own[own == MISSING] = np.nan
    count, bands, size, _ = own.shape
    parts = own.reshape(count, bands, size // 3, 3, size // 3, 3) * SCALE
    clear = cube.clear.values.reshape(count, size // 3, 3, size // 3, 3)
    return parts.mean((3, 5)), clear.min((2, 4)) < 60


def write_scenes(folder: Path, area: Area, tiles: Iterable[Tile], area_name: str = "here") -> None:
    """Files of all dates and tiles of an area, and label rasters beside the folder."""
    folder.mkdir(parents=True)
    for number, tile in enumerate(tiles):
        cube = landscape(area_name, area, tile)
        reflectance, cloud = coarse(cube)
        packed = np.where(np.isnan(reflectance), 0, np.rint((reflectance + 0.2) / 2.75e-5))
        flags = np.where(cloud, CLOUD, CLEAR)
        flags[np.isnan(reflectance).any(1)] = 1
        for date, day in enumerate(cube.time.dt.strftime("%Y%m%d").values):
            scene = f"LC08_L2SP_0{26 + number}030_{day}_20220101_02_T1"
            for name, at in zip(OF_SENTINEL_2, range(6), strict=True):
                path = folder / f"{scene}_SR_B{OF_SENTINEL_2[name]}.TIF"
                _write(path, packed[date, at].astype(np.uint16), tile)
            _write(folder / f"{scene}_QA_PIXEL.TIF", flags[date].astype(np.uint16), tile)
            # Other files of the scene, which are no bands of reflectance.
            _write(folder / f"{scene}_ST_B10.TIF", flags[date].astype(np.uint16), tile)
            _write(folder / f"{scene}_QA_RADSAT.TIF", flags[date].astype(np.uint16), tile)
        for layer in area.labels:
            codes = cube[layer].values[1::3, 1::3]
            _write(folder.parent / f"{folder.name}_{layer}_{number}.tif", codes, tile)


def _write(path: Path, values: np.ndarray, tile: Tile) -> None:
    with rasterio.open(
        path, "w", driver="GTiff", dtype=values.dtype, count=1, height=tile.size, width=tile.size,
        crs=f"EPSG:{tile.epsg}", transform=Affine(30, 0, tile.west, 0, -30, tile.north), nodata=0,
    ) as file:  # fmt: skip
        file.write(values, 1)
