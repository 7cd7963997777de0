"""Samples being put together: in memory, or in a file when they would take too much of it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sitsformer.samples.contract import SampleError


class Spool:
    """Samples of a tile while they are cut.

    A patch may come in several parts, each with the missing value wherever it does not reach; the
    missing value is the largest there is, so the minimum of the parts is the whole. A file takes
    parts one after another as they come: written in their final places all over it, they would
    make the disk work for every one of them.

    Attributes:
        shape: (sample, length, band, py, px).
        sample_bytes: size of a sample.
        array: the samples, uint16, where they are in memory: to be cut in place; else None.
    """

    def __init__(self, shape: tuple[int, ...], memory_gb: float, directory: Path) -> None:
        """Make room for samples.

        Args:
            shape: (sample, length, band, py, px).
            memory_gb: half of it may be used here.
            directory: for the file.
        """
        self.shape = shape
        self.sample_bytes = int(np.prod(shape[1:])) * 2
        self.array: NDArray[np.uint16] | None = None
        self._adding = threading.Lock()
        # Where parts of a sample begin in the file; few samples have more than one.
        self._place = np.full(shape[0], -1, np.int64)
        self._more: dict[int, list[int]] = {}
        self._end = 0
        self._file: Path | None = None
        if shape[0] * self.sample_bytes <= memory_gb * 1e9 / 2:
            self.array = np.empty(shape, np.uint16)
        else:
            self._file = directory / "spool"
            self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._descriptor)
            self._file.unlink()

    def add(self, who: NDArray[np.int64], parts: NDArray[np.uint16]) -> None:
        """Put parts of some samples in place; threads may do so side by side.

        Args:
            who: (part,) which samples, each once.
            parts: (part, length, band, py, px).
        """
        with self._adding:
            again = self._place[who] >= 0
            places = self._end + np.arange(len(who)) * self.sample_bytes
            self._place[who[~again]] = places[~again]
            if self.array is not None:
                self.array[who[~again]] = parts[~again]
                old = who[again]
                self.array[old] = np.minimum(self.array[old], parts[again])
                return
            for sample, place in zip(who[again].tolist(), places[again].tolist(), strict=True):
                self._more.setdefault(sample, []).append(place)
            self._end += parts.nbytes
        self._write(parts.reshape(-1).view(np.uint8), int(places[0]))

    def read(self, first: int, last: int) -> NDArray[np.uint16]:
        """Samples [first, last)."""
        if self.array is not None:
            return self.array[first:last]
        last = min(last, self.shape[0])
        samples = np.empty((last - first, *self.shape[1:]), np.uint16)
        # In the order of the file: what it has to fetch from the disk comes in one sweep.
        for sample in (first + np.argsort(self._place[first:last])).tolist():
            into = samples[sample - first]
            self._read(into, int(self._place[sample]))
            for place in self._more.get(sample, ()):
                part = np.empty_like(into)
                self._read(part, place)
                np.minimum(into, part, out=into)
        return samples

    def _read(self, into: NDArray[np.uint16], place: int) -> None:
        if os.preadv(self._descriptor, [into.data], place) != into.nbytes:
            raise SampleError(f"{self._file} is not whole; cut the tile again")

    def _write(self, data: NDArray[np.uint8], place: int) -> None:
        # One call writes two gigabytes at most.
        while len(data):
            written = os.pwrite(self._descriptor, data.data, place)
            data, place = data[written:], place + written
