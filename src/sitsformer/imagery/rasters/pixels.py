"""From any grid to the tile's: each pixel takes the value of the pixel its centre lies in.

That is nearest neighbour, by GDAL: values are never mixed, and a file that is on the tile's grid
already comes through bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.errors import SitsError
from sitsformer.grid import Tile

if TYPE_CHECKING:
    from pyproj import Transformer
    from rasterio.io import DatasetReader
    from rasterio.vrt import WarpedVRT


BLOCK = 504
"""Side of the blocks that are read at once, pixels: 5 MB an acquisition; a multiple of the cube's
chunks of 126."""

TOLERANCE = 1e-3
"""Error of the places where pixels are looked for, in pixels of the file. With GDAL's own default,
an eighth, up to one pixel in 28 takes its neighbour's value; with this, less than one in 1,000,
whose centre lies within a thousandth of a pixel of the edge."""


@dataclass(frozen=True)
class Block:
    """A part of a tile: UTM zone, upper left corner, rows and columns, side of a pixel (metres)."""

    epsg: int
    west: int
    north: int
    rows: int
    columns: int
    pixel: int


def blocks_of(tile: Tile) -> list[list[Block]]:
    """Rows of blocks that make up a tile."""
    starts = range(0, tile.size, BLOCK)
    return [
        [
            Block(
                tile.epsg,
                tile.west + tile.pixel * left,
                tile.north - tile.pixel * top,
                min(BLOCK, tile.size - top),
                min(BLOCK, tile.size - left),
                tile.pixel,
            )
            for left in starts
        ]
        for top in starts
    ]


@dataclass(frozen=True)
class View:
    """An open raster on the grid of a block.

    Attributes:
        warped: its bands under their numbers, and after them whether the raster reaches a pixel and
            its mask, where it has one, does not hide it.
        alpha: number of its alpha band; None without.
    """

    warped: WarpedVRT
    alpha: int | None

    def read(self, bands: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read some bands.

        An alpha band hides pixels, unless it is read for its values, whatever its tag says.

        Returns:
            Values (band, y, x) in the file's dtype (int8 as int16), and (y, x) whether they are the
            file's.
        """
        # Band by band: those of a VRT over files of several kinds differ in dtype.
        values = np.stack([self.warped.read(band) for band in bands])
        seen: NDArray[np.bool_] = self.warped.read(self.warped.count) != 0
        if self.alpha is not None and self.alpha not in bands:
            seen &= self.warped.read(self.alpha) != 0
        return values, seen


@contextmanager
def on_grid(dataset: DatasetReader, block: Block) -> Iterator[View]:
    """An open raster as if it were on the grid of a block.

    Raises:
        SitsError: as `check` does.
    """
    from affine import Affine
    from rasterio.enums import ColorInterp, Resampling
    from rasterio.vrt import WarpedVRT

    check(dataset)
    kinds = dataset.colorinterp
    alpha = kinds.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in kinds else None
    with (
        _untagged(dataset, alpha is not None) as source,
        WarpedVRT(
            source,
            crs=f"EPSG:{block.epsg}",
            transform=Affine(block.pixel, 0, block.west, 0, -block.pixel, block.north),
            width=block.columns,
            height=block.rows,
            resampling=Resampling.nearest,
            tolerance=TOLERANCE,
            src_nodata=None,  # what means missing is told apart later: the config has a say in it
            add_alpha=True,
        ) as warped,
    ):
        yield View(warped, alpha)


@contextmanager
def _untagged(dataset: DatasetReader, tagged: bool) -> Iterator[DatasetReader]:
    """The raster without the tag of an alpha band, which GDAL would weigh and scale values by."""
    import rasterio
    from rasterio.enums import ColorInterp
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy

    if not tagged:
        yield dataset
        return
    with MemoryFile(ext=".vrt") as memory, rasterio.Env(GDAL_PAM_ENABLED="NO"):
        copy(dataset, memory.name, driver="VRT")
        with rasterio.open(memory.name, "r+") as plain:
            plain.colorinterp = [ColorInterp.undefined] * plain.count
        with rasterio.open(memory.name) as plain:
            yield plain


@lru_cache(maxsize=64)
def centres_in(block: Block, crs: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eastings and northings (y, x) of the pixel centres of a block in a coordinate system (WKT).

    Returns:
        In the units of the system; inf where undefined.

    Raises:
        SitsError: as `_leading_to` does.
    """
    from pyproj import CRS

    x = block.west + block.pixel * (np.arange(block.columns) + 0.5)
    y = block.north - block.pixel * (np.arange(block.rows) + 0.5)
    east, north = np.meshgrid(x, y)
    target = CRS.from_user_input(crs)
    if target == CRS.from_epsg(block.epsg) or target.to_epsg() == block.epsg:
        return east, north
    there = _leading_to(crs, block.epsg).transform(east, north)
    return np.asarray(there[0]), np.asarray(there[1])


@lru_cache(maxsize=64)
def _leading_to(crs: str, epsg: int) -> Transformer:
    """The transformation to a coordinate system (WKT) from another.

    Raises:
        SitsError: there is none: the system is a local one, or of another planet.
    """
    from pyproj import CRS, Transformer
    from pyproj.exceptions import ProjError

    target = CRS.from_user_input(crs)
    try:
        return Transformer.from_crs(epsg, target, always_xy=True)
    except ProjError:
        raise SitsError(
            f"nothing leads from EPSG:{epsg} to the coordinate reference system {target.name!r} "
            f"({target.type_name}); write the one that the file is in (gdal_edit.py -a_srs, or "
            "rioxarray's `rio.write_crs`)"
        ) from None


@lru_cache(maxsize=64)
def _reaches(block: Block, crs: str, transform: tuple[float, ...], height: int, width: int) -> bool:
    from affine import Affine

    x, y = centres_in(block, crs)
    column, row = ~Affine(*transform) @ (x, y)
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return bool(inside.any())


def overlaps(dataset: DatasetReader, block: Block) -> bool:
    """Whether a raster reaches any pixel of a block.

    Raises:
        SitsError: as `check` does.
    """
    check(dataset)
    transform = tuple(dataset.transform)[:6]
    return _reaches(block, crs_of(dataset), transform, dataset.height, dataset.width)


def check(dataset: DatasetReader) -> None:
    """Look at what reading needs.

    Raises:
        SitsError: the raster has no coordinate system or one that nothing leads to, or a mask of
            its own for each band.
    """
    wkt = crs_of(dataset)
    try:
        _leading_to(wkt, 4326)
    except SitsError as error:
        raise SitsError(f"{Path(dataset.name).name}: {error}") from None
    if [] in dataset.mask_flag_enums:  # GDAL's warping would pass over them
        raise SitsError(
            f"{Path(dataset.name).name} has a mask of its own for each band; write one for all of "
            "them (gdal_translate -mask 1), or missing pixels as a nodata value"
        )


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
