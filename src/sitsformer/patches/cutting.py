"""Cutting the drawn patches out of a cube, chunk by chunk.

A chunk is decoded, and what it holds of the patches is gathered, many patches at once; missing
values are looked for while the chunk is in the cache.
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
from sitsformer.stored import MISSING

_GATHER_BYTES = 2**18
"""Patches gathered at once: they stay in a core's cache until they are put in place."""

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
    workers = shards.threads()
    fitting = settings.memory_gb * 1e9 / spool.sample_bytes

    def boxes(most: float) -> list[Box]:
        return list(_boxes(chunks, row, column, steps, settings.size, max(1, int(most))))

    if settings.scheduler is not None:
        groups = list(_groups(boxes(fitting / 16), int(fitting / 8)))
        _cut_on_cluster(path, groups, settings.scheduler, spool, gaps)
    elif spool.array is not None:
        _cut_in_place(chunks, boxes(len(row)), spool.array, gaps, workers)
    else:
        _cut_by_box(chunks, boxes(fitting / 2 / workers), spool, gaps, workers)
    return gaps


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
    samples: NDArray[np.uint16],
    gaps: NDArray[np.bool_],
    workers: int,
) -> None:
    """Cut into an array of all samples; each chunk is decoded once."""
    jobs = [(box, block) for box in boxes for block in _blocks(chunks)]
    with ThreadPoolExecutor(workers) as pool:

        def cut(job: tuple[Box, int]) -> None:
            box, block = job
            if block == 0:
                _pad(box, box.who, samples)
            _gather_chunk(chunks, box, block, box.who, samples, gaps)

        for _ in shards.ahead(pool, cut, jobs, 2 * workers):
            pass


def _cut_by_box(
    chunks: Chunks, boxes: list[Box], spool: Spool, gaps: NDArray[np.bool_], workers: int
) -> None:
    """Cut into the spool's file."""
    own = threading.local()
    largest = max((len(box.who) for box in boxes), default=0)

    def cut(box: Box) -> None:
        # A thread's room is used again: touching new memory takes longer than filling it.
        if not hasattr(own, "room"):
            own.room = np.empty((largest, *spool.shape[1:]), np.uint16)
        parts, found = _cut_box(chunks, box, own.room[: len(box.who)])
        _note(gaps, box.who, found)
        spool.add(box.who, parts)

    with ThreadPoolExecutor(workers) as pool:
        for _ in shards.ahead(pool, cut, boxes, workers):
            pass


def _note(gaps: NDArray[np.bool_], who: NDArray[np.int64], found: NDArray[np.bool_]) -> None:
    """Mark the gaps found in some samples; threads may do so side by side."""
    sample, place = np.nonzero(found)
    gaps[who[sample], place] = True


def _cut_on_cluster(
    path: Path, groups: list[list[Box]], address: str, spool: Spool, gaps: NDArray[np.bool_]
) -> None:
    """Cut boxes on a Dask cluster; two groups of them are on their way."""
    from dask.base import compute
    from dask.delayed import delayed

    cut = delayed(cut_box, pure=False)
    with _client(address) as client:

        def run(group: list[Box]) -> Any:
            return compute(*[cut(path, box) for box in group], scheduler=client)

        # The next group is cut while this one is put in place.
        with ThreadPoolExecutor(1) as pool:
            for group, found in zip(groups, shards.ahead(pool, run, groups, 2), strict=True):
                for box, (parts, missing) in zip(group, found, strict=True):
                    _note(gaps, box.who, missing)
                    spool.add(box.who, parts)


def cut_box(path: Path, box: Box) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Cut what a box of a cube holds of its samples (a task of a Dask cluster).

    Args:
        path: of the cube.
        box: which one, and its samples.

    Returns:
        (sample, length, band, py, px) uint16, MISSING where there is no step or the box ends, and
        (sample, length) which steps have a missing value.
    """
    chunks = Chunks(path, "reflectance")
    shape = (*box.steps.shape, chunks.shape[1], box.size, box.size)
    return _cut_box(chunks, box, np.empty(shape, np.uint16))


def _cut_box(
    chunks: Chunks, box: Box, parts: NDArray[np.uint16]
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Fill the parts (sample, length, band, py, px) of the samples of a box."""
    parts[~box.whole] = MISSING
    each = np.arange(len(box.who))
    _pad(box, each, parts)
    gaps = np.zeros(box.steps.shape, np.bool_)
    for block in _blocks(chunks):
        _gather_chunk(chunks, box, block, each, parts, gaps)
    return parts, gaps


def _blocks(chunks: Chunks) -> range:
    """Positions of the chunks along the time axis."""
    return range(-(-chunks.shape[0] // chunks.chunks[0]))


def _pad(box: Box, target: NDArray[np.int64], samples: NDArray[np.uint16]) -> None:
    """Write MISSING where the samples of a box have no step; threads share this first touch."""
    sample, place = np.nonzero(box.steps < 0)
    samples[target[sample], place] = MISSING


def _gather_chunk(
    chunks: Chunks,
    box: Box,
    block: int,
    target: NDArray[np.int64],
    samples: NDArray[np.uint16],
    gaps: NDArray[np.bool_],
) -> None:
    """Gather what one chunk holds of the samples of its box.

    Args:
        chunks: of the cube.
        box: of the chunk.
        block: of the chunk, along time.
        target: (sample,) where in `samples` the samples of the box are.
        samples: (any, length, band, py, px) written.
        gaps: (any, length) set where a patch has a missing value.
    """
    dates = chunks.chunks[0]
    sample, place, date = box.dates
    here = slice(*np.searchsorted(date, (block * dates, (block + 1) * dates)).tolist())
    sample, place, date = sample[here], place[here], date[here] - block * dates
    if len(sample) == 0:
        return
    rows, broken = samples.reshape(gaps.size, -1), gaps.reshape(-1)
    chunk = chunks.read((block, 0, *box.place))
    _, bands, height, width = chunk.shape
    start = (date * bands * height + box.row[sample]) * width + box.column[sample]
    row = target[sample] * box.steps.shape[1] + place
    whole = box.whole[sample]
    values = chunk.reshape(-1)
    holey = values.max() == MISSING
    lines = _lines(values, chunk.shape, box.size)
    step = max(1, _GATHER_BYTES // (2 * rows.shape[1]))
    for some in _pieces(np.flatnonzero(whole), step):
        found = lines[start[some]].view(np.uint16).reshape(len(some), -1)
        rows[row[some]] = found
        if holey:
            broken[row[some[found.max(axis=1) == MISSING]]] = True
    along = np.arange(box.size)
    places = np.add.outer(np.add.outer(np.arange(bands) * height, along) * width, along).ravel()
    for some in _pieces(np.flatnonzero(~whole), step):
        found = np.take(values, start[some, None] + places, mode="clip")
        inside = np.tile(box.inside[sample[some]], bands)
        broken[row[some[((found == MISSING) & inside).any(axis=1)]]] = True
        # Another thread may be at the part in the next box.
        with _SHARED_PATCHES:
            known = rows[row[some]]
            np.copyto(known, found, where=inside)
            rows[row[some]] = known


def _lines(values: NDArray[np.uint16], shape: tuple[int, ...], size: int) -> NDArray[np.void]:
    """The patches around all pixels of a chunk, (place, band, py), a line of pixels an element.

    Args:
        values: of the chunk, flat; the patches overlap in its memory.
        shape: (time, band, y, x) of the chunk.
        size: side of a patch.
    """
    _, bands, height, width = shape
    last = ((bands - 1) * height + size - 1) * width + size - 1
    line = np.dtype((np.void, 2 * size))
    strides = (2, 2 * height * width, 2 * width)
    count = max(0, values.size - last)
    return np.ndarray((count, bands, size), line, values, strides=strides)


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
