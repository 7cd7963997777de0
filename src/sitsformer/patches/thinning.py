"""Which clear dates a sample keeps when it has more than fit.

The dates are cut, in their order, into as many runs of nearly equal length as there are places, and
one date of each run is kept. So the season stays covered: between two kept dates lie fewer than
two runs. Which one is kept is drawn from a hash of the pixel's place on the ground alone: a pixel
of a map has the dates of its sample, whatever the tile, the set and its seed, chunks and threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sitsformer.splitmix import GOLDEN, mix, unit

_WORD = 2**64


def uniform(seed: int, *keys: NDArray[np.int64]) -> NDArray[np.float64]:
    """Numbers in [0, 1) that are a pure function of a seed and whole-number keys.

    Returns:
        float64 of the common shape.
    """
    state = np.full((1,) * max(key.ndim for key in keys), seed % _WORD, np.uint64)
    for key in keys:
        state = mix((state ^ np.asarray(key).astype(np.uint64)) + GOLDEN)
    return unit(state)


def thin(
    clear: NDArray[np.bool_], length: int, epsg: int, x: NDArray[np.int64], y: NDArray[np.int64]
) -> NDArray[np.int16]:
    """Choose at most `length` of each sample's clear dates.

    Args:
        clear: (sample, time) which dates are clear.
        length: places of a sample.
        epsg: code of the UTM zone that x and y are in.
        x: (sample,) place of the pixel, whole metres east.
        y: (sample,) place of the pixel, whole metres north.

    Returns:
        (sample, length) positions on the time axis, ascending, then -1 where places stay empty.
    """
    places = np.arange(length)
    count = np.count_nonzero(clear, axis=1)
    # Clear dates of all samples, one after another, and where those of each begin.
    dates = np.nonzero(clear)[1].astype(np.int16)
    begin = np.cumsum(count) - count
    rank = np.tile(places, (len(clear), 1))
    many = np.flatnonzero(count > length)
    start = places * count[many, None] // length
    stop = (places + 1) * count[many, None] // length
    draw = uniform(epsg, x[many, None], y[many, None], places[None])
    rank[many] = start + (draw * (stop - start)).astype(np.int64)
    kept = np.full(rank.shape, -1, np.int16)
    filled = places < count[:, None]
    kept[filled] = dates[(begin[:, None] + rank)[filled]]
    return kept
