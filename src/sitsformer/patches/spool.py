"""Samples being put together: in memory, or in a file when they would take too much of it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sitsformer.samples.layout import SampleError


class Spool:
    """Samples of a tile while they are cut.

    A patch may come in several parts, each with the missing value wherever it does not reach; the
    missing value is the largest there is, so the minimum of the parts is the whole.

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
        self._size = shape[0] * self.sample_bytes / 1e9
        self._begun = np.zeros(shape[0], bool)
        self._merging = threading.Lock()
        self._file: Path | None = None
        if self._size <= memory_gb / 2:
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

    def add(
        self, who: NDArray[np.int64], parts: NDArray[np.uint16], whole: NDArray[np.bool_]
    ) -> None:
        """Put parts of some samples in place; threads may do so side by side.

        Args:
            who: (part,) which samples.
            parts: (part, length, band, py, px).
            whole: (part,) whether that is all of the sample.
        """
        if self.array is not None:
            self.array[who[whole]] = parts[whole]
        else:
            for position in np.flatnonzero(whole).tolist():
                self._write(int(who[position]), parts[position])
        # Parts of one sample may come from two threads at once.
        with self._merging:
            for position in np.flatnonzero(~whole).tolist():
                sample, part = int(who[position]), parts[position]
                if self._begun[sample]:
                    part = np.minimum(part, self.read(sample, sample + 1)[0])
                self._begun[sample] = True
                self._write(sample, part)

    def read(self, first: int, last: int) -> NDArray[np.uint16]:
        """Samples [first, last)."""
        if self.array is not None:
            return self.array[first:last]
        samples = np.empty((min(last, self.shape[0]) - first, *self.shape[1:]), np.uint16)
        os.preadv(self._descriptor, [samples.data], first * self.sample_bytes)
        return samples

    def _write(self, sample: int, part: NDArray[np.uint16]) -> None:
        if self.array is not None:
            self.array[sample] = part
            return
        written = os.pwrite(self._descriptor, part.data, sample * self.sample_bytes)
        if written != self.sample_bytes:
            raise SampleError(f"{self._file}: the disk is full; free {self._size:.1f} GB or more")
