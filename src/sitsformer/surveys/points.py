"""Points: each asks for the pixel that it lies in, whatever its place within."""

from __future__ import annotations

from typing import Any

import numpy as np

from sitsformer.config import Survey
from sitsformer.grid import Tile
from sitsformer.surveys.claims import Claims, numbers


def claims(features: Any, tile: Tile, survey: Survey) -> Claims:
    """Pixels of points; of several points of a feature each its own.

    Args:
        features: GeoDataFrame of points, any CRS; the index are positions from 0.
        tile: on whose grid the pixels are.
        survey: section of the config.
    """
    from pyproj import Transformer
    from shapely import get_coordinates

    points, member = get_coordinates(features.geometry.to_numpy(), return_index=True)
    move = Transformer.from_crs(features.crs, tile.epsg, always_xy=True).transform
    x, y = move(points[:, 0], points[:, 1])
    known = np.isfinite(x) & np.isfinite(y)
    feature = features.index.to_numpy(np.int64)[member][known]
    column, row = numbers(x[known], tile), numbers(y[known], tile)
    # Points of one feature that share a pixel ask once.
    _, first = np.unique(np.column_stack([feature, column, row]), axis=0, return_index=True)
    first.sort()
    return Claims(feature[first], column[first], row[first], np.zeros(len(first), bool))
