"""The steps of one sample: which are whole, in order of time, each day once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sitsformer.convert.days import Days, Ints, keys
from sitsformer.convert.npz import Array
from sitsformer.errors import SitsError


def in_order(values: Array, valid: npt.NDArray[np.bool_], days: Days, where: str) -> Ints:
    """Positions of the valid steps in order of time.

    Args:
        values: (T, band, py, px).
        valid: (T,).
        days: of the steps (T,).
        where: what a message says first.

    Returns:
        (k,) int64; a step that repeats another of the same day is left out.

    Raises:
        SitsError: two steps of one day with other values, or days in no order of time.
    """
    time = keys(days, valid, where)
    steps = np.flatnonzero(valid)
    steps = steps[np.argsort(time[steps], kind="stable")]
    twice = np.flatnonzero(np.diff(time[steps]) == 0)
    for i in twice:
        first, second = steps[i], steps[i + 1]
        if not np.array_equal(values[first], values[second]):
            raise SitsError(
                f"{where}: two steps of day {days.doy[first]} (positions {first} and {second}) "
                "differ: keep one of them, or their mean"
            )
    kept: Ints = np.delete(steps, twice + 1)
    return kept
