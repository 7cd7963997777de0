"""Arrays of a whole tile that live in the cache: read piece by piece, never whole.

An answer is kept as it came, (y, x, field), and turned where it is read: one copy of the pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.cube import CLEAR_MISSING
from sitsformer.imagery.earthengine.cache import TileCache
from sitsformer.imagery.earthengine.requests import UNSCORED, Request


class Stored:
    """An array (date, field, y, x) over all requests of one kind, by slices.

    Args:
        group: the cache that holds the finished requests.
        requests: what was fetched (after splitting).
        shape: of the whole array; fields are the ten bands, the one score, or the label layers
            (which have one "date").
    """

    def __init__(
        self, group: TileCache, requests: Sequence[Request], shape: tuple[int, int, int, int]
    ) -> None:
        self.group, self.requests = group, requests
        self.shape, self.ndim = shape, 4
        self.dtype = np.dtype(requests[0].dtype)

    def __getitem__(self, slices: tuple[slice, slice, slice, slice]) -> NDArray[Any]:
        """A block; steps are 1."""
        wanted = [
            range(*given.indices(size)) for given, size in zip(slices, self.shape, strict=True)
        ]
        block = np.empty([len(item) for item in wanted], self.dtype)
        filled = 0
        for request in self.requests:
            window, dates = request.window, max(1, len(request.observations))
            here = (
                (request.first, dates),
                (0, self.shape[1]),
                (window.row, window.height),
                (window.column, window.width),
            )
            into, out_of = [], []
            for axis, (start, length) in zip(wanted, here, strict=True):
                low, high = max(axis.start, start), min(axis.stop, start + length)
                into.append(slice(low - axis.start, high - axis.start))
                out_of.append(slice(low - start, high - start))
            if all(item.stop > item.start for item in into):
                whole = self.group.load(request.key)
                fields = whole.reshape(*whole.shape[:2], dates, self.shape[1])
                piece = fields.transpose(2, 3, 0, 1)[tuple(out_of)]
                block[tuple(into)] = piece
                filled += piece.size
        assert filled == block.size, "requests must cover the tile exactly once"
        return block


class Scores:
    """The layer `clear` (date, y, x) of the dates that are kept, by slices.

    Args:
        stored: scores of all dates.
        kept: positions of the dates of the cube.
    """

    def __init__(self, stored: Stored, kept: Sequence[int]) -> None:
        self.stored, self.kept = stored, kept
        self.shape, self.ndim = (len(kept), *stored.shape[2:]), 3
        self.dtype = stored.dtype

    def __getitem__(self, slices: tuple[slice, slice, slice]) -> NDArray[Any]:
        """A block; steps are 1. What was seen but not scored is missing."""
        dates = np.array(self.kept[slices[0]])
        first = int(dates.min())
        near = self.stored[first : int(dates.max()) + 1, 0:1, slices[1], slices[2]]
        block: NDArray[Any] = near[dates - first, 0]
        block[block == UNSCORED] = CLEAR_MISSING
        return block
