"""Made embeddings: a direction for each cover of the landscape, and noise; a function of place.

As in the real collection an image is a square of 163,840 m in a UTM zone and year, pixels are 10 m,
values are what the publisher's bytes stand for, and where one axis is masked all are. Two crops
point almost the same way, so that telling them apart takes labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earthengine import landscape
from earthengine.images import DOUBLE, Grid, Image, Pixels, raster, transformer

if TYPE_CHECKING:
    from earthengine.catalogue import Place

EMBEDDINGS = "GOOGLE/SATELLITE_EMBEDDING/V1/ANNUAL"
YEARS = range(2017, 2025)
AXES = 64
SIDE = 163_840
"""Side of an image, metres."""
NOISE = 0.25
"""Largest noise of an axis; a direction has a length of 1."""


def _directions() -> NDArray[np.float64]:
    found = np.random.default_rng(8).normal(size=(len(landscape.COVERS), AXES))
    found[1] = found[0] + 0.35 * found[1]
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


DIRECTIONS = _directions()
"""(cover, axis)"""


def stored(
    epsg: int, x: NDArray[np.float64], y: NDArray[np.float64], year: int, axis: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The publisher's bytes at centres of pixels of a UTM zone, and where there are any."""
    column, row = np.floor(x / 10).astype(np.int64), np.floor(y / 10).astype(np.int64)
    draw = landscape.mix(column, row, 1000 * year + axis) / 2**32
    value = DIRECTIONS[_cover(epsg, _Key(x), _Key(y)), axis] + NOISE * (2 * draw - 1)
    byte = np.sign(value) * np.floor(127.5 * np.sqrt(np.abs(value)) + 0.5)
    return byte.astype(np.int64), landscape.mix(column // 5, row // 5, 77) % 31 != 0


class _Key:
    """An array that can be a cache key."""

    def __init__(self, array: NDArray[np.float64]) -> None:
        self.array = np.asarray(array)
        self.bytes = self.array.tobytes()

    def __hash__(self) -> int:
        return hash((self.array.shape, self.bytes))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.bytes == other.bytes


@lru_cache(maxsize=16)
def _cover(epsg: int, x: _Key, y: _Key) -> NDArray[np.uint8]:
    places = np.broadcast_arrays(x.array, y.array)
    return landscape.parcel(*transformer(f"EPSG:{epsg}", "EPSG:4326").transform(*places))[0]


def images(places: Iterable[Place], years: Iterable[int] = YEARS) -> list[Image]:
    """The images of every square and zone that some places touch."""
    squares = dict.fromkeys(square for place in places for square in _squares(place))
    return [_image(*square, year) for year in years for square in squares]


def _squares(place: Place) -> Iterator[tuple[int, int, int]]:
    """UTM zone, column and row of squares."""
    for zone in range(int((place.west + 180) // 6) + 1, int((place.east + 180) // 6) + 2):
        epsg = (32600 if place.north > 0 else 32700) + zone
        lon = np.array([place.west, place.west, place.east, place.east])
        lat = np.array([place.south, place.north, place.south, place.north])
        x, y = transformer("EPSG:4326", f"EPSG:{epsg}").transform(lon, lat)
        for column in range(math.floor(x.min() / SIDE), math.floor(x.max() / SIDE) + 1):
            for row in range(math.floor(y.min() / SIDE), math.floor(y.max() / SIDE) + 1):
                yield epsg, column, row


def _image(epsg: int, column: int, row: int, year: int) -> Image:
    west, north = column * SIDE, (row + 1) * SIDE
    grid = Grid(f"EPSG:{epsg}", (10.0, 0.0, west, 0.0, -10.0, north), SIDE // 10, SIDE // 10)

    def pixels(axis: int) -> Any:
        def read(across: NDArray[np.int64], down: NDArray[np.int64]) -> Pixels:
            x, y = west + 10 * across + 5.0, north - 10 * down - 5.0
            byte, there = stored(epsg, x, y, year, axis)
            return np.sign(byte) * (np.abs(byte) / 127.5) ** 2, there

        return read

    bands = tuple(raster(f"A{axis:02d}", DOUBLE, grid, pixels(axis)) for axis in range(AXES))
    index = f"{year}_{epsg}_{column}_{row}"
    properties = {
        "system:index": index,
        "system:time_start": round(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000),
        "UTM_ZONE": f"{epsg % 100}{'N' if epsg < 32700 else 'S'}",
        "system:footprint": _ring(epsg, west, north),
    }
    return Image(bands, properties, f"{EMBEDDINGS}/{index}")


def _ring(epsg: int, west: int, north: int) -> list[tuple[float, float]]:
    step = np.linspace(0, SIDE, 9)
    x = np.concatenate([step, np.full(9, SIDE), step[::-1], np.zeros(9)]) + west
    y = north - np.concatenate([np.zeros(9), step, np.full(9, SIDE), step[::-1]])
    lon, lat = transformer(f"EPSG:{epsg}", "EPSG:4326").transform(x, y)
    return list(zip(lon.tolist(), lat.tolist(), strict=True))
