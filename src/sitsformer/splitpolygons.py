"""A user's polygons of train, validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

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
    """Polygons of each split in or near a tile, in its UTM zone.

    Args:
        frame: of `read`.
        tile: the tile.
    """
    from pyproj import CRS
    from shapely import intersection, is_empty

    shapes, words = frame.geometry.to_numpy(), frame[COLUMN].to_numpy()
    if frame.crs.to_epsg() != tile.epsg:
        # To degrees, in which every place has coordinates, then what is near to the UTM zone.
        shapes = intersection(project(shapes, frame.crs, 4326), _window(tile))
        there = ~is_empty(shapes)
        shapes = project(shapes[there], CRS.from_epsg(4326), tile.epsg)
        words = words[there]
    return {name: list(shapes[words == name]) for name in SPLITS}


def _window(tile: Tile) -> BaseGeometry:
    """A tile and MARGIN around it in degrees: one box, or two where it touches 180 degrees."""
    from pyproj import Transformer
    from shapely import box, union

    left, low, right, top = tile.bounds
    west, south, east, north = Transformer.from_crs(
        tile.epsg, 4326, always_xy=True
    ).transform_bounds(left - MARGIN, low - MARGIN, right + MARGIN, top + MARGIN)
    if west <= east:
        return box(west, south, east, north)
    return union(box(west, south, 180, north), box(-180, south, east, north))


def problems(path: str, tiles: Sequence[Tile]) -> list[str]:
    """What a file of split polygons lacks for the tiles of a set: splits without a polygon there.

    Raises:
        ConfigError: as `read`.
    """
    from shapely import box

    frame = read(path)
    met = set()
    for tile in tiles:
        square = box(*tile.bounds)
        for name, shapes in near(frame, tile).items():
            if any(shape.intersects(square) for shape in shapes):
                met.add(name)
        if met == set(SPLITS):
            return []
    lacking = [name for name in ("train", "test") if name not in met]
    if not lacking:
        return []
    west, south, east, north = frame.to_crs(4326).total_bounds
    return [
        f"split polygons {expand(path)}: no polygon of {' and '.join(lacking)} touches a tile of "
        f"the set; the polygons lie at {west:.4f} to {east:.4f} degrees east and {south:.4f} to "
        f"{north:.4f} north: draw them over the set's areas, or set the coordinate reference "
        "system that their coordinates are in"
    ]
