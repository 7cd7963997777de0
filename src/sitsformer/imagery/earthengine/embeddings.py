"""Yearly embeddings of a tile, as the bytes that their publisher stores."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sitsformer.config import Area, Config, expand
from sitsformer.embedded.store import NO_BYTE, Block, Source
from sitsformer.embeddings.product import EmbeddingProduct
from sitsformer.grid import Tile
from sitsformer.imagery.earthengine import requests
from sitsformer.imagery.earthengine.cache import GIGABYTE, open_group, trim
from sitsformer.imagery.earthengine.errors import EarthEngineError
from sitsformer.imagery.earthengine.fetch import fetch
from sitsformer.imagery.earthengine.listing import covering
from sitsformer.imagery.earthengine.requests import Request
from sitsformer.imagery.earthengine.session import Session, connect
from sitsformer.imagery.earthengine.stored import Stored

if TYPE_CHECKING:
    import numpy.typing as npt

logger = logging.getLogger("sitsformer")


def open_tile(
    config: Config, product: EmbeddingProduct, area_name: str, area: Area, tile: Tile
) -> Source:
    """Bring the embeddings of a tile into the cache, and give them from there.

    Raises:
        EarthEngineError: the product has no image there in the season's year, or Earth Engine
            refuses.
    """
    settings, year = config.earthengine, area.season_year
    group = open_group(expand(settings.cache), area_name, area, tile)
    trim(expand(settings.cache), settings.cache_gb * GIGABYTE)
    packed = wanted(product, area, tile)
    logger.info("embeddings of %s: %s, %d", area_name, product.title, year)
    session = partial(connect, settings)
    if not any(group.has(request.key) or group.is_split(request.key) for request in packed):
        look(session(), product, area_name, area, tile)
    fetch(session, group, packed)
    stored = Stored(group, packed, len(product.bands))

    def read(block: Block) -> npt.NDArray[np.int8]:
        values = stored[slice(0, 1), slice(None), block.rows, block.columns][0]
        return np.asarray(values.astype(np.int16) + NO_BYTE, np.int8)

    return read


def wanted(product: EmbeddingProduct, area: Area, tile: Tile) -> list[Request]:
    """Requests for the embeddings of a tile, of the year of its season."""
    options = (product.name, product.collection, str(area.season_year))
    return requests.pack("embeddings", tile, (), options)


def image(product: EmbeddingProduct, year: int, tile: Tile) -> Any:
    """The embedding of a year, a band an axis: its bytes plus 128, 0 where there is none."""
    import ee

    zone = ee.Filter.eq(product.zone, f"{tile.epsg % 100}{'N' if tile.epsg < 32700 else 'S'}")
    images = _images(product, tile).filterDate(f"{year}-01-01", f"{year + 1}-01-01")
    # The last is on top: pixels of the tile's own zone need no resampling.
    found = images.filter(zone.Not()).merge(images.filter(zone)).mosaic()
    size = found.abs().pow(1 / product.power).multiply(product.divisor).round()
    signed = size.multiply(found.gte(0).multiply(2).subtract(1))
    # sameFootprint=False: outside of every image, too, there is none.
    return signed.subtract(NO_BYTE).toUint8().unmask(0, False).toUint8()


def _images(product: EmbeddingProduct, tile: Tile) -> Any:
    import ee

    images = ee.ImageCollection(product.collection).filterBounds(covering(tile))
    return images.select(list(product.bands))


def look(
    session: Session, product: EmbeddingProduct, area_name: str, area: Area, tile: Tile
) -> None:
    """Refuse a place or a year without an image, with the years that there are.

    Raises:
        EarthEngineError: there is none.
    """
    starts = _images(product, tile).aggregate_array("system:time_start")
    found = session.value(starts, f"years of {product.title} over tile {tile.name} of {area_name}")
    years = sorted({datetime.fromtimestamp(ms / 1000, UTC).year for ms in found})
    if not years:
        raise EarthEngineError(
            f"areas.{area_name}: {product.collection} has no image over tile {tile.name}; it "
            f"covers land and shallow water: take `{product.name}` out of `embeddings`"
        )
    if area.season_year not in years:
        raise EarthEngineError(
            f"areas.{area_name}: {product.collection} has no image of {area.season_year}, the "
            f"year of the season {area.start} to {area.end}, over tile {tile.name}; it has "
            f"{', '.join(map(str, years))}: change the season, or take `{product.name}` out of "
            "`embeddings`"
        )
