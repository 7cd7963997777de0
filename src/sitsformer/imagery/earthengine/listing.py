"""What there is for a tile and season: one request for all metadata, grouped into observations.

The archive has several products where a user wants one date: granules of one overpass seconds
apart, granules split between two datastrips, granules processed again years later. Here they
become observations: one a datatake, each a stack of granules to be mosaicked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from sitsformer.config import Area
from sitsformer.grid import Tile, to_lonlat
from sitsformer.imagery.earthengine import layers
from sitsformer.imagery.earthengine.collections import (
    IMAGES,
    SCORES,
    no_map,
    wanted,
)
from sitsformer.imagery.earthengine.errors import EarthEngineError
from sitsformer.imagery.earthengine.session import Session
from sitsformer.labels import LabelProduct

PROPERTIES = (
    "system:index",
    "system:time_start",
    "DATATAKE_IDENTIFIER",
    "DATASTRIP_ID",
    "MGRS_TILE",
    "PROCESSING_BASELINE",
    "GENERATION_TIME",
)
MOST_IMAGES = 5_000
"""More images than any tile has in two years (about 150 dates x 4 granules x 2 processings)."""


@dataclass(frozen=True)
class Granule:
    """One Sentinel-2 product.

    Attributes:
        index: `system:index`, the same in the Cloud Score+ collection.
        time: sensing time, ms since 1970.
        datatake: satellite, start and orbit of the overpass, without the baseline.
        strip: sensing start of the datastrip; tells the parts of a split granule apart.
        mgrs: name of its MGRS tile.
        baseline: processing baseline, `05.00`.
        generated: time of processing, ms since 1970.
        scored: whether Cloud Score+ has its partner.
    """

    index: str
    time: int
    datatake: str
    strip: str
    mgrs: str
    baseline: str
    generated: int
    scored: bool


@dataclass(frozen=True)
class Observation:
    """One date and datatake: granules to be mosaicked, the last on top."""

    granules: tuple[Granule, ...]

    @property
    def time(self) -> int:
        """Earliest sensing time, ms since 1970."""
        return min(granule.time for granule in self.granules)

    @property
    def date(self) -> str:
        """UTC date, YYYY-MM-DD."""
        return str(np.datetime64(self.time, "ms"))[:10]


@dataclass(frozen=True)
class Listing:
    """What Earth Engine has for a tile and season.

    Attributes:
        observations: by time.
        superseded: indices of products of which there is a newer processing.
        bands: label product -> bands of its map, for those that are looked up.
    """

    observations: tuple[Observation, ...]
    superseded: tuple[str, ...]
    bands: Mapping[str, tuple[str, ...]]

    @property
    def granules(self) -> list[Granule]:
        """All granules that are used."""
        return [granule for seen in self.observations for granule in seen.granules]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Listing:
        """From `to_json`."""
        return TypeAdapter(cls).validate_python(values)


def outline(tile: Tile) -> list[list[float]]:
    """Ring of a tile in degrees, eight points a side.

    It goes on beyond 180 degrees where the tile does: a ring that jumps to -180 there would go
    around the Earth.
    """
    west, south, east, north = tile.bounds
    step = np.linspace(0.0, 1.0, 8, endpoint=False)
    x = np.concatenate([west + step * (east - west), 0 * step + east])
    y = np.concatenate([0 * step + north, north - step * (north - south)])
    # The other two sides are these two, turned by half a turn.
    x, y = np.concatenate([x, east + west - x]), np.concatenate([y, north + south - y])
    lon, lat = to_lonlat(tile.epsg, x, y)
    lon = lon[0] + (lon - lon[0] + 180) % 360 - 180
    return [[float(a), float(b)] for a, b in zip(lon, lat, strict=True)]


def ask(session: Session, area_name: str, area: Area, tile: Tile) -> Listing:
    """List images, scores and labels of a tile and season, in one request.

    Raises:
        EarthEngineError: no image, or a label year that does not exist.
    """
    what = f"listing images for tile {tile.name} of {area_name}, {area.start} to {area.end}"
    answer = session.value(_query(area, tile), what)
    listing = Listing(
        *group(answer["images"], set(answer["scores"]), tile.epsg),
        {item.name: _bands(area_name, area, item, answer) for item in _looked_up(area)},
    )
    if not listing.observations:
        raise EarthEngineError(
            f"areas.{area_name}: {IMAGES} has no image over tile {tile.name} between "
            f"{area.start} and {area.end}; Level 2A covers Europe from 2017-03 and the world from "
            "2018-12: change the season, or check the area's place"
        )
    return listing


def kept(values: Mapping[str, Any] | None, area: Area) -> Listing | None:
    """A listing from the cache; None where it lacks what the records of the labels now ask for."""
    needed = {product.name for product in _looked_up(area)}
    if values is None or "bands" not in values or not needed <= set(values["bands"]):
        return None
    return Listing.from_json(values)


def within(collection: str, area: Area, tile: Tile) -> Any:
    """The images of a collection that touch a tile in its season."""
    import ee

    start, end = str(area.start), str(area.end + timedelta(days=1))
    return ee.ImageCollection(collection).filterDate(start, end).filterBounds(covering(tile))


def covering(tile: Tile) -> Any:
    """The place of a tile, for filters."""
    import ee

    rings = rings_of(tile)
    if len(rings) == 1:
        return ee.Geometry.Polygon(rings, None, False)
    return ee.Geometry.MultiPolygon([[ring] for ring in rings], None, False)


def rings_of(tile: Tile) -> list[list[list[float]]]:
    """Rings in degrees that cover a tile, none beyond 180: one, or one on each side."""
    from shapely.affinity import translate
    from shapely.geometry import Polygon, box

    whole = Polygon(outline(tile))
    west, south, east, north = whole.bounds
    if west >= -180 and east <= 180:
        return [outline(tile)]
    world = box(-180, south, 180, north)
    parts = [translate(whole, 360 * turn).intersection(world) for turn in (-1, 0, 1)]
    # Each part is convex, or nearly so: one polygon.
    return [
        [[x, y] for x, y in part.exterior.coords[:-1]]
        for part in parts
        if isinstance(part, Polygon) and part.area > 0
    ]


def _query(area: Area, tile: Tile) -> Any:
    import ee

    images = within(IMAGES, area, tile).toList(MOST_IMAGES)
    asked: dict[str, Any] = {
        "images": images.map(lambda image: [ee.Image(image).get(name) for name in PROPERTIES]),
        "scores": within(SCORES, area, tile).aggregate_array("system:index"),
    }
    for product in _looked_up(area):
        year = product.year(area.season_year)
        images = layers.maps(product, year)
        asked[product.name] = images.toList(5).map(lambda image: ee.Image(image).bandNames())
        if product.maps is None:
            every = ee.ImageCollection(product.ids[0])
            asked[f"{product.name}_years"] = every.aggregate_array("system:index")
    return ee.Dictionary(asked)


def _looked_up(area: Area) -> list[LabelProduct]:
    return [product for product in wanted(area) if product.looked_up]


def _bands(
    area_name: str, area: Area, product: LabelProduct, answer: Mapping[str, Any]
) -> tuple[str, ...]:
    """Those bands of a product's map that layers are made of."""
    found = answer[product.name]
    if not found:
        indices = answer.get(f"{product.name}_years", ())
        known = {int(year) for text in indices for year in re.findall(r"(?:19|20)\d\d", text)}
        raise no_map(area_name, area, product, sorted(known) or product.maps or ())
    if product.band not in found[0]:
        raise EarthEngineError(
            f"areas.{area_name}: the map of {product.title} has the bands {found[0]} and no "
            f"{product.band!r}, which its record in sitsformer/labels names"
        )
    return tuple(band for band in found[0] if band in (product.band, product.confidence))


def group(
    rows: Iterable[list[Any]], scores: set[str], epsg: int
) -> tuple[tuple[Observation, ...], tuple[str, ...]]:
    """Products -> observations by time, and the indices of the superseded products.

    The products of one datatake, MGRS tile and datastrip are the same pixels processed more than
    once: the newest is kept. On top of a mosaic come granules with a cloud score, then those of
    the tile's own UTM zone (their pixels need no resampling), then the newest.

    Rows hold the values of PROPERTIES, `scores` the indices in Cloud Score+.
    """
    found = [_granule(row, scores) for row in rows]
    newest: dict[tuple[str, str, str], Granule] = {}
    for granule in sorted(found, key=_age):
        newest[granule.datatake, granule.mgrs, granule.strip] = granule
    kept = set(newest.values())
    datatakes: defaultdict[str, list[Granule]] = defaultdict(list)
    for granule in kept:
        datatakes[granule.datatake].append(granule)

    def height(granule: Granule) -> tuple[Any, ...]:
        return granule.scored, granule.mgrs.startswith(f"{epsg % 100:02d}"), *_age(granule)

    observations = sorted(
        (Observation(tuple(sorted(granules, key=height))) for granules in datatakes.values()),
        key=lambda seen: (seen.time, seen.granules[0].datatake),
    )
    superseded = sorted({granule.index for granule in found} - {granule.index for granule in kept})
    return _distinct(observations), tuple(superseded)


def _age(granule: Granule) -> tuple[Any, ...]:
    baseline = tuple(int(part) for part in re.findall(r"\d+", granule.baseline))
    return baseline, granule.generated, granule.index


def _granule(row: list[Any], scores: set[str]) -> Granule:
    index, time, take, strip, mgrs, baseline, generated = row
    # GS2A_20210614T170841_031479_N05.00: the baseline at the end is of the processing.
    datatake = "_".join(str(take).split("_")[:3]) if take else str(index).split("_")[0]
    sensed = re.search(r"_S(\d{8}T\d{6})", str(strip))
    return Granule(
        index=str(index),
        time=int(time),
        datatake=datatake,
        strip=sensed[1] if sensed else "",
        mgrs=str(mgrs or str(index).rsplit("_T", 1)[-1]),
        baseline=str(baseline or ""),
        generated=int(generated or 0),
        scored=str(index) in scores,
    )


def _distinct(observations: list[Observation]) -> tuple[Observation, ...]:
    """Shift the millisecond of an observation that starts with another one."""
    found: list[Observation] = []
    for seen in observations:
        if found and seen.time <= found[-1].time:
            shift = found[-1].time + 1 - seen.time
            seen = Observation(tuple(replace(g, time=g.time + shift) for g in seen.granules))
        found.append(seen)
    return tuple(found)
