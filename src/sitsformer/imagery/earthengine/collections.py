"""What is asked of Earth Engine: collections, bands, years, and what is refused beforehand.

Label products have records of their own (`sitsformer.labels`). To add one of either, see
docs/earthengine.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sitsformer.config import Area
from sitsformer.grid import Tile, to_lonlat
from sitsformer.imagery.earthengine.errors import EarthEngineError
from sitsformer.labels import LabelProduct, products
from sitsformer.labels.product import Box
from sitsformer.sensors import SENTINEL2

IMAGES, SCORES = SENTINEL2.collection, SENTINEL2.cloud_score
"""Collections of images and of their cloud scores."""
EE_BANDS = tuple(band.earthengine for band in SENTINEL2.bands)
"""Earth Engine's names of the bands of cubes."""

RECIPE = 2
"""Version of what the requests ask for and of how answers are kept. Raise it when an expression
changes its result: finished requests of older versions are then asked for again."""


def check_area(area_name: str, area: Area, tile: Tile) -> None:
    """Refuse what no request could bring.

    Raises:
        EarthEngineError: a season before Sentinel-2 or yet to come; a label outside its coverage,
            or of a year that it has no map of.
    """
    if area.end < SENTINEL2.begins:
        raise EarthEngineError(
            f"areas.{area_name}: the season ends {area.end}; {SENTINEL2.title} began on "
            f"{SENTINEL2.begins}, and "
            "Level 2A covers Europe from 2017 and the world from the end of 2018"
        )
    if area.start > date.today():
        raise EarthEngineError(
            f"areas.{area_name}: the season starts {area.start}, which is yet to come; give a "
            "season that has images"
        )
    for product in wanted(area):
        if product.coverage is not None and not product.covers(*_box(tile)):
            raise outside(area_name, tile, product)
        year = product.year(area.season_year)
        if product.maps is not None and year not in product.maps:
            raise no_map(area_name, area, product, product.maps)


def wanted(area: Area) -> list[LabelProduct]:
    """The label products of an area, in the order of the cube's layers."""
    return [product for product in products().values() if product.name in area.labels]


def outside(area_name: str, tile: Tile, product: LabelProduct) -> EarthEngineError:
    """The error of a tile that a label product does not cover."""
    world = [f"`{item.name}`" for item in products().values() if item.coverage is None]
    return EarthEngineError(
        f"areas.{area_name}: tile {tile.name} lies outside {product.title}, which covers "
        f"{product.extent} only; take `{product.name}` out of areas.{area_name}.labels; labels "
        f"that cover the world are {', '.join(world)}"
    )


def no_map(
    area_name: str, area: Area, product: LabelProduct, years: Sequence[int]
) -> EarthEngineError:
    """The error of a season whose year a label product has no map of, with the years it has."""
    has = ", ".join(map(str, years)) or "none whose name tells a year"
    if len(years) > 2 and len(years) == max(years) - min(years) + 1:
        has = f"{min(years)} to {max(years)}"
    return EarthEngineError(
        f"areas.{area_name}: {product.ids[0]} has no map for {area.season_year}, the year of the "
        f"season {area.start} to {area.end}; it has {has}: change the season, or take "
        f"`{product.name}` out of areas.{area_name}.labels"
    )


def _box(tile: Tile) -> Box:
    """West, south, east and north of a tile's corners, degrees."""
    import numpy as np

    west, south, east, north = tile.bounds
    lon, lat = to_lonlat(
        tile.epsg, np.array([float(west), float(east)]), np.array([float(south), float(north)])
    )
    return float(lon[0]), float(lat[0]), float(lon[1]), float(lat[1])
