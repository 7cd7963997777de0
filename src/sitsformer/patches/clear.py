"""Which dates are clear for the patch around each pixel.

A pixel is clear when its score reaches `clear_score` (a missing score never does), a date when the
clear share of the patch reaches `clear_share`. Pixels outside of the tile count as cloudy. Dates
are independent of each other, so threads take a chunk of dates each, over as many rows as the
memory allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Patches
from sitsformer.patches.chunks import Chunks
from sitsformer.samples import shards

CLEAR_MISSING = 255
"""Cloud score of a pixel that was not scored, as in cubes."""

PIXELS = 16384
"""Pixels whose dates are looked at together: tables (pixel, time) of them stay below 10 MB."""

_COPIES = 5
"""Arrays of the size of a block alive at once in a thread: clear pixels, sums, and dates."""

Block = Callable[[int, int, NDArray[np.bool_]], "R"]
R = TypeVar("R")


class ClearDates:
    """Clear dates of one tile.

    Attributes:
        counts: (y, x) uint16 number of clear dates of the patch around each pixel.
        kept: whether all dates are held, a bit each; else `of` reads the scores again.
        at_once: pixels that `of` is best asked for in one call.
    """

    def __init__(self, path: Path, settings: Patches) -> None:
        """Read the cloud scores of a cube once.

        Args:
            path: of the cube.
            settings: `size`, `clear_score`, `clear_share`, `memory_gb` are used.
        """
        self._scores = _Scores(path, settings)
        times, height, width = self._scores.clear.shape
        self.counts = np.zeros((height, width), np.uint16)
        packed = (times, height, -(-width // 8))
        share = int(settings.memory_gb * 1e9 / 8)
        self.kept = int(np.prod(packed)) <= share
        self._bits = np.empty(packed, np.uint8) if self.kept else None
        self.at_once = PIXELS if self.kept else max(PIXELS, share // times)

        def count(
            first: int, top: int, clear: NDArray[np.bool_]
        ) -> tuple[int, NDArray[np.unsignedinteger]]:
            rows = slice(top, top + clear.shape[1])
            if self._bits is not None:
                self._bits[first : first + len(clear), rows] = np.packbits(clear, axis=2)
            dtype = np.uint8 if len(clear) < 256 else np.uint16
            return top, clear.view(np.uint8).sum(axis=0, dtype=dtype)

        for top, found in self._scores.each(count, self._scores.rows(settings.memory_gb)):
            self.counts[top : top + len(found)] += found

    def of(self, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Clear dates (pixel, time) of the patches around some pixels."""
        times, _, width = self._scores.clear.shape
        if self._bits is not None:
            place = row * self._bits.shape[2] + (column >> 3)
            found = np.take(self._bits.reshape(times, -1), place, axis=1)
            found >>= (7 - (column & 7)).astype(np.uint8)
            found &= 1
            return np.ascontiguousarray(found.T).view(np.bool_)
        dates = np.empty((len(row), times), bool)

        def look(first: int, top: int, clear: NDArray[np.bool_]) -> None:
            who = np.flatnonzero((row >= top) & (row < top + clear.shape[1]))
            place = (row[who] - top) * width + column[who]
            found = np.take(clear.reshape(len(clear), -1), place, axis=1)
            dates[who, first : first + len(clear)] = found.T

        for _ in self._scores.each(look, self._scores.rows(self._scores.settings.memory_gb)):
            pass
        return dates


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


class _Scores:
    """Cloud scores of a cube."""

    def __init__(self, path: Path, settings: Patches) -> None:
        self.clear = Chunks(path, "clear")
        self.settings = settings

    def rows(self, memory_gb: float) -> int:
        """Rows of a block, whole chunks, so that the blocks of all threads fit."""
        date = self.clear.shape[2] * self.clear.chunks[0] * _COPIES * (shards.threads() + 1)
        return self.whole(int(memory_gb * 1e9 / date))

    def whole(self, rows: int) -> int:
        """Rows of whole chunks, at least one."""
        step = self.clear.chunks[1]
        return max(step, rows // step * step)

    def each(self, work: Block[R], rows: int) -> Iterator[R]:
        """What `work(first date, first row, clear)` returns for each block, run by threads."""
        times, height, _ = self.clear.shape
        places = [
            (first, top)
            for top in range(0, height, rows)
            for first in range(0, times, self.clear.chunks[0])
        ]

        def run(place: tuple[int, int]) -> R:
            first, top = place
            return work(first, top, self._block(first, top, min(top + rows, height)))

        workers = shards.threads()
        with ThreadPoolExecutor(workers) as pool:
            yield from shards.ahead(pool, run, places, 2 * workers)

    def _block(self, first: int, top: int, bottom: int) -> NDArray[np.bool_]:
        """Clear dates (time, y, x) of a chunk of dates and some rows."""
        times, height, width = self.clear.shape
        dates, tall, wide = self.clear.chunks
        half = self.settings.size // 2
        dates = min(dates, times - first)
        good = np.zeros((dates, bottom - top + 2 * half, width + 2 * half), bool)
        low, high = max(0, top - half), min(height, bottom + half)
        for y in range(low // tall, -(-high // tall)):
            upper, lower = max(low, y * tall), min(high, (y + 1) * tall)
            for x in range(-(-width // wide)):
                score = self.clear.read((first // self.clear.chunks[0], y, x))
                columns = min(wide, width - x * wide)
                score = score[:dates, upper - y * tall : lower - y * tall, :columns]
                target = good[:, upper - top + half : lower - top + half]
                target = target[:, :, x * wide + half : x * wide + half + columns]
                np.greater_equal(score, self.settings.clear_score, out=target)
                target &= score != CLEAR_MISSING
        return _enough(good, self.settings)


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
