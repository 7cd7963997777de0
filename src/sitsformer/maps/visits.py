"""Places to visit next: where a map is least certain, spread over its area.

One place of each square of `BLOCK` pixels is a candidate, its least certain pixel that lies within
one class (its eight neighbours are of it too, so that people who stand there see one field). One
after the other that is taken which has the most of uncertainty times the distance to those taken
before: the least margins alone lie beside each other, and distances alone look at no map (cf. Wu
et al. 2019, "Active learning for regression using greedy sampling", Inform. Sciences 474:90-105).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sitsformer.maps.codes import MapCodes
from sitsformer.maps.tile import UNKNOWN

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

BLOCK = 10
"""Pixels along a side of the squares that have one candidate each."""

STRIP = 32 * BLOCK
"""Rows that are read together."""

Ints = npt.NDArray[np.int64]


def suggest(raster: Path, margin: Path, codes: MapCodes, count: int) -> GeoDataFrame:
    """Places to visit, the most wanted first.

    Args:
        raster: map of classes.
        margin: of the same pixels, percent between the two likeliest classes.
        codes: of the map.
        count: how many; fewer where the map has fewer candidates.

    Returns:
        Points in the system of the map: `visit` (1, 2, ...), `predicted`, `code`, `margin`, `lon`,
        `lat`, and the empty columns `class` and `visited`, for those who go there.
    """
    import geopandas
    import rasterio

    from sitsformer.grid import to_lonlat

    row, column, value, unsure = _candidates(raster, margin, codes)
    chosen = spread(row, column, 1 - unsure / 100, count)
    with rasterio.open(raster) as source:
        crs, place = source.crs, source.transform
    x = place.c + (column[chosen] + 0.5) * place.a
    y = place.f + (row[chosen] + 0.5) * place.e
    lon, lat = to_lonlat(int(crs.to_epsg()), x, y)
    table = {
        "visit": np.arange(1, len(chosen) + 1),
        "predicted": np.array([codes.names[v] for v in value[chosen].tolist()], object),
        "code": value[chosen],
        "margin": unsure[chosen],
        "lon": lon,
        "lat": lat,
        "class": np.full(len(chosen), "", object),
        "visited": np.full(len(chosen), "", object),
    }
    return geopandas.GeoDataFrame(table, geometry=geopandas.points_from_xy(x, y), crs=crs)


def _candidates(raster: Path, margin: Path, codes: MapCodes) -> tuple[Ints, Ints, Ints, Ints]:
    """Row, column, value and margin of the candidates, strip by strip."""
    import rasterio
    from rasterio.windows import Window

    known = np.array(codes.values)
    found: list[Ints] = [np.empty((0, 4), np.int64)]
    with rasterio.open(raster) as source, rasterio.open(margin) as beside:
        width = -(-source.width // BLOCK) * BLOCK
        for top in range(0, source.height, STRIP):
            tall = min(STRIP, source.height - top)
            # A row and a column more around, where neighbours are looked at.
            around = Window(-1, top - 1, width + 2, STRIP + 2)
            classes = source.read(1, window=around, boundless=True, fill_value=codes.nodata)
            own = Window(0, top, source.width, tall)
            unsure = np.full((STRIP, width), UNKNOWN, np.int64)
            unsure[:tall, : source.width] = beside.read(1, window=own)
            middle = classes[1:-1, 1:-1]
            within = np.isin(middle, known) & (unsure != UNKNOWN)
            for down in range(3):
                for right in range(3):
                    within &= classes[down : down + STRIP, right : right + width] == middle
            unsure[~within] = UNKNOWN
            squares = unsure.reshape(STRIP // BLOCK, BLOCK, width // BLOCK, BLOCK)
            flat = squares.transpose(0, 2, 1, 3).reshape(-1, BLOCK * BLOCK)
            least = flat.argmin(1)
            square = np.flatnonzero(flat[np.arange(len(flat)), least] != UNKNOWN)
            row = square // (width // BLOCK) * BLOCK + least[square] // BLOCK
            column = square % (width // BLOCK) * BLOCK + least[square] % BLOCK
            found.append(
                np.column_stack([row + top, column, middle[row, column], unsure[row, column]])
            )
    row, column, value, unsure = np.concatenate(found).T
    return row, column, value, unsure


def spread(x: Ints, y: Ints, worth: npt.NDArray[np.floating], count: int) -> Ints:
    """Positions of `count` points (fewer of fewer), by worth and distance to those before.

    Args:
        x: (N,) places.
        y: (N,).
        worth: (N,) 0 to 1; the first taken has the most.
        count: how many.
    """
    if len(worth) == 0 or count == 0:
        return np.empty(0, np.int64)
    chosen = [int(np.argmax(worth))]
    square = np.full(len(worth), np.inf)
    while len(chosen) < min(count, len(worth)):
        last = chosen[-1]
        square = np.minimum(square, (x - x[last]) ** 2.0 + (y - y[last]) ** 2.0)
        score = worth * np.sqrt(square)
        score[chosen] = -1.0
        chosen.append(int(np.argmax(score)))
    return np.array(chosen, np.int64)
