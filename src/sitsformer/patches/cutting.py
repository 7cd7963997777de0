"""Cutting the drawn patches out of a cube, chunk by chunk.

A chunk is decoded, and what it holds of the patches is gathered line by line of their pixels.
A box is the column of chunks of all dates over one piece of ground; a patch that reaches into the
next box comes in parts. In memory, threads take a chunk each and write straight into the samples;
where the samples do not fit, and on a Dask cluster, a box is cut as a whole and its parts are put
together in the spool.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Patches
from sitsformer.errors import SitsError
from sitsformer.patches.chunks import Chunks
from sitsformer.patches.spool import Spool
from sitsformer.samples import shards
from sitsformer.samples.layout import MISSING

_GATHER_LINES = 2**14
"""Lines of patches gathered at once: they and their positions stay in a core's cache."""

_SHARED_PATCHES = threading.Lock()
"""Held while patches that lie in two boxes are written."""


@dataclass(frozen=True)
class Box:
    """A column of chunks and the samples whose patches touch it.

    Attributes:
        place: (y, x) in the grid of chunks.
        height, width: pixels of the box that lie in the tile.
        who: (sample,) which samples.
        row, column: (sample,) upper left pixel of their patches, from that of the box on.
        steps: (sample, length) positions on the time axis; -1 none.
        size: side of a patch, pixels.
    """

    place: tuple[int, int]
    height: int
    width: int
    who: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    steps: NDArray[np.int16]
    size: int

    @cached_property
    def inside(self) -> NDArray[np.bool_]:
        """(sample, py * px) whether the pixels of the patches lie in the box."""
        along = np.arange(self.size)
        y, x = self.row[:, None] + along, self.column[:, None] + along
        tall, wide = (y >= 0) & (y < self.height), (x >= 0) & (x < self.width)
        both: NDArray[np.bool_] = tall[:, :, None] & wide[:, None, :]
        return both.reshape(len(both), self.size**2)

    @cached_property
    def whole(self) -> NDArray[np.bool_]:
        """(sample,) whether the box holds the whole patch."""
        return np.asarray(self.inside.all(axis=1))

    @cached_property
    def dates(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """(step,) sample, place in it and position on the time axis of all steps, by the latter."""
        sample, place = np.nonzero(self.steps >= 0)
        date = self.steps[sample, place]
        order = np.argsort(date, kind="stable")
        return sample[order], place[order], date[order].astype(np.int64)


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
    chunks = Chunks(path, "reflectance")
    workers = shards.threads()
    fitting = settings.memory_gb * 1e9 / spool.sample_bytes

    def boxes(most: float) -> list[Box]:
        return list(_boxes(chunks, row, column, steps, settings.size, max(1, int(most))))

    if settings.scheduler is not None:
        _cut_on_cluster(path, boxes(fitting / 16), int(fitting / 8), settings.scheduler, spool)
    elif spool.array is not None:
        _cut_in_place(chunks, boxes(len(row)), steps, spool.array, workers)
    else:
        _cut_by_box(chunks, boxes(fitting / 2 / workers), spool, workers)


def _boxes(
    chunks: Chunks,
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    steps: NDArray[np.int16],
    size: int,
    most: int,
) -> Iterator[Box]:
    """Boxes with at most `most` of the samples that touch them; one with more comes again."""
    height, width = chunks.shape[2:]
    tall, wide = chunks.chunks[2:]
    by_row = np.argsort(row, kind="stable")
    first_row, first_column = row - size // 2, column - size // 2
    tops = first_row[by_row]
    for y, top in enumerate(range(0, height, tall)):
        near = by_row[np.searchsorted(tops, top - size + 1) : np.searchsorted(tops, top + tall)]
        for x, left in enumerate(range(0, width, wide)):
            corner = first_column[near]
            touching = np.sort(near[(corner > left - size) & (corner < left + wide)])
            for start in range(0, len(touching), most):
                who = touching[start : start + most]
                yield Box(
                    place=(y, x),
                    height=min(tall, height - top),
                    width=min(wide, width - left),
                    who=who,
                    row=first_row[who] - top,
                    column=first_column[who] - left,
                    steps=steps[who],
                    size=size,
                )


def _cut_in_place(
    chunks: Chunks,
    boxes: list[Box],
    steps: NDArray[np.int16],
    samples: NDArray[np.uint16],
    workers: int,
) -> None:
    """Cut into an array of all samples; each chunk is decoded once."""
    rows = samples.reshape(steps.size, int(np.prod(samples.shape[2:])))
    rows[(steps < 0).ravel()] = MISSING
    jobs = [(box, block) for box in boxes for block in _blocks(chunks)]
    with ThreadPoolExecutor(workers) as pool:

        def cut(job: tuple[Box, int]) -> None:
            box, block = job
            _gather_chunk(chunks, box, block, rows, box.who)

        for _ in shards.ahead(pool, cut, jobs, 2 * workers):
            pass


def _cut_by_box(chunks: Chunks, boxes: list[Box], spool: Spool, workers: int) -> None:
    """Cut into the spool's file."""
    own = threading.local()
    largest = max((len(box.who) for box in boxes), default=0)

    def cut(box: Box) -> None:
        # A thread's room is used again: touching new memory takes longer than filling it.
        if not hasattr(own, "room"):
            own.room = np.empty((largest, *spool.shape[1:]), np.uint16)
        spool.add(box.who, _cut_box(chunks, box, own.room[: len(box.who)]))

    with ThreadPoolExecutor(workers) as pool:
        for _ in shards.ahead(pool, cut, boxes, workers):
            pass


def _cut_on_cluster(path: Path, boxes: list[Box], samples: int, address: str, spool: Spool) -> None:
    """Cut boxes on a Dask cluster; the parts of at most `samples` samples are on their way."""
    from dask.base import compute
    from dask.delayed import delayed

    cut = delayed(cut_box, pure=False)
    with _client(address) as client:

        def run(group: list[Box]) -> Any:
            return compute(*[cut(path, box) for box in group], scheduler=client)

        groups = list(_groups(boxes, samples))
        # The next group is cut while this one is put in place.
        with ThreadPoolExecutor(1) as pool:
            for group, found in zip(groups, shards.ahead(pool, run, groups, 2), strict=True):
                for box, parts in zip(group, found, strict=True):
                    spool.add(box.who, parts)


def cut_box(path: Path, box: Box) -> NDArray[np.uint16]:
    """Cut what a box of a cube holds of its samples (a task of a Dask cluster).

    Args:
        path: of the cube.
        box: which one, and its samples.

    Returns:
        (sample, length, band, py, px) uint16, MISSING where there is no step or the box ends.
    """
    chunks = Chunks(path, "reflectance")
    shape = (*box.steps.shape, chunks.shape[1], box.size, box.size)
    return _cut_box(chunks, box, np.empty(shape, np.uint16))


def _cut_box(chunks: Chunks, box: Box, parts: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Fill the parts (sample, length, band, py, px) of the samples of a box."""
    parts[~box.whole] = MISSING
    rows = parts.reshape(box.steps.size, -1)
    rows[(box.steps < 0).ravel()] = MISSING
    for block in _blocks(chunks):
        _gather_chunk(chunks, box, block, rows, np.arange(len(box.who)))
    return parts


def _blocks(chunks: Chunks) -> range:
    """Positions of the chunks along the time axis."""
    return range(-(-chunks.shape[0] // chunks.chunks[0]))


def _gather_chunk(
    chunks: Chunks,
    box: Box,
    block: int,
    rows: NDArray[np.uint16],
    target: NDArray[np.int64],
) -> None:
    """Gather what one chunk holds of the samples of its box.

    Args:
        chunks: of the cube.
        box: of the chunk.
        block: of the chunk, along time.
        rows: (sample * length, band * py * px) written.
        target: (sample,) where in `rows` the samples of the box are.
    """
    dates, bands, height, width = chunks.chunks
    sample, place, date = box.dates
    here = slice(*np.searchsorted(date, (block * dates, (block + 1) * dates)).tolist())
    sample, place, date = sample[here], place[here], date[here] - block * dates
    if len(sample) == 0:
        return
    start = (date * bands * height + box.row[sample]) * width + box.column[sample]
    row = target[sample] * box.steps.shape[1] + place
    offsets = np.add.outer(np.arange(bands) * height, np.arange(box.size)).ravel() * width
    whole = box.whole[sample]
    values = chunks.read((block, 0, *box.place)).reshape(-1)
    lines = _lines(values, box.size)
    step = max(1, _GATHER_LINES // len(offsets))
    for some in _pieces(np.flatnonzero(whole), step):
        rows[row[some]] = lines[start[some, None] + offsets].view(np.uint16)
    each = np.add.outer(offsets, np.arange(box.size)).ravel()
    for some in _pieces(np.flatnonzero(~whole), step):
        found = np.take(values, start[some, None] + each, mode="clip")
        # Another thread may be at the part in the next box.
        with _SHARED_PATCHES:
            known = rows[row[some]]
            np.copyto(known, found, where=np.tile(box.inside[sample[some]], bands))
            rows[row[some]] = known


def _lines(values: NDArray[np.uint16], size: int) -> NDArray[np.void]:
    """All runs of `size` pixels of a chunk, as one element each: they overlap in memory."""
    count = values.size - size + 1
    return np.ndarray(count, np.dtype((np.void, 2 * size)), values, strides=(2,))


def _pieces(values: NDArray[np.int64], length: int) -> Iterator[NDArray[np.int64]]:
    for first in range(0, len(values), length):
        yield values[first : first + length]


def _groups(boxes: list[Box], samples: int) -> Iterator[list[Box]]:
    """Boxes that are cut side by side: together they have at most so many samples, or are one."""
    group: list[Box] = []
    held = 0
    for box in boxes:
        if group and held + len(box.who) > samples:
            yield group
            group, held = [], 0
        group.append(box)
        held += len(box.who)
    if group:
        yield group


@contextmanager
def _client(address: str) -> Iterator[Any]:
    """A client of the Dask scheduler at an address."""
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
        yield client
