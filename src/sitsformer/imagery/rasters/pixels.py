"""From any grid to the tile's: each pixel takes the value of the pixel its centre lies in.

That is nearest neighbour, computed exactly rather than by GDAL's approximation: values are never
mixed, and a file that is on the tile's grid already comes through bit by bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.sensors import PIXEL

if TYPE_CHECKING:
    from rasterio.io import DatasetReader


BLOCK = 504
"""Side of the blocks that are read at once, pixels: 5 MB an acquisition; a multiple of the cube's
chunks of 126."""


@dataclass(frozen=True)
class Block:
    """A part of a tile: UTM zone, upper left corner (metres), rows and columns of 10 m pixels."""

    epsg: int
    west: int
    north: int
    rows: int
    columns: int


def blocks_of(tile: Tile) -> list[list[Block]]:
    """Rows of blocks that make up a tile."""
    starts = range(0, tile.size, BLOCK)
    return [
        [
            Block(
                tile.epsg,
                tile.west + PIXEL * left,
                tile.north - PIXEL * top,
                min(BLOCK, tile.size - top),
                min(BLOCK, tile.size - left),
            )
            for left in starts
        ]
        for top in starts
    ]


def centres(block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eastings and northings (y, x) of the pixel centres of a block, metres."""
    x = block.west + PIXEL * (np.arange(block.columns) + 0.5)
    y = block.north - PIXEL * (np.arange(block.rows) + 0.5)
    east, north = np.meshgrid(x, y)
    return east, north


@lru_cache(maxsize=64)
def centres_in(block: Block, crs: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixel centres (y, x) of a block in another coordinate system (WKT); inf where undefined."""
    from pyproj import CRS, Transformer
    from pyproj.exceptions import ProjError

    x, y = centres(block)
    target = CRS.from_user_input(crs)
    if target == CRS.from_epsg(block.epsg) or target.to_epsg() == block.epsg:
        return x, y
    try:
        there = Transformer.from_crs(block.epsg, target, always_xy=True).transform(x, y)
    except ProjError as error:
        raise SitsError(
            f"the coordinate reference system {target.name!r} is no place on Earth "
            f"({str(error).rstrip('.')}); set the one that the coordinates are in"
        ) from None
    return np.asarray(there[0]), np.asarray(there[1])


@lru_cache(maxsize=64)
def locate(
    block: Block, crs: str, transform: tuple[float, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column (y, x) of a raster in which each pixel centre of a block lies.

    Args:
        block: of the tile.
        crs: the raster's coordinate system, WKT.
        transform: its affine transform, six numbers a to f.

    Returns:
        Indices that may lie outside the raster; -1 where the position is undefined.
    """
    from affine import Affine

    x, y = centres_in(block, crs)
    back = ~Affine(*transform)
    column, row = back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f
    defined = np.isfinite(column) & np.isfinite(row)
    return tuple(
        np.where(defined, np.floor(np.where(defined, axis, 0)), -1).astype(np.int64)
        for axis in (row, column)
    )  # type: ignore[return-value]


def read(
    dataset: DatasetReader, bands: tuple[int, ...], block: Block
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Read bands of an open raster at the pixels of a block.

    Returns:
        Values (band, y, x) in the file's dtype, and (band, y, x) whether the raster reaches there
        and its mask or alpha band, where it has one, does not hide the pixel.
    """
    from rasterio.windows import Window

    row, column = locate(block, crs_of(dataset), tuple(dataset.transform)[:6])
    inside = (row >= 0) & (row < dataset.height) & (column >= 0) & (column < dataset.width)
    dtype = np.result_type(*(dataset.dtypes[band - 1] for band in bands))
    values = np.zeros((len(bands), block.rows, block.columns), dtype)
    seen = np.broadcast_to(inside, values.shape).copy()
    if not inside.any():
        return values, seen
    top, left = int(row[inside].min()), int(column[inside].min())
    height, width = int(row[inside].max()) - top + 1, int(column[inside].max()) - left + 1
    window = Window(left, top, width, height)
    here = row[inside] - top, column[inside] - left
    if len({dataset.dtypes[band - 1] for band in bands}) == 1:
        values[:, inside] = dataset.read(list(bands), window=window)[:, *here]
    else:  # a VRT over files of several kinds
        for position, band in enumerate(bands):
            values[position, inside] = dataset.read(band, window=window)[here]
    alpha = _alpha(dataset)
    if alpha is not None and alpha not in bands:
        seen[:, inside] &= dataset.read(alpha, window=window)[here] != 0
    for position, band in enumerate(bands):
        if _has_mask(dataset, band):
            seen[position, inside] &= dataset.read_masks(band, window=window)[here] != 0
    return values, seen


def _has_mask(dataset: DatasetReader, band: int) -> bool:
    """Whether a band has a mask, in the file or in a `.msk` beside it."""
    from rasterio.enums import MaskFlags

    others = {MaskFlags.all_valid, MaskFlags.nodata, MaskFlags.alpha}
    return not others & set(dataset.mask_flag_enums[band - 1])


def _alpha(dataset: DatasetReader) -> int | None:
    """The alpha band, counted from 1 (GDAL takes it for a mask in files of two or four bands only).

    Where it is read for its values it is none, whatever its tag says.
    """
    from rasterio.enums import ColorInterp

    kinds = dataset.colorinterp
    return kinds.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in kinds else None


def overlaps(dataset: DatasetReader, block: Block) -> bool:
    """Whether a raster reaches any pixel of a block."""
    row, column = locate(block, crs_of(dataset), tuple(dataset.transform)[:6])
    inside = (row >= 0) & (row < dataset.height) & (column >= 0) & (column < dataset.width)
    return bool(inside.any())


def check_place(dataset: DatasetReader, where: str) -> None:
    """Refuse a raster that nothing puts on a map: it would be taken to lie elsewhere.

    Raises:
        SitsError: it has no grid on the ground, or no coordinate system.
    """
    name = Path(dataset.name).name
    if dataset.gcps[0] and dataset.transform.is_identity:
        raise SitsError(
            f"{where}: {name} is placed by ground control points, not by a grid; put it on one "
            "first (gdalwarp)"
        )
    if dataset.transform.is_identity:
        raise SitsError(
            f"{where}: nothing in {name} says where it lies (no geotransform); give it its place "
            "(gdal_edit.py -a_ullr), or export it again"
        )
    crs_of(dataset)


def crs_of(dataset: DatasetReader) -> str:
    """Coordinate system of a raster as WKT.

    Raises:
        SitsError: it has none.
    """
    if dataset.crs is None:
        raise SitsError(
            f"{Path(dataset.name).name} has no coordinate reference system; "
            "set one (gdal_edit.py -a_srs)"
        )
    wkt: str = dataset.crs.to_wkt()
    return wkt
