"""What is asked of Earth Engine: collections, bands, years. To add one, see docs/earthengine.md."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from sitsformer.config import BANDS, Area
from sitsformer.grid import Tile, to_lonlat
from sitsformer.sources.earthengine.errors import EarthEngineError

SENTINEL2 = "COPERNICUS/S2_SR_HARMONIZED"
"""Level 2A with the offset of processing baseline 04.00 (-1000, from 2022-01-25) taken out, so
that all years have one scale."""
CLOUD_SCORE = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
"""Cloud Score+ (Pasquarella et al. 2023): one image per Sentinel-2 image, of the same index."""
CDL = "USDA/NASS/CDL"
WORLDCOVER = {2020: "ESA/WorldCover/v100", 2021: "ESA/WorldCover/v200"}
"""Year of the map -> collection; there are no others."""

EE_BANDS = tuple(band.replace("B0", "B") for band in BANDS)
"""Earth Engine's names of the bands: B2 ... B8, B8A, B11, B12."""

CONTERMINOUS_US = (-125.0, 24.0, -66.5, 49.6)
"""West, south, east, north of what CDL covers, degrees, generously."""

RECIPE = 2
"""Version of what the requests ask for and of how answers are kept. Raise it when an expression
changes its result: finished requests of older versions are then asked for again."""


def season_year(area: Area) -> int:
    """The year that most days of the season lie in (the later one of two equals)."""
    days = Counter(
        (area.start + timedelta(days=day)).year for day in range((area.end - area.start).days + 1)
    )
    return max(days, key=lambda year: (days[year], year))


def worldcover_year(area: Area) -> int:
    """The year of the WorldCover map nearest to the season."""
    return min(max(season_year(area), min(WORLDCOVER)), max(WORLDCOVER))


def check_area(area_name: str, area: Area, tile: Tile) -> None:
    """Refuse what no request could bring.

    Raises:
        EarthEngineError: CDL outside the conterminous US, or a season before Sentinel-2.
    """
    if area.end < date(2015, 6, 27):
        raise EarthEngineError(
            f"areas.{area_name}: the season ends {area.end}; Sentinel-2 began on 2015-06-27, and "
            "Level 2A covers Europe from 2017 and the world from the end of 2018"
        )
    if "cdl" in area.labels:
        import numpy as np

        lon, lat = to_lonlat(
            tile.epsg,
            np.array([float(tile.bounds[0]), float(tile.bounds[2])]),
            np.array([float(tile.bounds[1]), float(tile.bounds[3])]),
        )
        west, south, east, north = CONTERMINOUS_US
        if lon[1] < west or lon[0] > east or lat[1] < south or lat[0] > north:
            raise cdl_outside(area_name, tile)


def cdl_outside(area_name: str, tile: Tile) -> EarthEngineError:
    """The error of a tile that CDL does not cover."""
    return EarthEngineError(
        f"areas.{area_name}: tile {tile.name} lies outside the Cropland Data Layer, which covers "
        "the conterminous US only; take `cdl` out of areas."
        f"{area_name}.labels and use `worldcover`"
    )
