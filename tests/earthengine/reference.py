"""Cubes computed from the scenes directly: what an exporter must find, by another road.

Nothing of the server's graph, images or sampling is used, and nothing of the package but the
tile's grid: pixel by pixel, from the place to the granule's own lattice to the value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from earthengine import landscape
from earthengine.catalogue import RESOLUTION, SIDE, Catalogue, Scene
from sitsformer.config import Area
from sitsformer.grid import Tile
from sitsformer.sensors import BANDS


@dataclass
class Expected:
    """The arrays of a cube before any date is dropped for clouds."""

    times: NDArray[Any]
    reflectance: NDArray[np.uint16]
    clear: NDArray[np.uint8]
    layers: Mapping[str, NDArray[np.uint8]]
    seen: NDArray[np.bool_]
    """Dates with a pixel on the tile."""


def expected(catalogue: Catalogue, tile: Tile, area: Area, score: str = "cs_cdf") -> Expected:
    """The cube of a tile and season."""
    x, y = np.meshgrid(tile.x, tile.y)
    takes: defaultdict[Any, list[Scene]] = defaultdict(list)
    for scene in catalogue.scenes.values():
        if area.start <= scene.sensed.date() <= area.end:
            takes[scene.datatake, scene.orbit].append(scene)
    chosen = [_newest(scenes) for scenes in takes.values()]
    chosen = [scenes for scenes in chosen if _touching(scenes, tile)]
    chosen.sort(key=lambda scenes: min(s.sensed for s in _touching(scenes, tile)))
    reflectance, clear, times = [], [], []
    for scenes in chosen:
        stack = _stack(_touching(scenes, tile), tile.epsg)
        times.append(np.datetime64(min(s.sensed for s in stack).replace(tzinfo=None), "ms"))
        reflectance.append([_mosaic(stack, band, tile.epsg, x, y, 65535) for band in BANDS])
        clear.append(_scores(stack, score, tile.epsg, x, y))
    stored = np.array(reflectance, np.uint16)
    return Expected(
        np.array(times),
        stored,
        np.array(clear, np.uint8),
        _layers(tile, area, x, y),
        (stored[:, 0] != 65535).any(axis=(1, 2)),
    )


def _newest(scenes: list[Scene]) -> list[Scene]:
    kept: dict[Any, Scene] = {}
    for scene in sorted(scenes, key=lambda s: s.generated_days):
        kept[scene.granule, scene.strip_second] = scene
    return list(kept.values())


def _touching(scenes: list[Scene], tile: Tile) -> list[Scene]:
    from shapely.geometry import Polygon

    west, south, east, north = tile.bounds
    ring = np.array([[west, south], [west, north], [east, north], [east, south]], float)
    lon, lat = Transformer.from_crs(tile.epsg, 4326, always_xy=True).transform(*ring.T)
    outline = Polygon(np.column_stack([lon, lat]))
    return [s for s in scenes if Polygon(s.granule.ring).intersects(outline)]


def _stack(scenes: list[Scene], epsg: int) -> list[Scene]:
    """Bottom to top: scored over unscored, own zone over others, newest, name."""
    return sorted(
        scenes,
        key=lambda s: (
            s.scored, s.granule.epsg % 100 == epsg % 100, s.baseline, s.generated_days,
            s.sensed, s.index,
        ),
    )  # fmt: skip


def _native(
    scene: Scene, step: int, epsg: int, x: NDArray[Any], y: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    if epsg != scene.granule.epsg:
        x, y = Transformer.from_crs(epsg, scene.granule.epsg, always_xy=True).transform(x, y)
    column = ((x - scene.granule.west) // step).astype(np.int64)
    row = ((scene.granule.north - y) // step).astype(np.int64)
    count = SIDE // step
    return column, row, (column >= 0) & (column < count) & (row >= 0) & (row < count)


def _mosaic(
    stack: list[Scene], band: str, epsg: int, x: NDArray[Any], y: NDArray[Any], fill: int
) -> NDArray[np.uint16]:
    name = band.replace("B0", "B")
    out = np.full(x.shape, fill, np.uint16)
    for scene in stack:
        column, row, inside = _native(scene, RESOLUTION[name], epsg, x, y)
        values, valid = scene.reflectance(name, column, row)
        keep = inside & valid
        out[keep] = values[keep].astype(np.uint16)
    return out


def _scores(
    stack: list[Scene], name: str, epsg: int, x: NDArray[Any], y: NDArray[Any]
) -> NDArray[np.uint8]:
    out = np.full(x.shape, 255, np.uint8)
    for scene in stack:
        column, row, inside = _native(scene, 10, epsg, x, y)
        values, valid = scene.score(name, column, row)
        keep = inside & valid
        percent = np.floor(values * 100 + 0.5)
        out[keep] = percent[keep].astype(np.uint8) if scene.scored else 255
    return out


def _layers(
    tile: Tile, area: Area, x: NDArray[Any], y: NDArray[Any]
) -> dict[str, NDArray[np.uint8]]:
    layers = {}
    year = area.end.year
    if "worldcover" in area.labels:
        lon, lat = Transformer.from_crs(tile.epsg, 4326, always_xy=True).transform(x, y)
        lon = -180 + (np.floor((lon + 180) * 12_000) + 0.5) / 12_000
        lat = 84 - (np.floor((84 - lat) * 12_000) + 0.5) / 12_000
        codes = landscape.WORLDCOVER_CODE[landscape.parcel(lon, lat)[0]]
        layers["worldcover"] = codes if year > 2020 else np.where(codes == 30, 20, codes)
    if "cdl" in area.labels:
        step = 10 if year >= 2024 else 30
        east, north = Transformer.from_crs(tile.epsg, 5070, always_xy=True).transform(x, y)
        column = np.floor((east + 2356095) / step)
        row = np.floor((3172605 - north) / step)
        back = Transformer.from_crs(5070, 4326, always_xy=True)
        lon, lat = back.transform(-2356095 + (column + 0.5) * step, 3172605 - (row + 0.5) * step)
        inside = (lon > -125) & (lon < -66) & (lat > 25) & (lat < 49)
        codes = landscape.CDL_CODE[landscape.parcel(lon, lat)[0]]
        layers["cdl"] = np.where(inside, codes, 0).astype(np.uint8)
        if year != 2019:
            confidence = landscape.mix(column.astype(np.int64), row.astype(np.int64), 5) % 101
            layers["cdl_confidence"] = np.where(inside, confidence, 255).astype(np.uint8)
    return layers
