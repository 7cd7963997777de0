"""Label rasters on any grid -> layers of codes on the tile's grid."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.classes import NO_LABEL, Legend, load_legend
from sitsformer.config import LabelRaster, expand
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.sources.rasters.pixels import Block, known
from sitsformer.sources.rasters.pixels import read as read_pixels

logger = logging.getLogger("sitsformer")


def read(label: LabelRaster, tile: Tile, where: str) -> tuple[NDArray[Any], Legend]:
    """Read a label raster at the pixels of a tile, by nearest neighbour.

    Args:
        label: file, band, legend, nodata.
        tile: where to.
        where: path of the config section, for messages.

    Returns:
        (y, x) uint8 or uint16 (by the largest code of the legend), 0 = no label; and the legend.

    Raises:
        SitsError: the file cannot be read, has no such band, or has codes the legend lacks.
    """
    import rasterio
    from rasterio.errors import RasterioError

    path = expand(label.path)
    legend = load_legend(label.legend)
    block = Block(tile.epsg, tile.west, tile.north, tile.size, tile.size)
    try:
        with rasterio.open(path) as dataset:
            if label.band > dataset.count:
                raise SitsError(
                    f"{where}.band: {path.name} has {dataset.count} bands, not {label.band}"
                )
            values, inside = read_pixels(dataset, (label.band,), block)
            nodata = dataset.nodata if label.nodata is None else label.nodata
    except RasterioError as error:
        raise SitsError(f"{where}.path: {path} cannot be read: {error}") from None
    codes = values[0]
    labelled = inside & known(codes, nodata)
    if not labelled.any():
        logger.warning("%s: %s has no label in tile %s", where, path.name, tile.name)
    _check_codes(codes[labelled], legend, path.name, where)
    dtype = np.uint8 if max(legend.codes) <= np.iinfo(np.uint8).max else np.uint16
    return np.where(labelled, codes, NO_LABEL).astype(dtype), legend


def _check_codes(codes: NDArray[Any], legend: Legend, name: str, where: str) -> None:
    found = set(np.unique(codes).tolist())
    unknown = sorted(found - set(legend.codes) - {NO_LABEL})
    if unknown:
        shown = ", ".join(f"{code:g}" for code in unknown[:8])
        raise SitsError(
            f"{where}.legend: {name} holds codes that the legend {legend.name} lacks: {shown}; "
            "add rows for them to the legend, or set `nodata`"
        )
