"""Vectors of samples that are not held in memory: in a file, read as they are wanted.

Those of the default network are 12 kB of a sample. A file that is mapped into memory would not do:
its pages count for whoever has touched them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from sitsformer.errors import SitsError

Ints: TypeAlias = npt.NDArray[np.int64]


class Rows(Protocol):
    """A table (row, column) whose rows can be asked for: an array, or something like one."""

    def __getitem__(self, rows: Ints, /) -> npt.NDArray[Any]:
        """(n, column) some rows."""


class Vectors:
    """(row, column) float32 in a file without a name, which is gone when nobody has it open.

    A batch is written where the one before it ended: in its place all over the file, it would make
    the disk work for every row.

    Args:
        count: rows; one that was never written is NaN.
        width: columns.
        folder: where the file is, made if it is not there; None: where the system keeps such files.
    """

    def __init__(self, count: int, width: int, folder: Path | None = None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        # Closed with the last who has it.
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        self._place = np.full(count, -1, np.int64)
        self._end = 0
        self.width = width

    def write(self, rows: Ints, values: npt.NDArray[np.float32]) -> None:
        """Put (n, column) values into rows (n,)."""
        data = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint8)
        end = self._end * self.width * 4
        # One call writes two gigabytes at most.
        while len(data):
            written = os.pwrite(self._file.fileno(), data.data, end)
            data, end = data[written:], end + written
        self._place[rows] = self._end + np.arange(len(rows))
        self._end += len(rows)

    def __getitem__(self, rows: Ints) -> npt.NDArray[np.float32]:
        """(n, column) of rows (n,)."""
        found = np.full((len(rows), self.width), np.nan, np.float32)
        places, each = self._place[rows], self.width * 4
        # In the order of the file: what it has to fetch from the disk comes in one sweep.
        order = np.argsort(places, kind="stable")
        for i in order[np.searchsorted(places[order], 0) :].tolist():
            if os.preadv(self._file.fileno(), [found[i].data], int(places[i]) * each) != each:
                raise SitsError("a file of vectors was cut short: is the disk full?")
        return found


def in_order(
    pieces: Callable[[], Iterable[npt.NDArray[Any]]],
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Mean and standard deviation of columns, to the byte those that numpy gives of all rows.

    That is how numpy adds up the rows of a table of several columns: one after the other, in their
    own precision. `tests/unit/test_memory.py` compares.

    Args:
        pieces: gives the rows (row, column) piece by piece; called twice.
    """
    count, total = 0, None
    for piece in pieces():
        total, count = _added(total, piece), count + len(piece)
    assert total is not None and count
    mean = _by(total, count)
    squares = None
    for piece in pieces():
        apart = piece - mean
        squares = _added(squares, np.multiply(apart, apart, out=apart))
    assert squares is not None
    return mean, np.sqrt(_by(squares, count))


def _added(total: npt.NDArray[Any] | None, piece: npt.NDArray[Any]) -> npt.NDArray[Any]:
    rows = piece if total is None else np.concatenate([total[None], piece])
    return np.asarray(np.add.reduce(rows, axis=0))


def _by(total: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    return np.asarray(np.true_divide(total, np.intp(count), out=total, casting="unsafe"))
