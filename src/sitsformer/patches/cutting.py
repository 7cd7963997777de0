"""Cutting the drawn patches out of a cube, box by box.

A box is a part of the tile that is read with all that the patches which begin in it cover, so every
patch is whole in one box. It is read a chunk of dates at a time, and what that holds of the patches
is gathered, many at once; missing values are looked for while they are in the cache. In memory,
threads take a chunk of dates of a box each and write straight into the samples; where the samples
do not fit, and on a Dask cluster, a box is cut as a whole and then put into the spool.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sitsformer import threads
from sitsformer.config import Patches
from sitsformer.errors import SitsError
from sitsformer.patches.chunks import Chunks
from sitsformer.patches.spool import Spool
from sitsformer.samples import shards
from sitsformer.stored import MISSING

_READ_BYTES = 2**26
"""Most of a box that a thread reads at once: 504 x 504 px of cubes. Chunks at the borders of boxes
are decoded again for the neighbours, so boxes are as large as the memory lets them be."""

_GATHER_BYTES = 2**18
"""Patches gathered at once: they stay in a core's cache until they are put in place."""

_ON_CLUSTER = 16
"""Boxes that are on their way to a Dask cluster or back."""

T = TypeVar("T")


@dataclass(frozen=True)
class Box:
    """Samples whose patches begin in one part of the tile.

    Attributes:
        who: (sample,) which samples.
        row, column: (sample,) upper left pixel of their patches.
        steps: (sample, length) positions on the time axis; -1 none.
        size: side of a patch, pixels.
    """

    who: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    steps: NDArray[np.int16]
    size: int


def patches(
    path: Path,
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    steps: NDArray[np.int16],
    settings: Patches,
    spool: Spool,
) -> NDArray[np.bool_]:
    """Cut the patches of all samples into a spool, on threads or on a Dask cluster.

    Args:
        path: of the cube; workers of a cluster must see it under the same name.
        row: (sample,) of the centres.
        column: (sample,) of the centres.
        steps: (sample, length) positions on the time axis; -1 none.
        settings: `size`, `memory_gb`, `scheduler` are used.
        spool: filled.

    Returns:
        (sample, length) which steps have a missing value in their patch.
    """
    chunks = Chunks(path, "reflectance")
    gaps = np.zeros(steps.shape, np.bool_)
    workers = threads.count()
    memory = settings.memory_gb * 1e9
    fitting = memory / spool.sample_bytes
    side = math.isqrt(int(min(_READ_BYTES, memory / 8 / workers)) // _chunk_bytes(chunks))

    def boxes(most: float) -> list[Box]:
        corner = row - settings.size // 2, column - settings.size // 2
        return list(_boxes(chunks, *corner, steps, settings.size, max(1, side), max(1, int(most))))

    def put(cut: Callable[[Path, Box], Any], box: Box) -> None:
        samples, gaps[box.who] = cut(path, box)
        spool.add(box.who, samples)

    if settings.scheduler is not None:
        with _client(settings.scheduler) as client:

            def ask(*task: Any) -> Any:
                return client.submit(cut_box, *task, pure=False).result()

            _each(partial(put, ask), boxes(fitting / 2 / _ON_CLUSTER), _ON_CLUSTER)
    elif spool.array is None:
        _each(partial(put, cut_box), boxes(fitting / 2 / workers), workers)
    else:
        samples = spool.array
        jobs = [(box, block) for box in boxes(len(row)) for block in _blocks(chunks)]
        _each(lambda job: _gather(chunks, *job, job[0].who, samples, gaps), jobs, workers)
    return gaps


def _each(work: Callable[[T], None], items: Iterable[T], workers: int) -> None:
    """Call `work` for each item, on threads."""
    with ThreadPoolExecutor(workers) as pool:
        for _ in shards.ahead(pool, work, items, 2 * workers):
            pass


def _boxes(
    chunks: Chunks,
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    steps: NDArray[np.int16],
    size: int,
    side: int,
    most: int,
) -> Iterator[Box]:
    """Boxes of `side` x `side` chunks; those with more than `most` samples come in strips."""
    height, width = (side * along for along in chunks.chunks[2:])
    number = row // height * chunks.shape[3] + column // width
    order = np.lexsort((row, number))
    for inside in np.split(order, np.flatnonzero(np.diff(number[order])) + 1):
        for who in _pieces(inside, most):
            yield Box(who, row[who], column[who], steps[who], size)


def cut_box(path: Path, box: Box) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Cut the samples of a box out of a cube (also a task of a Dask cluster).

    Returns:
        (sample, length, band, py, px) uint16, MISSING where there is no step, and (sample, length)
        which steps have a missing value.
    """
    chunks = Chunks(path, "reflectance")
    samples = np.empty((*box.steps.shape, chunks.shape[1], box.size, box.size), np.uint16)
    gaps = np.zeros(box.steps.shape, np.bool_)
    for block in _blocks(chunks):
        _gather(chunks, box, block, np.arange(len(box.who)), samples, gaps)
    return samples, gaps


def _chunk_bytes(chunks: Chunks) -> int:
    """Size of a chunk with all bands, decoded."""
    dates, _, height, width = chunks.chunks
    return 2 * dates * chunks.shape[1] * height * width


def _blocks(chunks: Chunks) -> range:
    """Positions of the chunks along the time axis."""
    return range(-(-chunks.shape[0] // chunks.chunks[0]))


def _gather(
    chunks: Chunks,
    box: Box,
    block: int,
    target: NDArray[np.int64],
    samples: NDArray[np.uint16],
    gaps: NDArray[np.bool_],
) -> None:
    """Gather what one chunk of dates holds of the samples of a box.

    Args:
        chunks: of the cube.
        box: part of the tile.
        block: position of the chunk along time.
        target: (sample,) where in `samples` the samples of the box are.
        samples: (any, length, band, py, px) written; MISSING where there is no step.
        gaps: (any, length) set where a patch has a missing value.
    """
    if block == 0:  # once a sample, by whichever thread comes first to its memory
        sample, place = np.nonzero(box.steps < 0)
        samples[target[sample], place] = MISSING
    dates = chunks.chunks[0]
    sample, place = np.nonzero((box.steps >= block * dates) & (box.steps < (block + 1) * dates))
    if len(sample) == 0:
        return
    date = box.steps[sample, place].astype(np.int64) - block * dates
    by_date = np.argsort(date, kind="stable")  # neighbours in memory one after another
    sample, place, date = sample[by_date], place[by_date], date[by_date]
    top, left = box.row.min(), box.column.min()
    values = chunks.read(
        slice(block * dates, (block + 1) * dates),
        slice(None),
        slice(top, box.row.max() + box.size),
        slice(left, box.column.max() + box.size),
    )
    _, bands, height, width = values.shape
    start = (date * bands * height + box.row[sample] - top) * width + box.column[sample] - left
    row = target[sample] * box.steps.shape[1] + place
    rows, broken = samples.reshape(gaps.size, -1), gaps.reshape(-1)
    holey = values.max() == MISSING
    lines = _lines(values, box.size)
    for some in _pieces(np.arange(len(start)), max(1, _GATHER_BYTES // (2 * rows.shape[1]))):
        found = lines[start[some]].view(np.uint16).reshape(len(some), -1)
        rows[row[some]] = found
        if holey:
            broken[row[some]] = found.max(axis=1) == MISSING


def _lines(values: NDArray[np.uint16], size: int) -> NDArray[np.void]:
    """Patches of `size` around all pixels of (time, band, y, x) values, which overlap in memory.

    Returns:
        (place, band, py), a line of the pixels of a patch an element.
    """
    _, bands, height, width = values.shape
    last = ((bands - 1) * height + size - 1) * width + size - 1
    line = np.dtype((np.void, 2 * size))
    strides = (2, 2 * height * width, 2 * width)
    return np.ndarray((values.size - last, bands, size), line, values, strides=strides)


def _pieces(values: NDArray[np.int64], length: int) -> Iterator[NDArray[np.int64]]:
    for first in range(0, len(values), length):
        yield values[first : first + length]


@contextmanager
def _client(address: str) -> Iterator[Any]:
    """A client of the Dask scheduler at an address."""
    try:
        from distributed import Client
    except ImportError:
        raise SitsError(
            "patches.scheduler needs the package `distributed`: pip install distributed, "
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
        yield client
