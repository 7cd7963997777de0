"""Polygons: each asks for the pixels whose centres lie within, and is used a border's width in."""

from __future__ import annotations

from typing import Any

import numpy as np

from sitsformer.config import Survey
from sitsformer.grid import Tile
from sitsformer.polygons import project
from sitsformer.surveys.claims import Claims, centres, joined, numbers


def claims(features: Any, tile: Tile, survey: Survey) -> Claims:
    """Pixels of polygons, those nearer to the border than `erode` marked.

    Args:
        features: GeoDataFrame of polygons, any CRS; the index are positions from 0.
        tile: on whose grid the pixels are.
        survey: `erode` is used; without one a pixel of the tile.
    """
    from shapely import bounds, buffer, contains_xy, get_parts, prepare

    whole = project(features.geometry.to_numpy(), features.crs, tile.epsg)
    erode = tile.pixel if survey.erode is None else survey.erode
    inner = buffer(whole, -erode) if erode else whole
    # Part by part: all fields of a crop may be one feature, as wide as a county.
    parts, member = get_parts(whole, return_index=True)
    prepare(parts)
    prepare(inner)
    found = []
    for position, shape, small, box in zip(
        features.index.to_numpy(np.int64)[member], parts, inner[member], bounds(parts), strict=True
    ):
        if not np.isfinite(box).all():
            continue
        west, south, east, north = numbers(np.asarray(box), tile)
        column, row = (
            axis.ravel()
            for axis in np.meshgrid(np.arange(west, east + 1), np.arange(south, north + 1))
        )
        x, y = centres(column, tile), centres(row, tile)
        inside = contains_xy(shape, x, y)
        column, row = column[inside], row[inside]
        eroded = ~contains_xy(small, x[inside], y[inside])
        feature = np.full(len(column), position, np.int64)
        found.append(Claims(feature, column, row, eroded))
    return joined(found)
