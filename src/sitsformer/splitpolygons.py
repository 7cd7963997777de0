"""A user's polygons of train, validation and test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from sitsformer.config import ConfigError, Split, expand
from sitsformer.grid import Tile
from sitsformer.polygons import mended, project
from sitsformer.polygons import read as read_polygons

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from shapely.geometry.base import BaseGeometry

COLUMN = "split"
SPLITS: tuple[Split, ...] = get_args(Split)

SPELLINGS = {
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validate": "validation",
    "testing": "test",
}
"""Other words for the splits, in small letters."""

MARGIN = 2000.0
"""Metres around a tile within which polygons are kept: what lies beyond may be on the other side of
the Earth, where the tile's UTM zone has no coordinates."""


def read(path: str) -> GeoDataFrame:
    """Features of a vector file with a `split`, valid, in the file's CRS.

    Features whose `split` is empty belong to none and are left out.

    Raises:
        ConfigError: the file cannot be read, has no column `split`, another word in it, or shapes
            that are no polygons.
    """
    file = expand(path)
    frame = read_polygons(file, "split polygons")
    where = f"split polygons {file}"
    columns = [c for c in frame.columns if str(c).strip().casefold() == COLUMN]
    if len(columns) != 1:
        raise ConfigError(
            f"{where} need one column `{COLUMN}` with {', '.join(SPLITS)}; found "
            f"{', '.join(sorted(map(str, set(frame.columns) - {frame.geometry.name}))) or 'none'}"
        )
    words = frame[columns[0]]
    words = words.where(words.notna(), "").astype(str).str.strip().str.casefold()
    words = words.replace(SPELLINGS)
    unknown = words[~words.isin([*SPLITS, ""])]
    if len(unknown):
        number = unknown.index[0]
        raise ConfigError(
            f"{where}: feature {number} has the split {str(frame[columns[0]][number])!r}; "
            f"write {', '.join(SPLITS)}, or nothing for a feature of none"
        )
    frame = frame.assign(**{COLUMN: words})[words != ""]
    if frame.empty:
        raise ConfigError(f"{where}: no feature has a split; write {', '.join(SPLITS)}")
    return mended(frame, where)


def near(frame: GeoDataFrame, tile: Tile) -> dict[str, list[BaseGeometry]]:
    """Polygons of each split in or near a tile, in its UTM zone."""
    from pyproj import CRS
    from shapely import intersection, is_empty

    shapes, words = frame.geometry.to_numpy(), frame[COLUMN].to_numpy()
    if frame.crs.to_epsg() != tile.epsg:
        # To degrees, in which every place has coordinates, then what is near to the UTM zone.
        shapes = intersection(project(shapes, frame.crs, 4326), window(tile))
        there = ~is_empty(shapes)
        shapes = project(shapes[there], CRS.from_epsg(4326), tile.epsg)
        words = words[there]
    return {name: list(shapes[words == name]) for name in SPLITS}


def window(tile: Tile) -> BaseGeometry:
    """A tile and MARGIN around it in degrees: one box, or two where it touches 180 degrees."""
    return window_of(tile.bounds, tile.epsg)


def window_of(bounds: tuple[float, float, float, float], epsg: int) -> BaseGeometry:
    """West, south, east, north in metres of a UTM zone, and MARGIN around, as `window` gives it."""
    from shapely import box, union

    left, low, right, top = bounds
    frame = left - MARGIN, low - MARGIN, right + MARGIN, top + MARGIN
    west, south, east, north = map(float, _to_degrees(epsg).transform_bounds(*frame))
    if west <= east:
        return box(west, south, east, north)
    return union(box(west, south, 180, north), box(-180, south, east, north))


@cache
def _to_degrees(epsg: int) -> Any:
    """Making one takes longer than all that is done with it, and areas have thousands of tiles."""
    from pyproj import Transformer

    return Transformer.from_crs(epsg, 4326, always_xy=True)


def problems(path: str, tiles: Sequence[Tile], wanted: Mapping[Split, str]) -> Iterator[str]:
    """What a file of split polygons lacks for the tiles of a set.

    `wanted`: splits that must have polygons -> who needs them. One polygon of any split must touch
    a tile in any case.

    Raises:
        ConfigError: as `read`.
    """
    frame = read(path)
    there, met = set(frame[COLUMN]), _met(frame, tiles)
    for part, who in wanted.items():
        if part not in there:
            yield f"{expand(path)} has no polygon for {part}, and {who} needs samples there"
    astray = [part for part in wanted if part in there - met]
    if not met:
        astray = [part for part in SPLITS if part in there]
    if astray:
        west, south, east, north = frame.to_crs(4326).total_bounds
        yield (
            f"split polygons {expand(path)}: no polygon of {' and '.join(astray)} touches a tile "
            f"of the set; the polygons lie at {west:.4f} to {east:.4f} degrees east and "
            f"{south:.4f} to {north:.4f} north: draw them over the set's areas, or set the "
            "coordinate reference system that their coordinates are in"
        )


def _met(frame: GeoDataFrame, tiles: Sequence[Tile]) -> set[str]:
    """Splits with a polygon that touches a tile."""
    from shapely import box

    met: set[str] = set()
    for tile in tiles:
        square = box(*tile.bounds)
        for name, shapes in near(frame, tile).items():
            if name not in met and any(shape.intersects(square) for shape in shapes):
                met.add(name)
        if met == set(SPLITS):
            break
    return met
