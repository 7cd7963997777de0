"""A tile and the pixels around it, read from its cube and those of its neighbours.

The patch of a pixel at the edge of a tile reaches into the next tile. Where that has a cube, its
pixels are taken from there, so that maps of neighbouring tiles meet without a seam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sitsformer.cube import CLEAR_MISSING, layer_values, open_cube, tile_of
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.stored import MISSING

SAME_PASS = np.timedelta64(10, "m")
"""Two tiles are seen in one pass of a satellite within minutes; the next pass is an orbit later.
The time of an acquisition is that of its first granule, which differs from tile to tile."""

FILL = {"reflectance": MISSING, "clear": CLEAR_MISSING}


@dataclass(frozen=True)
class _Part:
    """A cube that gives pixels: its own dates `theirs` are the dates `ours` of the tile."""

    cube: xr.Dataset
    row: int
    column: int
    size: int
    ours: NDArray[np.int64]
    theirs: NDArray[np.int64]


class Ground:
    """Pixels of a tile and of a margin around it.

    Attributes:
        cube: of the tile.
        tile: where it lies.
        margin: pixels around it.
        whole: (y, x) bool, pixels of the tile whose neighbourhood of the margin lies in cubes.
    """

    def __init__(self, path: Path, neighbours: Sequence[Path], margin: int) -> None:
        """Open the cubes.

        Args:
            path: cube of the tile.
            neighbours: cubes of the tiles around it.
            margin: pixels.

        Raises:
            SitsError: a cube is damaged, or is no neighbour on the same grid.
        """
        self.cube, self.margin = open_cube(path), margin
        self.tile = tile_of(self.cube)
        dates = np.arange(self.cube.sizes["time"])
        self._parts = [_Part(self.cube, 0, 0, self.tile.size, dates, dates)]
        self._parts += [self._part(other) for other in neighbours]
        side = self.tile.size + 2 * margin
        known = np.zeros((side, side), bool)
        for part in self._parts:
            rows, columns = (
                slice(max(0, start + margin), max(0, start + margin + part.size))
                for start in (part.row, part.column)
            )
            known[rows, columns] = True
        around = np.lib.stride_tricks.sliding_window_view(known, (2 * margin + 1,) * 2)
        self.whole: NDArray[np.bool_] = np.all(around, (2, 3))

    def _part(self, path: Path) -> _Part:
        cube = open_cube(path)
        other = tile_of(cube)
        pixel = self.tile.pixel
        row, column = (self.tile.north - other.north) / pixel, (other.west - self.tile.west) / pixel
        gaps = (_gap(row, other, self.tile), _gap(column, other, self.tile))
        alike = (other.epsg, other.pixel) == (self.tile.epsg, pixel)
        if not alike or max(gaps) > 0 or gaps == (-1, -1):
            raise SitsError(
                f"{path} is no neighbour of tile {self.tile.name}: tile {other.name} does not "
                "touch it on the same grid; give the cubes of the tiles around it"
            )
        ours, theirs = same_dates(self.cube.time.values, cube.time.values)
        return _Part(cube, round(row), round(column), other.size, ours, theirs)

    def read(self, name: str, rows: slice, columns: slice) -> NDArray[Any]:
        """Values of a block with the margin around it.

        Args:
            name: `reflectance` or `clear`.
            rows: of the tile.
            columns: of the tile.

        Returns:
            (time, [band,] y + 2 margin, x + 2 margin); missing where there is no cube, and where a
            neighbour was not seen on a date of the tile.
        """
        array = self.cube[name]
        top, left = rows.start - self.margin, columns.start - self.margin
        bottom, right = rows.stop + self.margin, columns.stop + self.margin
        shape = (*array.shape[:-2], bottom - top, right - left)
        found = np.full(shape, FILL[name], array.dtype)
        for part in self._parts:
            low, high = max(top, part.row), min(bottom, part.row + part.size)
            first, last = max(left, part.column), min(right, part.column + part.size)
            if low >= high or first >= last:
                continue
            inside = part.cube[name][
                ...,
                slice(low - part.row, high - part.row),
                slice(first - part.column, last - part.column),
            ]
            place = found[..., slice(low - top, high - top), slice(first - left, last - left)]
            values = layer_values(inside)
            place[part.ours] = values[part.theirs]
        return found


def _gap(offset: float, other: Tile, tile: Tile) -> int:
    """1 where two tiles lie apart along an axis, 0 where they touch, -1 where they overlap."""
    first, last = offset, offset + other.size
    if last < 0 or first > tile.size:
        return 1
    return 0 if last == 0 or first == tile.size else -1


def same_dates(
    ours: NDArray[np.datetime64], theirs: NDArray[np.datetime64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which acquisitions of two cubes are of one pass: each one's nearest is the other.

    Args:
        ours: (a,) times, ascending.
        theirs: (b,) times, ascending.

    Returns:
        Positions in `ours`, and the positions in `theirs` that go with them.
    """
    apart = np.abs(ours[:, None] - theirs[None, :])
    nearest, back = apart.argmin(1), apart.argmin(0)
    mine = np.arange(len(ours))
    pair = (back[nearest] == mine) & (apart[mine, nearest] <= SAME_PASS)
    return mine[pair], nearest[pair]
