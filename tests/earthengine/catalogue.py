"""The assets of the local Earth Engine, generated for the places and seasons of a test.

Granules have the size and lattice of the real ones (109.8 km every 100 km, so that neighbours
overlap by 9.8 km) in every UTM zone that a place touches. Their pixels are functions of place and
date; nothing is stored. On chosen dates things go wrong the way they do in the real archive:
see `_passes`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earthengine import embeddings, landscape
from earthengine.images import (
    DOUBLE,
    UINT8,
    UINT16,
    Grid,
    Image,
    Pixels,
    raster,
    transformer,
)

S2 = "COPERNICUS/S2_SR_HARMONIZED"
SCORES = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
WORLDCOVER = {2020: "ESA/WorldCover/v100", 2021: "ESA/WorldCover/v200"}
CDL = "USDA/NASS/CDL"
CDL_YEARS = range(2008, 2025)
CDL_WITHOUT_CONFIDENCE = 2019

RESOLUTION = {
    "B1": 60, "B2": 10, "B3": 10, "B4": 10, "B5": 20, "B6": 20, "B7": 20, "B8": 10,
    "B8A": 20, "B9": 60, "B11": 20, "B12": 20,
}  # fmt: skip
SIDE = 109_800
"""Side of a granule, metres."""
REPROCESSED = 11
"""Added to every pixel of a newer processing, so that the choice between the two shows."""


@dataclass(frozen=True)
class Place:
    """Bounds in degrees and a season for which scenes exist."""

    west: float
    south: float
    east: float
    north: float
    start: date
    end: date


@dataclass(frozen=True)
class Granule:
    """A granule's place: UTM zone and upper left corner, metres."""

    epsg: int
    west: int
    north: int

    @property
    def mgrs(self) -> str:
        """A made-up but unique name of the usual length."""
        letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
        column, row = round(self.west / 1e5), round(self.north / 1e5)
        return f"{self.epsg % 100:02d}T{letters[column % 24]}{letters[row % 24]}"

    def grid(self, resolution: int) -> Grid:
        transform = (resolution, 0.0, self.west, 0.0, -resolution, self.north)
        return Grid(f"EPSG:{self.epsg}", transform, SIDE // resolution, SIDE // resolution)

    @property
    def ring(self) -> list[tuple[float, float]]:
        """Outline in degrees, eight points a side."""
        step = np.linspace(0, SIDE, 9)
        x = np.concatenate([step, np.full(9, SIDE), step[::-1], np.zeros(9)]) + self.west
        y = self.north - np.concatenate([np.zeros(9), step, np.full(9, SIDE), step[::-1]])
        lon, lat = transformer(f"EPSG:{self.epsg}", "EPSG:4326").transform(x, y)
        return list(zip(lon.tolist(), lat.tolist(), strict=True))


@dataclass(frozen=True)
class Scene:
    """One product of one granule."""

    granule: Granule
    sensed: datetime
    orbit: int
    strip_second: int = 0
    """Seconds between datatake and datastrip: what tells two halves of a split datatake apart."""
    baseline: str = "05.00"
    generated_days: int = 1
    scored: bool = True
    keep: str = "all"
    """`all`, `west` of a slanted swath edge, or the `north` / `south` part of a split granule."""

    @property
    def datatake(self) -> datetime:
        """Start of the datatake: the same for all granules of a pass."""
        return self.sensed.replace(second=0, microsecond=0)

    @property
    def index(self) -> str:
        made = self.sensed + timedelta(days=self.generated_days, seconds=self.strip_second)
        return f"{self.datatake:%Y%m%dT%H%M%S}_{made:%Y%m%dT%H%M%S}_T{self.granule.mgrs}"

    @property
    def properties(self) -> dict[str, Any]:
        strip = self.datatake + timedelta(seconds=self.strip_second)
        craft = "2A" if self.orbit % 2 else "2B"
        take = f"GS{craft}_{self.datatake:%Y%m%dT%H%M%S}_{self.orbit:06d}_N{self.baseline}"
        generated = self.sensed + timedelta(days=self.generated_days)
        return {
            "system:index": self.index,
            "system:time_start": round(self.sensed.timestamp() * 1000),
            "system:time_end": round(self.sensed.timestamp() * 1000),
            "DATATAKE_IDENTIFIER": take,
            "DATASTRIP_ID": f"S{craft}_OPER_MSI_L2A_DS_SIMU_{generated:%Y%m%dT%H%M%S}"
            f"_S{strip:%Y%m%dT%H%M%S}_N{self.baseline}",
            "MGRS_TILE": self.granule.mgrs,
            "PROCESSING_BASELINE": self.baseline,
            "GENERATION_TIME": round(generated.timestamp() * 1000),
            "PRODUCT_ID": f"S{craft}_MSIL2A_{self.datatake:%Y%m%dT%H%M%S}_N"
            f"{self.baseline.replace('.', '')}_T{self.granule.mgrs}_{generated:%Y%m%dT%H%M%S}",
            "SPACECRAFT_NAME": f"Sentinel-{craft}",
            "CLOUDY_PIXEL_PERCENTAGE": 40.0,
        }

    @property
    def salt(self) -> int:
        """What makes the noise of this acquisition its own (both processings share it)."""
        return int(self.sensed.timestamp()) % 1_000_003

    def valid(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Where the product has pixels, by easting and northing."""
        across, down = x - self.granule.west, self.granule.north - y
        if self.keep == "west":
            return np.broadcast_to(across + 0.2 * down < EDGE, np.broadcast(x, y).shape)
        if self.keep == "north":
            return np.broadcast_to(down < SPLIT + 600, np.broadcast(x, y).shape)
        if self.keep == "south":
            return np.broadcast_to(down >= SPLIT, np.broadcast(x, y).shape)
        return np.ones(np.broadcast(x, y).shape, bool)

    def reflectance(self, band: str, column: NDArray[np.int64], row: NDArray[np.int64]) -> Pixels:
        """Stored integers and mask at native pixels of a band."""
        step = RESOLUTION[band]
        x = self.granule.west + (column + 0.5) * step
        y = self.granule.north - (row + 0.5) * step
        *_, cover, shift = ground(self.granule.epsg, _Key(x), _Key(y))
        values = landscape.clean(cover, shift, self.sensed.timetuple().tm_yday, band)
        noise = landscape.mix(column, row, self.salt * 13 + list(RESOLUTION).index(band))
        values = values * (0.9 + 0.2 * (noise & np.uint32(0xFFFF)) / 0xFFFF)
        cloud = cloudiness(self.granule.epsg, _Key(x), _Key(y), self.day)
        values = values * (1 - cloud) + 7000 * cloud
        if self.baseline != "05.00":
            values = values + REPROCESSED
        # A dark pixel may truly be 0: it must not be taken for a missing one.
        values = np.where(noise % np.uint32(97) == 0, 0, np.round(values))
        return values, self.valid(x, y)

    @property
    def day(self) -> int:
        return (self.sensed.date() - date(1970, 1, 1)).days

    def score(self, name: str, column: NDArray[np.int64], row: NDArray[np.int64]) -> Pixels:
        """Cloud Score+ at native (10 m) pixels: 1 clear, 0 cloudy, in steps of 1/200."""
        x = self.granule.west + (column + 0.5) * 10
        y = self.granule.north - (row + 0.5) * 10
        cloud = cloudiness(self.granule.epsg, _Key(x), _Key(y), self.day)
        clear = (1 - cloud) if name == "cs_cdf" else (1 - cloud) ** 2
        return np.round(clear * 200) / 200, self.valid(x, y)

    def image(self) -> Image:
        """The Sentinel-2 asset."""
        bands = [
            raster(
                name,
                UINT16,
                self.granule.grid(step),
                lambda column, row, name=name: self.reflectance(name, column, row),
            )
            for name, step in RESOLUTION.items()
        ]
        return Image(tuple(bands), self.properties, f"{S2}/{self.index}")

    def score_image(self) -> Image:
        """The Cloud Score+ asset."""
        bands = [
            raster(
                name,
                DOUBLE,
                self.granule.grid(10),
                lambda column, row, name=name: self.score(name, column, row),
            )
            for name in ("cs", "cs_cdf")
        ]
        kept = ("system:index", "system:time_start", "MGRS_TILE")
        properties = {name: self.properties[name] for name in kept}
        return Image(tuple(bands), properties, f"{SCORES}/{self.index}")


EDGE = 60_000.0
"""Where the swath of a partial granule ends, metres from its west edge at its north edge."""
SPLIT = 55_000.0
"""Where a split granule changes datastrip, metres from its north edge."""


class _Key:
    """An array that can be a cache key, by its bytes."""

    def __init__(self, array: NDArray[np.float64]) -> None:
        self.array = array
        self.digest = hash((array.shape, array.tobytes()))

    def __hash__(self) -> int:
        return self.digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.digest == other.digest


@lru_cache(maxsize=64)
def ground(epsg: int, x: _Key, y: _Key) -> tuple[Any, Any, NDArray[np.uint8], NDArray[np.int64]]:
    """Longitude, latitude, cover and shift of season at UTM places."""
    places = np.broadcast_arrays(x.array, y.array)
    lon, lat = transformer(f"EPSG:{epsg}", "EPSG:4326").transform(*places)
    return lon, lat, *landscape.parcel(lon, lat)


@lru_cache(maxsize=64)
def cloudiness(epsg: int, x: _Key, y: _Key, day: int) -> NDArray[np.float64]:
    lon, lat, *_ = ground(epsg, x, y)
    return landscape.clouds(lon, lat, day)


def worldcover_image(year: int) -> Image:
    """The WorldCover asset: EPSG:4326, 1/12,000 degree."""
    step = 1 / 12_000
    grid = Grid("EPSG:4326", (step, 0.0, -180.0, 0.0, -step, 84.0), 4_320_000, 1_728_000)

    def pixels(column: NDArray[np.int64], row: NDArray[np.int64]) -> Pixels:
        lon, lat = -180 + (column + 0.5) * step, 84 - (row + 0.5) * step
        cover, _ = landscape.parcel(lon, lat)
        codes = landscape.WORLDCOVER_CODE[cover]
        if year == 2020:
            codes = np.where(codes == 30, 20, codes)  # v100 says shrubland for grassland
        return codes, np.ones(codes.shape, bool)

    start = round(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000)
    properties = {"system:index": str(year), "system:time_start": start}
    return Image((raster("Map", UINT8, grid, pixels),), properties, f"{WORLDCOVER[year]}/{year}")


def cdl_image(year: int) -> Image:
    """The CDL asset: EPSG:5070, 30 m (10 m from 2024), masked outside the conterminous US."""
    step = 10 if year >= 2024 else 30
    grid = Grid(
        "EPSG:5070",
        (step, 0.0, -2356095.0, 0.0, -step, 3172605.0),
        4_614_330 // step,
        2_895_690 // step,
    )

    def place(column: NDArray[np.int64], row: NDArray[np.int64]) -> tuple[Any, Any]:
        x = grid.transform[2] + (column + 0.5) * step
        y = grid.transform[5] - (row + 0.5) * step
        return transformer("EPSG:5070", "EPSG:4326").transform(x, y)

    def in_us(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.bool_]:
        return (lon > -125) & (lon < -66) & (lat > 25) & (lat < 49)

    def cropland(column: NDArray[np.int64], row: NDArray[np.int64]) -> Pixels:
        lon, lat = place(column, row)
        return landscape.CDL_CODE[landscape.parcel(lon, lat)[0]], in_us(lon, lat)

    def confidence(column: NDArray[np.int64], row: NDArray[np.int64]) -> Pixels:
        lon, lat = place(column, row)
        return landscape.mix(column, row, 5) % 101, in_us(lon, lat)

    bands = [raster("cropland", UINT8, grid, cropland)]
    if year != CDL_WITHOUT_CONFIDENCE:
        bands.append(raster("confidence", UINT8, grid, confidence))
    start = round(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000)
    properties = {"system:index": str(year), "system:time_start": start}
    return Image(tuple(bands), properties, f"{CDL}/{year}")


class Catalogue:
    """Collections by id, images by id."""

    def __init__(self, places: Iterable[Place]) -> None:
        places = list(places)
        self.scenes = {scene.index: scene for place in places for scene in _scenes(place)}
        ordered = sorted(self.scenes.values(), key=lambda scene: scene.index)
        self.collections: dict[str, list[Image]] = {
            S2: [scene.image() for scene in ordered],
            SCORES: [scene.score_image() for scene in ordered if scene.scored],
            CDL: [cdl_image(year) for year in CDL_YEARS],
            embeddings.EMBEDDINGS: embeddings.images(places),
            **{asset: [worldcover_image(year)] for year, asset in WORLDCOVER.items()},
        }
        self.images = {
            str(image.id): image for images in self.collections.values() for image in images
        }

    def footprint(self, image: Image) -> list[tuple[float, float]] | None:
        """Outline of an image in degrees; None for the whole world."""
        scene = self.scenes.get(str(image.properties["system:index"]))
        return scene.granule.ring if scene else image.properties.get("system:footprint")


def granules(place: Place) -> list[Granule]:
    """Granules that touch a place, in every UTM zone it touches."""
    found = []
    first = int((place.west + 180) // 6) + 1
    last = int((place.east + 180) // 6) + 1
    for zone in range(first, last + 1):
        edge_west, edge_east = zone * 6 - 186, zone * 6 - 180
        west, east = max(place.west, edge_west - 0.4), min(place.east, edge_east + 0.4)
        # A place may go on beyond 180 degrees, where zone 1 follows zone 60.
        epsg = (32600 if place.north > 0 else 32700) + (zone - 1) % 60 + 1
        corners = np.array([[west, place.south], [west, place.north],
                            [east, place.south], [east, place.north]])  # fmt: skip
        x, y = transformer("EPSG:4326", f"EPSG:{epsg}").transform(corners[:, 0], corners[:, 1])
        for column in range(math.floor(x.min() / 1e5) - 1, math.floor(x.max() / 1e5) + 1):
            for row in range(math.floor(y.min() / 1e5), math.floor(y.max() / 1e5) + 2):
                left = math.floor(column * 1e5 / 60) * 60
                top = math.ceil((row + 1) * 1e5 / 60) * 60
                if left + SIDE > x.min() and top - SIDE < y.max() and top > y.min():
                    found.append(Granule(epsg, left, top))
    return found


def _scenes(place: Place) -> Iterator[Scene]:
    """Passes every five days; every third pass has one of the archive's oddities."""
    for number, day in enumerate(range(0, (place.end - place.start).days + 1, 5)):
        sensed = datetime.combine(place.start, datetime.min.time(), UTC)
        sensed += timedelta(days=day, hours=17, minutes=8)
        for granule in granules(place):
            # Granules of one datatake are sensed seconds apart. The order is the granule's own, so
            # that places that share a granule have the same scenes of it.
            order = (round(granule.west / 1e5) + 2 * round(granule.north / 1e5)) % 4
            start = sensed + timedelta(seconds=3 + 14 * order)
            yield from _products(Scene(granule, start, 22_000 + number), number, order)


def _products(scene: Scene, number: int, order: int) -> Iterator[Scene]:
    match number % 12:
        case 2:  # reprocessed: two products of each granule, the newer one to be taken
            yield scene
            yield replace(scene, baseline="05.10", generated_days=400)
        case 4:  # a granule without its Cloud Score+ partner
            yield replace(scene, scored=order % 2 == 1)
        case 6:  # a datatake split into two datastrips in the middle of a granule
            yield replace(scene, keep="north")
            yield replace(scene, keep="south", strip_second=7)
        case 8:  # the edge of the swath runs through the granule
            yield replace(scene, keep="west")
        case 10:  # two satellites on one day: two datatakes
            yield scene
            later = scene.sensed + timedelta(minutes=25)
            yield replace(scene, sensed=later, orbit=scene.orbit + 9000)
        case 11:  # nobody has scores yet
            yield replace(scene, scored=False)
        case _:
            yield scene
