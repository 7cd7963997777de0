"""Indices of two bands."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


def normalised_difference(first: Floats, second: Floats) -> Floats:
    """(first - second) / (first + second), -1 to 1; 0 where the sum is 0."""
    total = first + second
    found: Floats = np.zeros_like(total)
    np.divide(first - second, total, out=found, where=total > 0)
    return found.clip(-1, 1)
