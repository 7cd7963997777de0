"""The stage that takes the embeddings of a layer over a tile, from wherever the layer has them."""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import Any

from sitsformer import decisive
from sitsformer.config import Area, Config, ConfigError, EmbeddingLayer, expand
from sitsformer.embedded import store
from sitsformer.embeddings.product import EmbeddingProduct, products
from sitsformer.grid import Tile, find_tile

logger = logging.getLogger("sitsformer")

_EARTH_ENGINE = "sitsformer.imagery.earthengine.embeddings"
_RASTERS = "sitsformer.imagery.rasters.embeddings"
"""Modules with `open_tile`, imported when a tile is made."""


def make_tile(config: Config, layer: str, area_name: str, tile_name: str, out: Path) -> None:
    """Write the embeddings of one tile.

    Raises:
        ConfigError: the config has no such layer, area or tile, or the product no such year.
        SitsError: they cannot be had; the message says why and what to do.
    """
    chosen = find_layer(config, layer)
    if area_name not in config.areas:
        raise ConfigError(f"no area {area_name!r} in the config; there are {sorted(config.areas)}")
    area = config.areas[area_name]
    tile = find_tile(area_name, area, tile_name)
    if chosen.rasters:
        axes, dtype, source, attrs, inputs = _own(layer, chosen, area_name, tile)
    else:
        product = products()[layer]
        axes, dtype, inputs = product.bands, "int8", {}
        source, attrs = _of_product(config, product, area_name, area, tile)
    without = store.write_tile(
        out, tile, axes, dtype, source, {"layer": layer, **attrs},
        config=decisive.embeddings(config, layer, area_name), inputs=inputs,
    )  # fmt: skip
    if without:
        logger.warning(
            "%s/%s: %d of %d pixels have no embedding in %s",
            area_name, tile_name, without, tile.size**2, layer,
        )  # fmt: skip


def look(raster: str, where: str) -> store.Head:
    """What a raster of the user's says of itself; no pixel is read.

    Raises:
        SitsError: it cannot be read, does not say where it lies, or holds no numbers.
    """
    found: store.Head = import_module(_RASTERS).look(expand(raster), where)
    return found


def find_layer(config: Config, layer: str) -> EmbeddingLayer:
    """A layer of the config by name.

    Raises:
        ConfigError: there is none.
    """
    if layer not in config.embeddings:
        known = sorted(config.embeddings)
        raise ConfigError(f"no embeddings {layer!r} in the config; there are {known}")
    return config.embeddings[layer]


def _of_product(
    config: Config, product: EmbeddingProduct, area_name: str, area: Area, tile: Tile
) -> tuple[store.Source, dict[str, Any]]:
    if wrong := product.no_year(area.season_year):
        raise ConfigError(f"areas.{area_name}: {wrong}")
    source = import_module(_EARTH_ENGINE).open_tile(config, product, area_name, area, tile)
    return source, {
        "title": product.title,
        "collection": product.collection,
        "year": area.season_year,
        "divisor": product.divisor,
        "power": product.power,
        "license": product.licence,
        "attribution": product.attribution,
        "references": product.page,
    }


def _own(
    layer: str, chosen: EmbeddingLayer, area_name: str, tile: Tile
) -> tuple[tuple[str, ...], str, store.Source, dict[str, Any], dict[str, Path]]:
    where = f"embeddings.{layer}.rasters.{area_name}"
    if area_name not in chosen.rasters:
        raise ConfigError(f"{where}: no raster is named for this area")
    path = expand(chosen.rasters[area_name])
    source, count = import_module(_RASTERS).open_tile(path, tile, where)
    axes = tuple(f"b{number}" for number in range(1, count + 1))
    return axes, "float32", source, {"title": layer, "file": path.name}, {"raster": path}
