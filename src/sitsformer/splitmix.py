"""Random numbers as pure functions of whole numbers, by the mixing step of SplitMix64.

Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", OOPSLA,
doi:10.1145/2714064.2660195; constants of variant 13. Sums and products of uint64 wrap around, which
NumPy warns of for single values alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""Added to a state before it is mixed, or multiplied with what is mixed in."""

FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
"""Multipliers of the mixing step."""

STEP = 2.0**-53
"""Between two neighbours of `unit`."""


def mix(state: Words) -> Words:
    """Mix the bits of each word; a bijection."""
    state = (state ^ (state >> np.uint64(30))) * FIRST
    state = (state ^ (state >> np.uint64(27))) * SECOND
    return state ^ (state >> np.uint64(31))


def unit(state: Words, shift: float = 0.0) -> npt.NDArray[np.float64]:
    """The upper 53 bits of each word as a number in [0, 1); above 0 with a shift of a half."""
    numbers: npt.NDArray[np.float64] = ((state >> np.uint64(11)).astype(np.float64) + shift) * STEP
    return numbers
