"""Area, tiles, imagery and labels on a geemap map: for a page, or for a notebook to work on.

The only module that imports geemap.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from sitsformer import artefacts
from sitsformer.config import Area, Config, ConfigError, EarthEngine
from sitsformer.grid import area_geometry, tiles
from sitsformer.imagery.earthengine.collections import EE_BANDS, IMAGES, SCORES
from sitsformer.imagery.earthengine.layers import combined, maps
from sitsformer.imagery.earthengine.listing import outline
from sitsformer.imagery.earthengine.session import connect
from sitsformer.labels import products
from sitsformer.legends import load_legend
from sitsformer.registry import find
from sitsformer.sensors import BANDS, SENTINEL2

_RGB = [EE_BANDS[BANDS.index(name)] for name in SENTINEL2.called("red", "green", "blue")]
TRUE_COLOUR = {"bands": _RGB, "min": 0, "max": 2500}


def write_page(config: Config, area_name: str | None, out: Path) -> None:
    """Write the map of an area as one HTML page.

    Raises:
        ConfigError: the config has no such area from Earth Engine.
        SitsError: Earth Engine refuses.
    """
    # In a page, folium's maps work without a running kernel; geemap chooses by this variable.
    os.environ["USE_FOLIUM"] = "1"
    page = area_map(config, area_name)
    with artefacts.create_file(out) as partial:
        page.to_html(str(partial))


def area_map(config: Config, area_name: str | None = None) -> Any:
    """A geemap map of an area: outline, tiles, clear-sky image of the season, labels.

    Without a name it is the first area from Earth Engine.

    Raises:
        ConfigError: the config has no such area from Earth Engine.
        SitsError: Earth Engine refuses.
    """
    import ee
    import geemap
    from geopandas import GeoSeries
    from shapely import Polygon

    name, area = _find(config, area_name)
    connect(config.earthengine)
    # The client puts the tag of our exports where the method for maps may not take it.
    ee.data.setWorkloadTag("")
    west, south, east, north = area_geometry(area).bounds
    shown = geemap.Map(
        ee_initialize=False, center=[(south + north) / 2, (west + east) / 2], zoom=10
    )
    shown.add_layer(clear_sky(area, config.earthengine), TRUE_COLOUR, f"{name}, clear sky")
    for label in area.labels:
        image, style = label_image(label, area)
        shown.add_layer(image, style, label)
    shown.add_geojson(GeoSeries([area_geometry(area)]).__geo_interface__, layer_name=name)
    squares = GeoSeries([Polygon(outline(tile)) for tile in tiles(name, area)])
    shown.add_geojson(squares.__geo_interface__, layer_name=f"{len(squares)} tiles")
    return shown


def clear_sky(area: Area, settings: EarthEngine) -> Any:
    """Median of the season's clear pixels."""
    import ee

    west, south, east, north = area_geometry(area).bounds
    scores = ee.ImageCollection(SCORES)
    band, least = settings.cloud_score, settings.clear_score / 100
    images = (
        ee.ImageCollection(IMAGES)
        .filterDate(str(area.start), str(area.end + timedelta(days=1)))
        .filterBounds(ee.Geometry.Rectangle([west, south, east, north]))
        .linkCollection(scores, [band])
    )
    clear = images.map(lambda image: image.updateMask(image.select(band).gte(least)))
    return clear.select(TRUE_COLOUR["bands"]).median()


def label_image(label: str, area: Area) -> tuple[Any, dict[str, Any]]:
    """The map of a label and its colours: codes become positions in the legend."""
    product, legend = find(products(), label, "label product"), load_legend(label)
    images = maps(product, product.year(area.season_year)).select([product.band])
    image = combined(images, product)
    positions = list(range(len(legend.codes)))
    style = {"min": 0, "max": len(positions) - 1}
    palette = [colour.lstrip("#") for colour in legend.colours]
    return image.remap(list(legend.codes), positions), {**style, "palette": palette}


def _find(config: Config, name: str | None) -> tuple[str, Area]:
    known = {n: area for n, area in config.areas.items() if area.source == "earthengine"}
    if not known or (name is not None and name not in known):
        raise ConfigError(
            f"no area {name or 'from Earth Engine'!r} to show; areas with `source: earthengine` "
            f"are {', '.join(known) or 'none'}"
        )
    chosen = name or next(iter(known))
    return chosen, known[chosen]
