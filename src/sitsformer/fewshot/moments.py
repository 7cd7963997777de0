"""Mean and standard deviation of features that come batch by batch and are not kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


class Moments:
    """Added up over batches, in float64, and as exact as in two passes over all.

    Chan, Golub & LeVeque 1983, "Algorithms for computing the sample variance", The American
    Statistician 37(3): batches are centred by themselves, and their means corrected for.
    """

    def __init__(self, width: int) -> None:
        self._count = 0
        self._mean = np.zeros(width)
        self._squares = np.zeros(width)

    def add(self, rows: Floats) -> None:
        """Add a batch (sample, feature)."""
        if not len(rows):
            return
        own = rows.astype(np.float64)
        mean = own.mean(0)
        own -= mean
        total = self._count + len(own)
        apart = mean - self._mean
        self._squares += np.einsum("nf,nf->f", own, own)
        self._squares += apart**2 * (self._count * len(own) / total)
        self._mean += apart * (len(own) / total)
        self._count = total

    def scale(self, least: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Mean and standard deviation (feature,), the latter not below `least`."""
        return self._mean, np.maximum(np.sqrt(self._squares / self._count), least)
