"""Batches of a sample store, shuffled, from memory or streamed from disk.

The order of an epoch is a pure function of the store, the seed and the epoch: chunks are permuted,
taken in windows of about 256 MB, and the samples of a window are permuted among themselves. Memory
and stream give the same order, so do any number of threads, and a run that goes on in the middle
of an epoch. Of several processes each reads its own stretch of the order.

Chunks differ in their tiles and a window mixes dozens of them; a set of one window is shuffled
as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Split
from sitsformer.samples import SampleError, Samples, load_samples, open_samples, shards, split_rows
from sitsformer.samples.contract import rechunk

WINDOW_BYTES = 2**28
"""Samples shuffled together, before compression. A stream holds two windows: the one that is being
read from disk and the one that is being handed out."""

MEMORY_SHARE = 0.5
"""Share of the free memory that `auto` fills with samples before it streams; of a GPU's as well,
whose other half is for the network, its batches and the validation split."""

Mode = Literal["auto", "device", "memory", "stream"]
Batch = dict[str, NDArray[Any]]
"""`index` (sample,) int64 rows of the store; `reflectance`, `doy`, `label` as in Samples."""


@dataclass(frozen=True)
class Order:
    """The samples of one epoch.

    Attributes:
        rows: (sample,) int64 rows of the store in the order they are handed out.
        windows: (window + 1,) int64 where each window begins in `rows`, and the end.
    """

    rows: NDArray[np.int64]
    windows: NDArray[np.int64]


def order(rows: NDArray[np.int64], sample_bytes: int, seed: int, epoch: int) -> Order:
    """Shuffle rows (sample,) of a store, ascending, for one epoch, counted from 0."""
    chunk = shards.chunk_rows(sample_bytes)
    per_window = max(1, WINDOW_BYTES // (chunk * sample_bytes))
    generator = np.random.default_rng([seed, epoch])
    chunks, member = np.unique(rows // chunk, return_inverse=True)
    place = generator.permutation(len(chunks))
    window = place[member] // per_window
    # One random number a sample sorts it within its window.
    mixed = np.lexsort((generator.random(len(rows)), window))
    windows = np.searchsorted(window[mixed], np.arange(int(window.max(initial=-1)) + 2))
    return Order(rows[mixed], windows)


def choose(size: int, host: int, device: int | None) -> Mode:
    """Where a set is best kept: where the network runs, in the host's memory, or on disk (bytes).

    `device` is what is free on the GPU that the network runs on; None: it runs on the CPU.
    """
    if size > MEMORY_SHARE * host:
        return "stream"
    return "device" if device is not None and size <= MEMORY_SHARE * device else "memory"


class Loader:
    """Shuffled batches of one split of a store, epoch by epoch.

    Attributes:
        mode: `device`, `memory` or `stream`, as chosen.
        samples: number of samples a process sees in an epoch.
    """

    def __init__(
        self,
        source: Path | Samples,
        batch_size: int,
        seed: int,
        *,
        split: Split | None = "train",
        rank: int = 0,
        world: int = 1,
        mode: Mode = "auto",
        drop_last: bool = False,
        free_host: int | None = None,
        free_device: int | None = None,
    ) -> None:
        """Open a store, and read it if it is to be kept in memory.

        Args:
            source: a set store, or samples in memory.
            batch_size: samples of a batch.
            seed: of the order.
            split: which samples; all for None. Samples in memory are taken as they are.
            rank: of this process.
            world: number of processes. Each gets the same number of samples; what is left over,
                fewer than `world` samples an epoch, sits out.
            mode: `device` (read whole, for the caller to put where the network runs), `memory`,
                `stream`, or by size.
            drop_last: leave out a last batch that is not full.
            free_host: bytes that `auto` counts on; default: what this machine has.
            free_device: the same of the GPU; None: the network runs on the CPU.

        Raises:
            SampleError: the store is damaged, or has fewer samples than processes.
        """
        self._batch, self._seed, self._drop_last = batch_size, seed, drop_last
        self._rank, self._world = rank, world
        self._memory: Samples | None = None
        self.mode: Mode = "memory"
        if isinstance(source, Samples):
            self._keep(source)
        else:
            dataset = open_samples(source)
            self._path = source
            self._rows = split_rows(dataset, source, split)
            self._sample_bytes = int(np.prod(dataset.reflectance.shape[1:])) * 2
            size = len(self._rows) * self._sample_bytes
            host = free_memory() if free_host is None else free_host
            self.mode = choose(size, host, free_device) if mode == "auto" else mode
            if self.mode == "stream":
                self._doy = dataset.doy.values
                self._label = dataset.label.values
            else:
                self._keep(load_samples(source, split))
        self.samples = len(self._rows) // world
        if self.samples == 0:
            raise SampleError(f"{len(self._rows)} samples cannot serve {world} processes")

    @property
    def held(self) -> Samples | None:
        """The samples, where they are kept in memory."""
        return self._memory

    def __len__(self) -> int:
        """Batches of an epoch, the same for every process."""
        return self.samples // self._batch if self._drop_last else -(-self.samples // self._batch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Batches of one epoch, counted from 0; the first `start` are skipped unread."""
        whole = order(self._rows, self._sample_bytes, self._seed, epoch)
        first = self._rank * self.samples
        last = first + (len(self) * self._batch if self._drop_last else self.samples)
        first += start * self._batch
        if self._memory is not None:
            yield from self._from_memory(self._memory, whole.rows[first:last])
        else:
            yield from self._from_disk(whole, first, last)

    def _keep(self, samples: Samples) -> None:
        self._memory = samples
        self._rows = samples.index
        self._sample_bytes = int(np.prod(samples.reflectance.shape[1:])) * 2
        if (np.diff(self._rows) <= 0).any():
            raise SampleError("samples of a loader must be in the order of their store")

    def _from_memory(self, samples: Samples, rows: NDArray[np.int64]) -> Iterator[Batch]:
        positions = np.searchsorted(samples.index, rows)
        for start in range(0, len(rows), self._batch):
            here = positions[start : start + self._batch]
            yield {
                "index": rows[start : start + self._batch],
                "reflectance": samples.reflectance[here],
                "doy": samples.doy[here],
                "label": samples.label[here],
            }

    def _from_disk(self, whole: Order, first: int, last: int) -> Iterator[Batch]:
        """Batches of the stretch [first, last) of the order, reading one window ahead."""
        edges = np.clip(whole.windows, first, last)
        stretches = [
            whole.rows[start:stop] for start, stop in pairwise(edges.tolist()) if start < stop
        ]
        taken = first
        with shards.Reader(self._path / "reflectance") as reader, ThreadPoolExecutor(1) as pool:
            windows = shards.ahead(pool, reader.take, stretches, 2)
            for reflectance in rechunk(windows, self._batch):
                rows = whole.rows[taken : taken + len(reflectance)]
                taken += len(reflectance)
                yield {
                    "index": rows,
                    "reflectance": reflectance,
                    "doy": self._doy[rows],
                    "label": self._label[rows].astype(np.int64),
                }


def free_memory() -> int:
    """Bytes that this process may still take, by the machine and by its control group."""
    free = [_kernel_number(Path("/proc/meminfo"), "MemAvailable:", 1024)]
    group = Path("/sys/fs/cgroup")
    limit = _kernel_number(group / "memory.max", "", 1)
    used = _kernel_number(group / "memory.current", "", 1)
    if limit is not None and used is not None:
        free.append(limit - used)
    known = [value for value in free if value is not None]
    return min(known) if known else 2**32  # no Linux: as much as a small laptop has to spare


def _kernel_number(path: Path, key: str, unit: int) -> int | None:
    """A number of a file of the kernel, times `unit`; None where there is none."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        words = line.removeprefix(key).split()
        if line.startswith(key) and words and words[0].isdigit():
            return int(words[0]) * unit
    return None
