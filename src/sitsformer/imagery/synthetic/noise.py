"""Random numbers and smooth noise as pure functions of world coordinates.

Nothing here has a state: the same key and coordinates give the same number in every tile, so that
fields and clouds continue across tile borders and a tile can be made alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from sitsformer.splitmix import GOLDEN, SECOND, mix, unit

Floats = NDArray[np.float64]


def stream(seed: int, *names: str | int) -> int:
    """Key of an independent stream of random numbers, from the seed and what it is for."""
    return zlib.crc32(repr((seed, *names)).encode())


def uniform(key: int, *indices: ArrayLike) -> Floats:
    """Uniform numbers in (0, 1), one for each tuple of integers (broadcast).

    Args:
        key: of `stream`.
        indices: integers, arrays of shapes that broadcast together.

    Returns:
        float64 of the broadcast shape; SplitMix64's finaliser applied index by index.
    """
    with np.errstate(over="ignore"):
        state = mix(np.array([key], np.uint64))
        for index in indices:
            bits = np.atleast_1d(np.asarray(index, np.int64)).view(np.uint64)
            state = mix(state ^ (bits * GOLDEN + SECOND))
    shape = np.broadcast_shapes(*(np.shape(index) for index in indices))
    return unit(state, 0.5).reshape(shape)


def normal(key: int, *indices: ArrayLike) -> Floats:
    """Standard normal numbers, one for each tuple of integers; see `uniform`."""
    drawn: Floats = ndtri(uniform(key, *indices))
    return drawn


def smooth(
    key: int, x: ArrayLike, y: ArrayLike, scale: float, layer: ArrayLike | None = None
) -> Floats:
    """Smooth noise with a standard normal distribution at every point.

    Normal numbers on a lattice, turned and shifted by the key so that its axes do not show, are
    interpolated with quintic weights and divided by the root of the weights' squares: the variance
    is one everywhere, so that quantiles are known without measuring.

    Args:
        key: of `stream`.
        x: eastings, metres.
        y: northings, metres; broadcasts with `x`.
        scale: step of the lattice, metres.
        layer: integers that tell independent fields of one key apart (dates); broadcasts too.
    """
    turn, shift_u, shift_v = uniform(key, [-1, -2, -3])
    cos, sin = np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)
    east, north = np.asarray(x, np.float64) / scale, np.asarray(y, np.float64) / scale
    u = east * cos - north * sin + shift_u
    v = east * sin + north * cos + shift_v
    column, row = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    weight_u, weight_v = _fade(u - column), _fade(v - row)
    layers = () if layer is None else (layer,)
    total: Floats = np.zeros(())
    squares: Floats = np.zeros(())
    for step_u, part_u in ((0, 1 - weight_u), (1, weight_u)):
        for step_v, part_v in ((0, 1 - weight_v), (1, weight_v)):
            weight = part_u * part_v
            total = total + weight * normal(key, column + step_u, row + step_v, *layers)
            squares = squares + weight**2
    drawn: Floats = np.asarray(total / np.sqrt(squares))
    return drawn


def fractal(
    key: int,
    x: ArrayLike,
    y: ArrayLike,
    scales: Sequence[float],
    weights: Sequence[float],
    layer: ArrayLike | None = None,
) -> Floats:
    """Sum of `smooth` fields of several scales, again standard normal at every point."""
    total: Floats = np.zeros(())
    for octave, (scale, weight) in enumerate(zip(scales, weights, strict=True)):
        total = total + weight * smooth(stream(key, octave), x, y, scale, layer)
    scale = float(np.sqrt(np.sum(np.square(weights))))
    drawn: Floats = total / scale
    return drawn


def _fade(fraction: Floats) -> Floats:
    """Quintic step with vanishing first and second derivatives at 0 and 1."""
    return fraction**3 * (fraction * (6 * fraction - 15) + 10)
