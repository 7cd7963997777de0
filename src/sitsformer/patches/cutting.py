"""Reading a cube box by box: the clear dates of every pixel, and the values of the drawn patches.

Each chunk of `reflectance` is decoded once. A box is one chunk wide and high; a patch that crosses
into the next box is put together from parts, each with the missing value wherever its box does not
reach, of which the minimum is the whole (the missing value is the largest there is). Boxes are
independent, so they run on threads or on a Dask cluster alike.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Patches
from sitsformer.errors import SitsError
from sitsformer.samples import shards
from sitsformer.samples.layout import MISSING

if TYPE_CHECKING:
    import zarr

CLEAR_MISSING = 255
"""Cloud score of a pixel that was not scored, as in cubes."""

_CLEAR_COPIES = 5
"""Arrays of the size of a strip of `clear` alive at once: read, mask, padded, and running sums."""


@dataclass(frozen=True)
class Box:
    """Rows and columns of a tile, [top, bottom) and [left, right)."""

    top: int
    bottom: int
    left: int
    right: int


def clear_strips(path: Path, settings: Patches) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Which dates are clear for the patch around each pixel, a strip of rows at a time.

    A pixel is clear when its score reaches `clear_score` (a missing score never does), a date when
    the clear share of the patch reaches `clear_share`. Pixels outside of the tile count as cloudy.

    Args:
        path: of the cube.
        settings: `size`, `clear_score`, `clear_share`, `memory_gb` are used.

    Yields:
        The first row, and (time, y, x) bool.
    """
    clear = _array(path, "clear")
    times, height, width = clear.shape
    half = settings.size // 2
    least = int(np.ceil(settings.clear_share * settings.size**2 - 1e-9))
    workers = shards.threads()
    chunk = clear.chunks[1]
    fitting = settings.memory_gb * 1e9 / (_CLEAR_COPIES * (workers + 1) * times * width)
    rows = max(chunk, int(fitting) // chunk * chunk)

    def strip(top: int) -> tuple[int, NDArray[np.bool_]]:
        bottom = min(top + rows, height)
        first, last = max(0, top - half), min(height, bottom + half)
        score = np.asarray(clear[:, first:last])
        good = (score >= settings.clear_score) & (score != CLEAR_MISSING)
        margin = ((0, 0), (first - top + half, bottom + half - last), (half, half))
        return top, _windows(np.pad(good.view(np.uint8), margin), settings.size) >= least

    with ThreadPoolExecutor(workers) as pool:
        yield from shards.ahead(pool, strip, range(0, height, rows), workers)


def _windows(values: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Sums over windows (time, y, x) of `size` x `size`; at most 81, so bytes hold them."""
    for axis in (1, 2):
        length = values.shape[axis] - size + 1
        total = np.take(values, range(length), axis=axis) if size > 1 else values
        for shift in range(1, size):
            part = [slice(None)] * 3
            part[axis] = slice(shift, shift + length)
            total += values[tuple(part)]
        values = total
    return values


def read_parts(
    path: Path,
    box: Box,
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    steps: NDArray[np.int16],
    size: int,
) -> NDArray[np.uint16]:
    """Cut what a box holds of some patches.

    Args:
        path: of the cube.
        box: whose chunks are read, a few dates at a time.
        row: (sample,) of the centres.
        column: (sample,) of the centres.
        steps: (sample, length) positions on the time axis; -1 none.
        size: side of a patch, pixels.

    Returns:
        (sample, length, band, py, px) uint16; MISSING where there is no step or the box ends.
    """
    source = _array(path, "reflectance")
    times, bands = source.shape[:2]
    half = size // 2
    height, width = box.bottom - box.top + 2 * half, box.right - box.left + 2 * half
    samples, length = steps.shape
    out = np.full((samples, length, bands, size * size), MISSING, np.uint16)
    window = (np.arange(size)[:, None] * width + np.arange(size)).ravel()
    offsets = np.arange(bands)[:, None] * (height * width) + window
    corner = (row - half - (box.top - half)) * width + column - half - (box.left - half)
    places = corner[:, None, None] + offsets  # (sample, band, py px) into one date of the box
    sample, place = np.nonzero(steps >= 0)
    date = steps[sample, place]
    order = np.argsort(date, kind="stable")
    sample, place, date = sample[order], place[order], date[order]
    inner = (
        slice(half, half + box.bottom - box.top),
        slice(half, half + box.right - box.left),
    )

    def block(first: int) -> NDArray[np.uint16]:
        """Some dates of the box, with a margin of missing values around them."""
        last = min(first + source.chunks[0], times)
        values = np.full((last - first, bands, height, width), MISSING, np.uint16)
        values[:, :, *inner] = source[first:last, :, box.top : box.bottom, box.left : box.right]
        return values

    used = np.unique(date // source.chunks[0]) * source.chunks[0]
    # The next dates are decoded while the patches of these are gathered.
    with ThreadPoolExecutor(1) as pool:
        for first, values in zip(used, shards.ahead(pool, block, used.tolist(), 2), strict=True):
            cuts = np.searchsorted(date, np.arange(first, first + len(values) + 1))
            for image, (start, stop) in zip(values, pairwise(cuts.tolist()), strict=True):
                who = sample[start:stop]
                out[who, place[start:stop]] = np.take(image.reshape(-1), places[who], mode="clip")
    return out.reshape(samples, length, bands, size, size)


def patches(
    path: Path,
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    steps: NDArray[np.int16],
    settings: Patches,
    spool: Spool,
) -> None:
    """Cut the patches of all samples into a spool, on threads or on a Dask cluster.

    Args:
        path: of the cube; workers of a cluster must see it under the same name.
        row: (sample,) of the centres.
        column: (sample,) of the centres.
        steps: (sample, length) positions on the time axis; -1 none.
        settings: `size`, `memory_gb`, `scheduler` are used.
        spool: filled.
    """
    from dask.base import compute
    from dask.delayed import delayed

    jobs = list(_jobs(path, row, column, spool.sample_bytes, settings))
    cut = delayed(read_parts, pure=False)
    with _scheduler(settings.scheduler) as options:

        def run(group: list[tuple[Box, NDArray[np.int64]]]) -> list[NDArray[np.uint16]]:
            tasks = [
                cut(path, box, row[who], column[who], steps[who], settings.size)
                for box, who in group
            ]
            return list(compute(*tasks, **options))

        groups = list(_groups(jobs, spool.sample_bytes, settings.memory_gb))
        # The next group is cut while this one is put in place.
        with ThreadPoolExecutor(1) as pool:
            for group, parts in zip(groups, shards.ahead(pool, run, groups, 2), strict=True):
                for (_, who), part in zip(group, parts, strict=True):
                    spool.add(who, part)


def _jobs(
    path: Path,
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    sample_bytes: int,
    settings: Patches,
) -> Iterator[tuple[Box, NDArray[np.int64]]]:
    """Boxes with the samples whose patches touch them, not more at once than memory holds."""
    source = _array(path, "reflectance")
    height, width = source.shape[2:]
    half = settings.size // 2
    most = max(1, int(settings.memory_gb * 1e9 / 16 / sample_bytes))
    by_row = np.argsort(row, kind="stable")
    rows = row[by_row]
    for top in range(0, height, source.chunks[2]):
        bottom = min(top + source.chunks[2], height)
        near = by_row[np.searchsorted(rows, top - half) : np.searchsorted(rows, bottom + half)]
        for left in range(0, width, source.chunks[3]):
            right = min(left + source.chunks[3], width)
            inside = (column[near] >= left - half) & (column[near] < right + half)
            touching = np.sort(near[inside])
            for start in range(0, len(touching), most):
                yield Box(top, bottom, left, right), touching[start : start + most]


def _groups(
    jobs: list[tuple[Box, NDArray[np.int64]]], sample_bytes: int, memory_gb: float
) -> Iterator[list[tuple[Box, NDArray[np.int64]]]]:
    """Jobs that run side by side: their results together take at most an eighth of the memory."""
    group: list[tuple[Box, NDArray[np.int64]]] = []
    held = 0
    for job in jobs:
        size = len(job[1]) * sample_bytes
        if group and held + size > memory_gb * 1e9 / 8:
            yield group
            group, held = [], 0
        group.append(job)
        held += size
    if group:
        yield group


@contextmanager
def _scheduler(address: str | None) -> Iterator[dict[str, Any]]:
    """Options for `compute`: threads, or a client of the Dask scheduler at an address."""
    if address is None:
        yield {"scheduler": "threads", "num_workers": shards.threads()}
        return
    try:
        from distributed import Client
    except ImportError:
        raise SitsError(
            "patches.scheduler needs the package `distributed`: install sitsformer[cluster], "
            "or leave the key out to use threads"
        ) from None
    try:
        # Not as default: the cube's own small arrays are read here, not on the cluster.
        client = Client(address, timeout="20s", set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise SitsError(
            f"patches.scheduler: no Dask scheduler answers at {address}: {error}"
        ) from None
    with client:
        yield {"scheduler": client}


class Spool:
    """Samples being put together: in memory, or in a file when they would take too much of it."""

    def __init__(self, shape: tuple[int, ...], memory_gb: float, directory: Path) -> None:
        """Make room for samples.

        Args:
            shape: (sample, length, band, py, px).
            memory_gb: half of it may be used here.
            directory: for the file.
        """
        self.shape = shape
        self.sample_bytes = int(np.prod(shape[1:])) * 2
        self._begun = np.zeros(shape[0], bool)
        self._file: Path | None = None
        self._array: NDArray[np.uint16] | None = None
        if shape[0] * self.sample_bytes <= memory_gb * 1e9 / 2:
            self._array = np.empty(shape, np.uint16)
        else:
            self._file = directory / "spool"
            self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._descriptor)
            self._file.unlink()

    def add(self, who: NDArray[np.int64], part: NDArray[np.uint16]) -> None:
        """Put parts (sample, length, band, py, px) of some samples in place."""
        if self._array is not None:
            old = who[self._begun[who]]
            merged = np.minimum(self._array[old], part[self._begun[who]]) if len(old) else None
            self._array[who] = part
            if merged is not None:
                self._array[old] = merged
        else:
            for position, sample in enumerate(who.tolist()):
                self._write(sample, part[position])
        self._begun[who] = True

    def read(self, first: int, last: int) -> NDArray[np.uint16]:
        """Samples [first, last)."""
        if self._array is not None:
            return self._array[first:last]
        last = min(last, self.shape[0])
        length = (last - first) * self.sample_bytes
        data = os.pread(self._descriptor, length, first * self.sample_bytes)
        return np.frombuffer(data, np.uint16).reshape(-1, *self.shape[1:])

    def _write(self, sample: int, part: NDArray[np.uint16]) -> None:
        if self._begun[sample]:
            part = np.minimum(part, self.read(sample, sample + 1)[0])
        os.pwrite(self._descriptor, part.tobytes(), sample * self.sample_bytes)


def _array(path: Path, name: str) -> zarr.Array[Any]:
    import zarr

    array = zarr.open_group(path, mode="r")[name]
    if not isinstance(array, zarr.Array):
        raise SitsError(f"{path}: {name} is not an array; export the cube again")
    return array
