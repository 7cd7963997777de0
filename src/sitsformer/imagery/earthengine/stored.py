"""Arrays of a whole tile that live in the cache: read piece by piece, never whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.cube import CHUNK
from sitsformer.imagery.earthengine.cache import TileCache
from sitsformer.imagery.earthengine.fetch import sendable
from sitsformer.imagery.earthengine.requests import Request


class Stored:
    """An array (date, field, y, x) over all finished requests of one kind, by slices.

    An answer is kept as it came, (y, x, date and field), and turned where it is read: one copy of
    the pixels. Label layers are the fields of one "date".

    Attributes:
        requests: those that were sent, which a packed one may have been split into.
    """

    ndim = 4

    def __init__(self, group: TileCache, packed: Sequence[Request], fields: int) -> None:
        self.group = group
        self.requests = [leaf for request in packed for leaf in sendable(request, group)]
        side = packed[0].tile.size
        dates = max(request.first + max(1, len(request.observations)) for request in packed)
        self.shape = (dates, fields, side, side)
        self.dtype = np.dtype(packed[0].dtype)

    def __getitem__(self, slices: tuple[slice, ...]) -> NDArray[Any]:
        """A block; steps are 1."""
        wanted = [range(*own.indices(size)) for own, size in zip(slices, self.shape, strict=True)]
        block = np.empty([len(along) for along in wanted], self.dtype)
        filled = 0
        for request in self.requests:
            window, dates = request.window, max(1, len(request.observations))
            first = (request.first, 0, window.row, window.column)
            size = (dates, self.shape[1], window.height, window.width)
            low = [max(along.start, at) for along, at in zip(wanted, first, strict=True)]
            high = [min(w.stop, at + n) for w, at, n in zip(wanted, first, size, strict=True)]
            if all(a < b for a, b in zip(low, high, strict=True)):
                whole = self.group.load(request.key)
                turned = whole.reshape(*whole.shape[:2], *size[:2]).transpose(2, 3, 0, 1)
                piece = turned[_between(low, high, first)]
                block[_between(low, high, [along.start for along in wanted])] = piece
                filled += piece.size
        assert filled == block.size, "requests must cover the tile exactly once"
        return block

    def lazy(self) -> Any:
        """The same as a dask array, in the chunks of cubes."""
        import dask.array as da

        chunks = (CHUNK["time"], self.shape[1], CHUNK["y"], CHUNK["x"])
        return da.from_array(self, chunks=chunks, name=False, asarray=False, fancy=False)


def _between(low: Sequence[int], high: Sequence[int], start: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(a - at, b - at) for a, b, at in zip(low, high, start, strict=True))
