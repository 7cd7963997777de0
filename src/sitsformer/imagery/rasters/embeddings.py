"""Embeddings of the user's own: a raster with a band for each axis, on any grid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sitsformer.embedded.store import Block, Head, Source
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.imagery.rasters import pixels

if TYPE_CHECKING:
    import numpy.typing as npt
    from rasterio.io import DatasetReader


def look(path: Path, where: str) -> Head:
    """Look at a raster of embeddings.

    Raises:
        SitsError: the file cannot be read, does not say where it lies, or holds no numbers.
    """
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(path) as dataset:
            pixels.check(dataset)
            pixels.check_place(dataset, where)
            axes, dtypes = dataset.count, set(dataset.dtypes)
            crs, bounds = pixels.crs_of(dataset), tuple(dataset.bounds)
    except RasterioError as error:
        raise SitsError(f"{where}: {path} cannot be read: {error}") from None
    except SitsError as error:
        text = str(error)
        raise SitsError(text if text.startswith(where) else f"{where}: {text}") from None
    if axes == 0 or any(np.dtype(kind).kind not in "fiu" for kind in dtypes):
        raise SitsError(
            f"{where}: {path.name} has {axes} bands of {', '.join(sorted(dtypes)) or 'no type'}; "
            "give a raster with a band of numbers for each axis of the embedding"
        )
    return Head(axes, crs, bounds)


def open_tile(path: Path, tile: Tile, where: str) -> tuple[Source, int]:
    """The embeddings of a tile by nearest neighbour, and how many axes they have.

    Raises:
        SitsError: as `look` does.
    """
    import rasterio
    from rasterio.errors import RasterioError

    axes = look(path, where).axes

    def read(block: Block) -> npt.NDArray[np.float32]:
        try:
            with rasterio.open(path) as dataset:
                return _read(dataset, tile, block)
        except RasterioError as error:
            raise SitsError(f"{where}: {path} cannot be read: {error}") from None

    return read, axes


def _read(dataset: DatasetReader, tile: Tile, block: Block) -> npt.NDArray[np.float32]:
    """(axis, y, x) float32, NaN where the file has nothing."""
    part = pixels.Block(
        tile.epsg,
        tile.west + tile.pixel * block.columns.start,
        tile.north - tile.pixel * block.rows.start,
        block.rows.stop - block.rows.start,
        block.columns.stop - block.columns.start,
        tile.pixel,
    )
    with pixels.on_grid(dataset, part) as view:
        values, seen = view.read(tuple(range(1, dataset.count + 1)))
    found = values.astype(np.float32)
    for axis, nodata in enumerate(dataset.nodatavals):
        if nodata is not None:
            found[axis][values[axis] == nodata] = np.nan
    # A vector that lacks an axis is none.
    found[:, ~(seen & np.isfinite(found).all(0))] = np.nan
    return found
