"""Reflectance of samples that is read piece by piece, for who need not hold all of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sitsformer.samples import shards
from sitsformer.samples.store import Samples


def valid_steps(path: Path, samples: Samples) -> NDArray[np.uint16]:
    """Reflectance of the valid steps of samples of a store, without the padding between them.

    Args:
        path: the store.
        samples: of it, whose own reflectance need not be there.

    Returns:
        (step, band, py, px) uint16, sample after sample.

    Raises:
        SampleError: the store is damaged.
    """
    with shards.Reader(path / "reflectance") as reader:
        return reader.take_steps(samples.index, (samples.doy > 0).sum(1))


def read_patches(
    path: Path,
    samples: Samples,
    put: Callable[[NDArray[np.int64], NDArray[np.uint16]], None],
) -> None:
    """Look once at the reflectance of samples of a store, chunk by chunk, by threads.

    Args:
        path: the store.
        samples: of it, whose own reflectance need not be there.
        put: positions (n,) among the samples, and their patches (n, time, band, py, px).

    Raises:
        SampleError: the store is damaged.
    """
    with shards.Reader(path / "reflectance") as reader:
        reader.each(
            samples.index, lambda chunk, places, inside: put(places, reader.read(chunk)[inside])
        )
