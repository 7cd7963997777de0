"""Which dates are clear for the patch around each pixel.

A pixel is clear when its score reaches `clear_score` (a missing score never does), a date when the
clear share of the patch reaches `clear_share`. Pixels outside of the tile count as cloudy. Dates
are independent of each other, so threads take a chunk of dates each, over as many rows as the
memory allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sitsformer import threads
from sitsformer.config import Patches
from sitsformer.patches.chunks import Chunks
from sitsformer.samples import shards

CLEAR_MISSING = 255
"""Cloud score of a pixel that was not scored, as in cubes."""

PIXELS = 16384
"""Pixels whose dates are looked at together: tables (pixel, time) of them stay below 10 MB."""

_COPIES = 6
"""Arrays of the size of a block alive at once in a thread: scores, clear pixels, sums, dates."""

R = TypeVar("R")


class ClearDates:
    """Clear dates of one tile.

    Each question reads the scores of the cube anew: a pass over them is quick, and all dates of all
    pixels may be more than the memory holds.
    """

    def __init__(self, path: Path, settings: Patches) -> None:
        """Look at a cube; `size`, `clear_score`, `clear_share` and `memory_gb` are used."""
        self._scores = Chunks(path, "clear")
        self._settings = settings
        times, _, width = self._scores.shape
        memory = int(settings.memory_gb * 1e9)
        self.at_once = max(PIXELS, memory // 8 // times)
        """Pixels that `of` is best asked for in one call."""
        date = width * self._scores.chunks[0] * _COPIES * (threads.count() + 1)
        self._rows = self._whole(memory // date)

    def counts(self) -> NDArray[np.uint16]:
        """(y, x) number of clear dates of the patch around each pixel."""
        total = np.zeros(self._scores.shape[1:], np.uint16)

        def count(_: int, top: int, clear: NDArray[np.bool_]) -> tuple[int, NDArray[np.uint16]]:
            return top, clear.view(np.uint8).sum(axis=0, dtype=np.uint16)

        for top, found in self._each(count):
            total[top : top + len(found)] += found
        return total

    def of(self, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Clear dates (pixel, time) of the patches around some pixels."""
        dates = np.empty((len(row), self._scores.shape[0]), bool)

        def look(first: int, top: int, clear: NDArray[np.bool_]) -> None:
            who = np.flatnonzero((row >= top) & (row < top + clear.shape[1]))
            dates[who, first : first + len(clear)] = clear[:, row[who] - top, column[who]].T

        for _ in self._each(look):
            pass
        return dates

    def _whole(self, rows: int) -> int:
        """Rows of whole chunks, at least one."""
        step = self._scores.chunks[1]
        return max(step, rows // step * step)

    def _each(self, work: Callable[[int, int, NDArray[np.bool_]], R]) -> Iterator[R]:
        """What `work(first date, first row, clear)` returns for each block, run by threads."""
        times, height, _ = self._scores.shape
        tops = range(0, height, self._rows)
        strips = [range(top, min(top + self._rows, height)) for top in tops]
        dates = range(0, times, self._scores.chunks[0])
        workers = threads.count()
        with ThreadPoolExecutor(workers) as pool:
            yield from shards.ahead(
                pool,
                lambda place: work(place[1], place[0].start, self._block(*place)),
                product(strips, dates),
                2 * workers,
            )

    def _block(self, rows: range, first: int) -> NDArray[np.bool_]:
        """Clear dates (time, y, x) of a chunk of dates and some rows."""
        times, height, width = self._scores.shape
        half = self._settings.size // 2
        dates = min(self._scores.chunks[0], times - first)
        low, high = max(0, rows.start - half), min(height, rows.stop + half)
        score = self._scores.read(slice(first, first + dates), slice(low, high), slice(None))
        good = np.zeros((dates, len(rows) + 2 * half, width + 2 * half), bool)
        inner = good[:, low - rows.start + half : high - rows.start + half, half : half + width]
        np.greater_equal(score, self._settings.clear_score, out=inner)
        inner &= score != CLEAR_MISSING
        return _enough(good, self._settings)


def clear_patches(score: NDArray[np.uint8], settings: Patches) -> NDArray[np.bool_]:
    """On which dates the patch around each pixel is clear.

    Args:
        score: (time, y, x) cloud scores, with half a patch around the pixels asked for.
        settings: `size`, `clear_score` and `clear_share` are used.

    Returns:
        (time, y - size + 1, x - size + 1).
    """
    good = (score >= settings.clear_score) & (score != CLEAR_MISSING)
    return _enough(good, settings)


def _enough(good: NDArray[np.bool_], settings: Patches) -> NDArray[np.bool_]:
    """Whether patches (time, y, x) of clear pixels are clear enough."""
    least = int(np.ceil(settings.clear_share * settings.size**2 - 1e-9))
    clear: NDArray[np.bool_] = _windows(good.view(np.uint8), settings.size) >= least
    return clear


def _windows(values: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Sums over windows (time, y, x) of `size` x `size`; at most 81, so bytes hold them."""
    if size == 1:
        return values
    for axis in (1, 2):
        along = values.swapaxes(0, axis)
        length = len(along) - size + 1
        total = along[:length] + along[1 : 1 + length]
        for shift in range(2, size):
            total += along[shift : shift + length]
        values = total.swapaxes(0, axis)
    return values
