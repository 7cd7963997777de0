"""The scenes of a tile and season: which of a catalogue's items, and which belong together.

What a catalogue answered is kept on disk, so that a cube is made of the same items again. The file
is one of items (GeoJSON), which `url` may name, too.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sitsformer import artefacts
from sitsformer.config import Area, Stac, expand, is_address
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.imagery.rasters.files import gathered
from sitsformer.imagery.stac import catalogue
from sitsformer.imagery.stac.catalogue import Bounds, Item
from sitsformer.imagery.stac.items import Scene, number, scene, time_of
from sitsformer.sensors import sensor_of

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

logger = logging.getLogger("sitsformer")

FRESH_DAYS = 7.0
"""A list of a season that is not over is asked for again when it is older than this."""
SETTLED_DAYS = 30.0
"""So long after a season its images are in the catalogues: a list of then stays as it is."""
MARGIN = 0.005
"""Degrees that a footprint may lie beside a tile and still reach it: catalogues round their
corners."""
_KEPT_OF_ASSETS = {
    "href", "type", "roles", "gsd", "nodata", "bands", "eo:bands", "raster:bands", "raster:scale",
    "raster:offset", "raster:spatial_resolution",
}  # fmt: skip


@dataclass(frozen=True)
class Listing:
    """What there is for a tile and season.

    Attributes:
        datatakes: by time; of each its scenes, the first on top.
        times: (time,) datetime64[s] of the datatakes, sorted, unique.
        superseded: ids of items of which there is a newer processing.
        cloudy: ids of items that are left out for `max_cloud`.
        incomplete: ids of items that lack something, where `on_broken` is `skip`.
        asked: whether the catalogue was asked for it now.
    """

    datatakes: tuple[tuple[Scene, ...], ...]
    times: tuple[np.datetime64, ...]
    superseded: tuple[str, ...]
    cloudy: tuple[str, ...]
    incomplete: tuple[str, ...]
    asked: bool

    @property
    def scenes(self) -> list[Scene]:
        """All scenes that are used."""
        return [one for scenes in self.datatakes for one in scenes]


def look(area: Area, tile: Tile, where: str) -> Listing:
    """What there is for a tile and season, from disk or the catalogue.

    Raises:
        TemporaryError: the catalogue does not answer.
        SitsError: there is no catalogue, nothing for the tile, or an item lacks something.
    """
    kept = load(area, tile)
    if kept is not None:
        return choose(kept, _section(area), area, tile, where, asked=False)
    return ask(area, tile, where)


def ask(area: Area, tile: Tile, where: str) -> Listing:
    """What the catalogue says that there is for a tile and season; the answer is kept.

    Raises:
        TemporaryError, SitsError: as `look` does.
    """
    settings = _section(area)
    found = catalogue.search(settings, bounds_of(tile), (area.start, area.end), where)
    with catalogue.told(settings, where):
        items = within(found, area, tile, where)
    if not items:
        raise SitsError(_nothing(found, area, tile, where))
    # A catalogue in a file is its own list.
    if is_address(settings.url):
        with artefacts.create_file(_place(area, tile)) as partial:
            partial.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    return choose(items, settings, area, tile, where, asked=True)


def load(area: Area, tile: Tile) -> list[Item] | None:
    """The items that were listed before; None without, or where more may be there by now."""
    path = _place(area, tile)
    try:
        listed = path.stat().st_mtime
        kept = json.loads(path.read_text())["features"]
    except (OSError, ValueError, KeyError):
        return None
    settled = np.datetime64(area.end, "s") + np.timedelta64(int(SETTLED_DAYS * 86_400), "s")
    over = np.datetime64(int(listed), "s") > settled
    if not over and time.time() - listed > FRESH_DAYS * 86_400:
        return None
    found: list[Item] = kept
    return found


def drop(area: Area, tile: Tile) -> None:
    """Forget a list: what it names is not all there any more."""
    _place(area, tile).unlink(missing_ok=True)


def bounds_of(tile: Tile) -> Bounds:
    """The tile in degrees; west is above east across the antimeridian."""
    from rasterio.warp import transform_bounds

    west, south, east, north = transform_bounds(
        f"EPSG:{tile.epsg}", "EPSG:4326", *tile.bounds, densify_pts=21
    )
    return west, south, east, north


def within(items: Iterable[Item], area: Area, tile: Tile, where: str) -> list[Item]:
    """Items of the season whose footprint reaches the tile, with what is needed of them."""
    from shapely.geometry import box

    west, south, east, north = bounds_of(tile)
    parts = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    outlines = [
        box(left - MARGIN, south - MARGIN, right + MARGIN, north + MARGIN) for left, right in parts
    ]
    first, last = np.datetime64(area.start, "D"), np.datetime64(area.end, "D")
    found = []
    for item in items:
        try:
            day = time_of(item, where).astype("datetime64[D]")
        except SitsError:
            if item["id"] in _section(area).exclude:
                continue
            raise
        if first <= day <= last and _reaches(item, outlines):
            found.append(_trimmed(item))
    return sorted(found, key=lambda item: str(item["id"]))


def _reaches(item: Item, outlines: Sequence[BaseGeometry]) -> bool:
    """Whether the footprint of an item touches one of some outlines; without one, it does."""
    from shapely import make_valid
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    try:
        # Footprints of swaths cross themselves at times.
        footprint = make_valid(shape(item.get("geometry") or {"type": "Polygon"}))
    except (ShapelyError, AttributeError, TypeError, ValueError, KeyError):
        return True
    return footprint.is_empty or any(footprint.intersects(outline) for outline in outlines)


def choose(
    items: Sequence[Item], settings: Stac, area: Area, tile: Tile, where: str, *, asked: bool
) -> Listing:
    """Items -> scenes in datatakes.

    Raises:
        SitsError: an item lacks something and `on_broken` is `stop`, or none is left.
    """
    cloudy, incomplete, scenes = [], [], []
    for item in items:
        if item["id"] in settings.exclude:
            continue
        cover = number(item["properties"], "eo:cloud_cover")
        if cover is not None and cover > settings.max_cloud:
            cloudy.append(item["id"])
            continue
        try:
            scenes.append(scene(item, settings, sensor_of(area), where))
        except SitsError as error:
            if settings.on_broken == "stop":
                raise
            logger.warning("%s; it is skipped", error)
            incomplete.append(item["id"])
    if not scenes:
        raise SitsError(
            f"{where}: none of the {len(items)} items for tile {tile.name} is left: {len(cloudy)} "
            f"are cloudier than `max_cloud: {settings.max_cloud:g}`, {len(incomplete)} lack "
            f"something, {len(items) - len(cloudy) - len(incomplete)} are under `exclude`"
        )
    datatakes, superseded = group(scenes, tile.epsg)
    return Listing(
        datatakes, _times(datatakes), superseded, tuple(cloudy), tuple(incomplete), asked
    )


def group(
    scenes: Sequence[Scene], epsg: int
) -> tuple[tuple[tuple[Scene, ...], ...], tuple[str, ...]]:
    """Scenes -> datatakes by time, and ids of those of which there is a newer processing.

    Scenes of one satellite within minutes are granules of one datatake. On top come those of the
    UTM zone `epsg`, whose pixels need no resampling, then the newest.
    """
    of_platform: defaultdict[str, list[Scene]] = defaultdict(list)
    for one in sorted(scenes, key=lambda one: (one.time, one.id)):
        of_platform[one.platform].append(one)
    datatakes, superseded = [], []
    for own in of_platform.values():
        for members in gathered([(one.time, True) for one in own]):
            kept, old = _newest([own[i] for i in members])
            kept.sort(key=_age, reverse=True)
            kept.sort(key=lambda one: not one.place.startswith(f"{epsg % 100:02d}"))
            datatakes.append(tuple(kept))
            superseded += [one.id for one in old]
    datatakes.sort(key=lambda scenes: (min(one.time for one in scenes), scenes[0].id))
    return tuple(datatakes), tuple(sorted(superseded))


def _newest(scenes: Sequence[Scene]) -> tuple[list[Scene], list[Scene]]:
    """Scenes of a datatake, and those that are an older processing of one of them."""
    newest: dict[tuple[str, ...], Scene] = {}
    for one in sorted(scenes, key=_age):
        newest[(one.place, one.strip) if one.place else ("", one.id)] = one
    kept = list(newest.values())
    return kept, [one for one in scenes if one not in kept]


def _age(one: Scene) -> tuple[int, str, str]:
    return one.baseline or 0, one.made, one.id


def _times(datatakes: Sequence[Sequence[Scene]]) -> tuple[np.datetime64, ...]:
    """When each datatake began; two of the same second are put one after the other."""
    found: list[np.datetime64] = []
    for scenes in datatakes:
        moment = min(one.time for one in scenes)
        if found and moment <= found[-1]:
            moment = found[-1] + np.timedelta64(1, "s")
        found.append(moment)
    return tuple(found)


def _trimmed(item: Item) -> Item:
    """What of an item is looked at."""
    assets = {
        key: {name: value for name, value in asset.items() if name in _KEPT_OF_ASSETS}
        for key, asset in item["assets"].items()
    }
    kept: dict[str, Any] = {key: item.get(key) for key in ("id", "collection", "geometry", "bbox")}
    return {"type": "Feature", **kept, "properties": item["properties"], "assets": assets}


def _nothing(found: Sequence[Item], area: Area, tile: Tile, where: str) -> str:
    settings = _section(area)
    west, south, east, north = bounds_of(tile)
    url = catalogue.shown(settings.url)
    of = ", ".join(settings.collections) or "any collection"
    answered = f"{len(found)} items elsewhere or of other days" if found else "no item"
    return (
        f"{where}: {url} gives {answered} of {of} for tile {tile.name} (west {west:.4f}, south "
        f"{south:.4f}, east {east:.4f}, north {north:.4f}) from {area.start} to {area.end}; check "
        "the area's bounds and season, and what the collection covers"
    )


def _place(area: Area, tile: Tile) -> Path:
    settings = _section(area)
    described: list[object] = [settings.url, settings.collection, str(area.start), str(area.end)]
    described += [tile.epsg, tile.west, tile.north, tile.size]
    code = hashlib.sha256(json.dumps(described).encode()).hexdigest()[:10]
    return expand(settings.cache) / f"{tile.area}-{tile.name}-{code}.json"


def _section(area: Area) -> Stac:
    assert area.stac is not None  # config.Area checks it
    return area.stac
