"""Patches that reach out of their tile, cut with the cubes of the tiles around it.

A field point is one of a few hundred: it is not lost because a tile ends beside it. Patches of maps
are many, and those at the edges of tiles stay out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Patches
from sitsformer.ground import Ground
from sitsformer.patches.clear import ClearDates, clear_patches
from sitsformer.patches.spool import Spool
from sitsformer.stored import MISSING

_SIDE = 63
"""Of the squares that edge pixels are gathered in, pixels: half a chunk of cubes."""

Ints = NDArray[np.int64]


class Edges:
    """The pixels of a tile whose patches reach out of it.

    Attributes:
        ground: the tile and what lies around it.
        whole: (y, x) labelled ones whose patches lie in cubes.
    """

    def __init__(
        self, path: Path, neighbours: Sequence[Path], settings: Patches, labelled: NDArray[np.bool_]
    ) -> None:
        """Open the cubes.

        Args:
            path: cube of the tile.
            neighbours: cubes of the tiles around it.
            settings: `size`, `clear_score` and `clear_share` are used.
            labelled: (y, x) pixels that may become samples.

        Raises:
            SitsError: a cube is damaged, or is no neighbour on the same grid.
        """
        self.ground = Ground(path, neighbours, settings.size // 2)
        self._settings = settings
        side = np.arange(self.ground.tile.size)
        within = (side >= self.ground.margin) & (side < len(side) - self.ground.margin)
        self._beyond = ~(within[:, None] & within[None, :])
        self.whole: NDArray[np.bool_] = self.ground.whole & self._beyond & labelled

    def of(self, row: Ints, column: Ints) -> Ints:
        """Which of some pixels are such, as positions."""
        return np.flatnonzero(self.whole[row, column])

    def clear(self, row: Ints, column: Ints) -> NDArray[np.bool_]:
        """Clear dates (pixel, time) of the patches around some pixels."""
        found = np.zeros((len(row), self.ground.cube.sizes["time"]), bool)
        for who, rows, columns in _squares(row, column):
            clear = clear_patches(self.ground.read("clear", rows, columns), self._settings)
            found[who] = clear[:, row[who] - rows.start, column[who] - columns.start].T
        return found

    def cut(
        self,
        row: Ints,
        column: Ints,
        steps: NDArray[np.int16],
        spool: Spool,
        gaps: NDArray[np.bool_],
    ) -> None:
        """Put the patches of edge pixels in the place of what was cut for them.

        Args:
            row: (sample,) of all samples.
            column: (sample,) of all samples.
            steps: (sample, length) positions on the time axis; -1 none.
            spool: of all samples.
            gaps: (sample, length) which steps have a missing value; set for edge pixels.
        """
        edge = self.of(row, column)
        for inside, rows, columns in _squares(row[edge], column[edge]):
            who = edge[inside]
            values = self.ground.read("reflectance", rows, columns)
            size = self._settings.size
            around = np.lib.stride_tricks.sliding_window_view(values, (size, size), (2, 3))
            patch = around[:, :, row[who] - rows.start, column[who] - columns.start]
            # (time, band, sample, py, px) -> (sample, length, band, py, px)
            samples = np.moveaxis(patch, 2, 0)[np.arange(len(who))[:, None], steps[who]]
            samples[steps[who] < 0] = MISSING
            gaps[who] = (samples == MISSING).any((2, 3, 4)) & (steps[who] >= 0)
            spool.add(who, np.ascontiguousarray(samples))

    def within(self, row: Ints, column: Ints) -> tuple[Ints, Ints]:
        """Rows and columns from which on patches lie in the tile, for those that do not."""
        low, high = self.ground.margin, self.ground.tile.size - self.ground.margin - 1
        return np.clip(row, low, high), np.clip(column, low, high)


class Surrounded:
    """Clear dates of a tile, at its edges by the cubes around it."""

    def __init__(self, clear: ClearDates, edges: Edges) -> None:
        self._clear, self._edges = clear, edges
        self.at_once = clear.at_once

    def counts(self) -> NDArray[np.uint16]:
        """(y, x) number of clear dates of the patch around each pixel."""
        found = self._clear.counts()
        row, column = np.nonzero(self._edges.whole)
        found[row, column] = self._edges.clear(row, column).sum(1)
        return found

    def of(self, row: Ints, column: Ints) -> NDArray[np.bool_]:
        """Clear dates (pixel, time) of the patches around some pixels."""
        found = self._clear.of(row, column)
        edge = self._edges.of(row, column)
        found[edge] = self._edges.clear(row[edge], column[edge])
        return found


def _squares(row: Ints, column: Ints) -> Iterator[tuple[Ints, slice, slice]]:
    """Pixels square by square: which, and the rows and columns that they span."""
    place = np.column_stack([row // _SIDE, column // _SIDE])
    for square in np.unique(place, axis=0):
        who = np.flatnonzero((place == square).all(1))
        rows = slice(int(row[who].min()), int(row[who].max()) + 1)
        yield who, rows, slice(int(column[who].min()), int(column[who].max()) + 1)
