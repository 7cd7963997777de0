"""Claims of features -> labels of the pixels of one tile, each pixel with one feature at most.

What a tile says does not depend on which tile is asked: a polygon's pixels are drawn over all of
it, so that a field in two tiles gives `per_polygon` samples and not twice as many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Area
from sitsformer.grid import Tile, within_blocks
from sitsformer.labels import kinds
from sitsformer.splitmix import GOLDEN, mix
from sitsformer.splitpolygons import window, window_of
from sitsformer.surveys.claims import Claims, centres
from sitsformer.surveys.reading import Surveyed

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from shapely.geometry.base import BaseGeometry

Counts = dict[int, dict[str, int]]
"""Feature, numbered from 1 -> reason -> pixels."""


@dataclass(frozen=True)
class Placed:
    """What a survey says of a tile.

    Attributes:
        codes: (y, x) codes of the legend; its `no_label` where no sample is asked for.
        feature: (y, x) int64 number of the feature that a pixel's label is from; 0 none.
        lost: pixels of features in the tile that are not in `codes`, by reason; a feature of
            another season, and one without a pixel of its own, counts as one.
    """

    codes: NDArray[np.integer[Any]]
    feature: NDArray[np.int64]
    lost: Counts


def place(
    surveyed: Surveyed,
    area: Area,
    tiles: Sequence[Tile],
    tile: Tile,
    *,
    size: int,
    block: float | None,
) -> Placed:
    """Give the pixels of a tile their labels.

    Args:
        surveyed: the features.
        area: that the tile is of; features of other seasons are not placed.
        tiles: of the area; the pixels of a polygon are drawn among theirs.
        tile: one of them.
        size: side of a patch, pixels.
        block: side of the blocks that no patch may reach out of, metres; None without.
    """
    lost: Counts = {}
    here = touching(surveyed, tile)
    season = surveyed.of_season(area)
    for position in here[~season[here]].tolist():
        lost[position + 1] = {"season": 1}
    here = here[season[here]]
    around = _overlapping(surveyed, here, season, tile.pixel)
    survey = surveyed.survey
    features = cut(surveyed.some(around), tiles)
    claims = kinds()[survey.kind].claims(features, tile, survey)
    reason = np.full(len(claims.feature), "", object)
    reason[claims.eroded] = "erosion"
    _share(surveyed, claims, reason)
    if survey.per_polygon != "all" and survey.kind == "polygons":
        free = (reason == "") & eligible(claims, tiles, size, block)
        rank = _ranks(claims, free, survey.seed)
        reason[free & (rank >= survey.per_polygon)] = "per_polygon"
    without = np.setdiff1d(here, claims.feature)
    for position in without.tolist():
        lost[position + 1] = {"no_pixel": 1}
    column = claims.column - tile.west // tile.pixel
    row = tile.north // tile.pixel - 1 - claims.row
    inside = (column >= 0) & (column < tile.size) & (row >= 0) & (row < tile.size)
    gone = inside & (reason != "")
    for position, why in zip(claims.feature[gone].tolist(), reason[gone], strict=True):
        counts = lost.setdefault(position + 1, {})
        counts[why] = counts.get(why, 0) + 1
    kept = inside & (reason == "")
    legend = surveyed.legend
    codes = np.full((tile.size, tile.size), legend.no_label, legend.dtype)
    feature = np.zeros((tile.size, tile.size), np.int64)
    codes[row[kept], column[kept]] = surveyed.code[claims.feature[kept]]
    feature[row[kept], column[kept]] = claims.feature[kept] + 1
    return Placed(codes, feature, lost)


def touching(surveyed: Surveyed, tile: Tile) -> NDArray[np.int64]:
    """Features that can be used and lie in a tile, some of them at least; positions, ascending."""
    from pyproj import CRS
    from shapely import box, intersection, intersects

    from sitsformer.polygons import project

    near = _near(surveyed, np.array([window(tile).bounds]))
    if not len(near):  # of most tiles of a county
        return near
    shapes = surveyed.frame.geometry.to_numpy()[near]
    if surveyed.frame.crs.to_epsg() != tile.epsg:
        shapes = project(shapes, surveyed.frame.crs, 4326)
        # What lies far outside of the zone has no coordinates there.
        shapes = project(intersection(shapes, window(tile)), CRS.from_epsg(4326), tile.epsg)
    # A pixel has its western and southern edge, not the others.
    west, south, east, north = tile.bounds
    found: NDArray[np.int64] = near[intersects(shapes, box(west, south, east - 1e-6, north - 1e-6))]
    return found


def _near(surveyed: Surveyed, boxes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Features that can be used and may meet one of some boxes (box, 4) in degrees."""
    from shapely import box

    asked = np.array([box(*one) for one in boxes.tolist()], object)
    found = np.unique(surveyed.tree.query(asked)[1]).astype(np.int64)
    usable: NDArray[np.int64] = found[surveyed.lost[found] == ""]
    return usable


def _overlapping(
    surveyed: Surveyed, some: NDArray[np.int64], season: NDArray[np.bool_], pixel: int
) -> NDArray[np.int64]:
    """Some features and all of their season that may share pixels with them, ascending."""
    if not len(some):
        return some
    margin = 3.0 * pixel / 111_000  # three pixels, degrees of latitude
    wide = surveyed.degrees[some] + np.array([-4, -1, 4, 1]) * margin
    found = _near(surveyed, wide)
    return np.union1d(found[season[found]], some)


def cut(features: GeoDataFrame, tiles: Sequence[Tile]) -> GeoDataFrame:
    """Features without the ground of polygons that no tile of an area comes near.

    A forest may be as large as a country, and all fields of a crop one feature: only pixels of
    tiles are looked at. What is cut off lies farther away than polygons can be eroded.
    """
    from shapely import bounds, box, contains, get_dimensions, intersection

    sides = np.array([tile.bounds for tile in tiles], float)
    around = *sides[:, :2].min(axis=0).tolist(), *sides[:, 2:].max(axis=0).tolist()
    near = _in_crs(window_of(around, tiles[0].epsg), features.crs)
    shapes = features.geometry.to_numpy().copy()
    wide = np.flatnonzero(
        (get_dimensions(shapes) == 2) & ~contains(box(*bounds(near)), box(*bounds(shapes).T))
    )
    shapes[wide] = intersection(shapes[wide], near)
    return features.set_geometry(shapes, crs=features.crs)


def _in_crs(degrees: BaseGeometry, crs: Any) -> BaseGeometry:
    """A shape in degrees in another system."""
    from pyproj import Transformer
    from shapely import segmentize, transform

    move = Transformer.from_crs(4326, crs, always_xy=True).transform
    return transform(
        segmentize(degrees, 0.02), lambda xy: np.column_stack(move(xy[:, 0], xy[:, 1]))
    )


def _share(surveyed: Surveyed, claims: Claims, reason: NDArray[np.object_]) -> None:
    """Settle pixels that several features ask for, in `reason` in place.

    Of different classes the heaviest feature's counts, and none where two are as heavy; of one
    class the first feature in the file.
    """
    open_ = np.flatnonzero(reason == "")
    if not len(open_):
        return
    _, pixel = np.unique(_keys(claims.column[open_], claims.row[open_]), return_inverse=True)
    code, weight = surveyed.code[claims.feature[open_]], surveyed.weight[claims.feature[open_]]
    heaviest = np.zeros(pixel.max() + 1)
    np.maximum.at(heaviest, pixel, weight)
    heavy = weight == heaviest[pixel]
    least = np.full(len(heaviest), np.iinfo(np.int64).max)
    most = np.full(len(heaviest), -1)
    np.minimum.at(least, pixel[heavy], code[heavy])
    np.maximum.at(most, pixel[heavy], code[heavy])
    conflict = (least != most)[pixel] | (code != most[pixel])
    reason[open_[conflict]] = "conflict"
    left = np.flatnonzero(~conflict)
    order = left[np.lexsort([claims.feature[open_[left]], pixel[left]])]
    again = np.zeros(len(order), bool)
    again[1:] = pixel[order[1:]] == pixel[order[:-1]]
    reason[open_[order[again]]] = "duplicate"


def eligible(
    claims: Claims, tiles: Sequence[Tile], size: int, block: float | None
) -> NDArray[np.bool_]:
    """Claims (claim,) whose patch lies within the tiles of the area, and within a block."""
    first, side, half = tiles[0], tiles[0].size, size // 2
    pixel = first.pixel
    west, north = first.west // pixel, first.north // pixel
    known = _keys(
        np.array([tile.west // pixel - west for tile in tiles]) // side,
        np.array([north - tile.north // pixel for tile in tiles]) // side,
    )
    found = np.ones(len(claims.column), bool)
    # A patch is smaller than a tile: it lies in those that its corners lie in.
    for right, lower in ((-half, -half), (-half, half), (half, -half), (half, half)):
        across = (claims.column + right - west) // side
        down = (north - 1 - claims.row + lower) // side
        found &= np.isin(_keys(across, down), known)
    if block is not None:
        for place in (claims.column, claims.row):
            found &= within_blocks(centres(place, first), block, size, pixel)
    return found


def _keys(across: NDArray[np.int64], down: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each place in a lattice of pixels or tiles."""
    return np.asarray(across * 2**32 + down, np.int64)


def _ranks(claims: Claims, free: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Place (claim,) of each free claim in a random order of those of its feature, from 0."""
    with np.errstate(over="ignore"):
        state = mix(np.uint64(seed) * GOLDEN + claims.feature.astype(np.uint64))
        state = mix(state ^ claims.column.astype(np.uint64) * GOLDEN)
        state = mix(state ^ claims.row.astype(np.uint64) * GOLDEN)
    rank = np.zeros(len(free), np.int64)
    rows = np.flatnonzero(free)
    order = rows[np.lexsort([state[rows], claims.feature[rows]])]
    feature = claims.feature[order]
    first = np.searchsorted(feature, feature, "left")
    rank[order] = np.arange(len(order)) - first
    return rank
