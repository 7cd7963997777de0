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

    A file takes samples one after another as they come: written in their final places all over it,
    they would make the disk work for every one of them.

    Attributes:
        shape: (sample, length, band, py, px).
        sample_bytes: size of a sample.
        array: the samples, uint16, where they are in memory: to be cut in place; else None.
    """

    def __init__(self, shape: tuple[int, ...], memory_gb: float, directory: Path) -> None:
        """Make room for samples, in half of the memory or in a file of the directory."""
        self.shape = shape
        self.sample_bytes = int(np.prod(shape[1:])) * 2
        self.array: NDArray[np.uint16] | None = None
        self._file: Path | None = None
        if shape[0] * self.sample_bytes <= memory_gb * 1e9 / 2:
            self.array = np.empty(shape, np.uint16)
        else:
            self._file = directory / "spool"
            self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT)
            self._place = np.full(shape[0], -1, np.int64)
            self._end = 0
            self._taking_room = threading.Lock()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._descriptor)
            self._file.unlink()

    def add(self, who: NDArray[np.int64], samples: NDArray[np.uint16]) -> None:
        """Put some samples (sample, length, band, py, px) in place; threads may do so together."""
        if self.array is not None:
            self.array[who] = samples
            return
        with self._taking_room:
            place, self._end = self._end, self._end + samples.nbytes
        self._place[who] = place + np.arange(len(who)) * self.sample_bytes
        data = samples.reshape(-1).view(np.uint8)
        # One call writes two gigabytes at most.
        while len(data):
            written = os.pwrite(self._descriptor, data.data, place)
            data, place = data[written:], place + written

    def read(self, first: int, last: int) -> NDArray[np.uint16]:
        """Samples [first, last)."""
        if self.array is not None:
            return self.array[first:last]
        places = self._place[first:last]
        samples = np.empty((len(places), *self.shape[1:]), np.uint16)
        # In the order of the file: what it has to fetch from the disk comes in one sweep.
        for i in np.argsort(places).tolist():
            if os.preadv(self._descriptor, [samples[i].data], int(places[i])) != self.sample_bytes:
                raise SampleError(f"{self._file} is not whole; cut the tile again")
        return samples
