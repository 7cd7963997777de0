"""An area of the world -> tiles on one UTM grid.

The tiles are a pure function of the config, so that the workflow knows them before a job runs.
One area has one UTM zone, that of its centre. Areas that reach far out of it, across the
antimeridian or beyond UTM's latitudes are refused; the equator is no border (a tile keeps the
hemisphere of the area's centre, with northings below 0 or above 10,000,000 m where it crosses).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Area, ConfigError, expand
from sitsformer.errors import some
from sitsformer.polygons import mended, project
from sitsformer.polygons import read as read_polygons
from sitsformer.sensors import PIXEL, sensor_of

if TYPE_CHECKING:
    from affine import Affine
    from shapely.geometry.base import BaseGeometry


ZONE_MARGIN = 1.0
"""Degrees that an area may reach out of the UTM zone of its centre. At 4 degrees from the central
meridian the scale error is below 0.2 %, a fifth of a pixel over a 1 km tile."""

TILE_NAME = r"\d+_-?\d+_-?\d+"
"""Names of tiles: `{epsg}_{west}_{north}`."""

ROUNDING = 0.5
"""Metres by which an outline may reach over a line of the lattice and still lie on it: an outline
that was drawn along the lattice comes back from degrees of six decimals, and from straight lines
between them, by so much less exact. It is a twentieth of a pixel."""

UTM_SOUTH, UTM_NORTH = -80.0, 84.0
"""Latitudes between which UTM is defined."""


@dataclass(frozen=True)
class Tile:
    """A square of the UTM grid of an area.

    Attributes:
        area: name of the area.
        name: `{epsg}_{west}_{north}`.
        epsg: code of the UTM zone.
        west: easting of the left edge, metres.
        north: northing of the upper edge, metres.
        size: side, pixels.
        pixel: side of a pixel, metres.
    """

    area: str
    name: str
    epsg: int
    west: int
    north: int
    size: int
    pixel: int = PIXEL

    @property
    def transform(self) -> Affine:
        """Affine transform from (column, row) to (easting, northing)."""
        from affine import Affine

        return Affine(self.pixel, 0, self.west, 0, -self.pixel, self.north)

    @property
    def corner(self) -> int:
        """Edges of its pixels lie at multiples of `pixel` plus this, metres."""
        return self.west % self.pixel

    @property
    def side(self) -> int:
        """Side, metres."""
        return self.size * self.pixel

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """West, south, east, north, metres."""
        return self.west, self.north - self.side, self.west + self.side, self.north

    @cached_property
    def x(self) -> NDArray[np.float64]:
        """Eastings of the pixel centres (x,), metres."""
        return self.west + self.pixel * (np.arange(self.size, dtype=np.float64) + 0.5)

    @cached_property
    def y(self) -> NDArray[np.float64]:
        """Northings of the pixel centres (y,), metres, from north to south."""
        return self.north - self.pixel * (np.arange(self.size, dtype=np.float64) + 0.5)


def area_geometry(area: Area) -> BaseGeometry:
    """Outline of an area in degrees (WGS 84).

    Raises:
        ConfigError: the geometry file cannot be read, or holds anything but polygons.
    """
    shape, crs = _shape(area)
    degrees: BaseGeometry = project(shape, crs, 4326)
    return degrees


def _shape(area: Area) -> tuple[BaseGeometry, Any]:
    """Outline of an area as it is given, and its CRS."""
    from pyproj import CRS
    from shapely.geometry import box

    if area.bounds is not None:
        return box(*area.bounds), CRS.from_epsg(4326)
    path = expand(str(area.geometry))
    frame = mended(read_polygons(path, "geometry"), f"geometry {path}")
    return frame.union_all(), frame.crs


def utm_epsg(lon: float, lat: float) -> int:
    """EPSG code of the plain UTM zone (6 degrees wide, without the Norwegian exceptions)."""
    zone = min(int((lon + 180) // 6) + 1, 60)
    return (32600 if lat >= 0 else 32700) + zone


def tiles(name: str, area: Area) -> list[Tile]:
    """Tiles of an area, from north to south and west to east.

    The lattice starts at the area's own corner, snapped to the grid of its sensor (60 m); tiles
    that touch the area are kept, or `tiles.count` of them drawn with `tiles.seed`.

    Raises:
        ConfigError: the area cannot be put on one UTM grid, or has no or too few tiles.
    """
    import shapely

    epsg, shape = outline(name, area)
    west, south, east, north = shape.bounds
    sensor = sensor_of(area)
    snap, corner, side = sensor.snap, sensor.corner, area.tiles.size * sensor.pixel
    # What reaches over a line of the lattice by less than ROUNDING lies on the line.
    first_west = math.floor((west + ROUNDING - corner) / snap) * snap + corner
    first_north = math.ceil((north - ROUNDING - corner) / snap) * snap + corner
    rows = range(first_north, math.floor(south + ROUNDING), -side)
    columns = range(first_west, math.ceil(east - ROUNDING), side)
    # All at once: an area may have tens of thousands, and Snakemake's start asks for them.
    lefts, tops = (axis.ravel() for axis in np.meshgrid(columns, rows))
    inner, outer = ROUNDING, side - ROUNDING
    squares = shapely.box(lefts + inner, tops - outer, lefts + outer, tops - inner)
    shapely.prepare(shape)
    touched = shapely.intersects(shape, squares)
    found = [
        Tile(name, f"{epsg}_{left}_{top}", epsg, left, top, area.tiles.size, sensor.pixel)
        for left, top in zip(lefts[touched].tolist(), tops[touched].tolist(), strict=True)
    ]
    if not found:
        raise ConfigError(
            f"areas.{name}: the area has no tiles; it is {east - west:.2f} x {north - south:.2f} m "
            "small, draw a larger one"
        )
    if area.tiles.count == "all":
        return found
    if area.tiles.count > len(found):
        raise ConfigError(
            f"areas.{name}.tiles.count: {area.tiles.count} tiles asked for, the area has "
            f"{len(found)}; ask for fewer, or for `all`"
        )
    order = np.random.default_rng(area.tiles.seed).permutation(len(found))
    return [found[i] for i in sorted(order[: area.tiles.count])]


def find_tile(area_name: str, area: Area, tile_name: str) -> Tile:
    """The tile of an area by its name.

    Raises:
        ConfigError: the area has no such tile.
    """
    known = {tile.name: tile for tile in tiles(area_name, area)}
    if tile_name not in known:
        raise ConfigError(
            f"areas.{area_name} has no tile {tile_name!r}; it has {some(list(known))}"
        )
    return known[tile_name]


def within_blocks(
    centres: NDArray[np.float64], side: float, size: int, pixel: int
) -> NDArray[np.bool_]:
    """Pixels whose patch does not reach over a border of blocks, along one axis.

    Args:
        centres: eastings or northings of pixel centres, metres.
        side: of a block, metres.
        size: side of a patch, pixels.
        pixel: side of a pixel, metres.
    """
    reach = (size // 2) * pixel
    return np.asarray(np.floor((centres - reach) / side) == np.floor((centres + reach) / side))


def to_lonlat(
    epsg: int, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eastings and northings (metres) -> longitudes and latitudes (degrees), same shapes."""
    from pyproj import Transformer

    lon, lat = Transformer.from_crs(epsg, 4326, always_xy=True).transform(x, y)
    return np.asarray(lon, np.float64), np.asarray(lat, np.float64)


def _zone_of(name: str, geometry: BaseGeometry) -> int:
    west, south, east, north = geometry.bounds
    if south < UTM_SOUTH or north > UTM_NORTH:
        raise ConfigError(
            f"areas.{name}: latitudes {south:.2f} to {north:.2f} reach beyond UTM "
            f"({UTM_SOUTH:.0f} to {UTM_NORTH:.0f}); give an area inside"
        )
    if east - west > 180:
        raise ConfigError(
            f"areas.{name}: the area spans {east - west:.0f} degrees of longitude; an area "
            "across the antimeridian must be given as two areas"
        )
    lon, lat = (west + east) / 2, (south + north) / 2
    epsg = utm_epsg(lon, lat)
    zone_west = (epsg % 100 - 1) * 6 - 180
    if west < zone_west - ZONE_MARGIN or east > zone_west + 6 + ZONE_MARGIN:
        raise ConfigError(
            f"areas.{name}: longitudes {west:.2f} to {east:.2f} reach more than "
            f"{ZONE_MARGIN:.0f} degree out of UTM zone {epsg % 100} ({zone_west} to "
            f"{zone_west + 6}); split the area at the zone border"
        )
    return epsg


def outline(name: str, area: Area) -> tuple[int, BaseGeometry]:
    """UTM zone of an area, and its outline there.

    Raises:
        ConfigError: the geometry file cannot be used, or the area reaches too far out of a zone.
    """
    shape, crs = _shape(area)
    epsg = _zone_of(name, project(shape, crs, 4326))
    return epsg, project(shape, crs, epsg)


def geometry_file(area: Area) -> Path | None:
    """The geometry file of an area, as an input of the workflow; None where bounds are given."""
    return None if area.geometry is None else expand(area.geometry)
