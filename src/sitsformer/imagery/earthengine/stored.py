"""Arrays of a whole tile that live in the cache: read piece by piece, never whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sitsformer.cube import CHUNK
from sitsformer.imagery.earthengine.cache import TileCache
from sitsformer.imagery.earthengine.fetch import halves
from sitsformer.imagery.earthengine.requests import Request


def assemble(group: TileCache, packed: Sequence[Request], fields: int) -> Any:
    """A lazy array (date, field, y, x) out of finished requests of one kind.

    Args:
        group: the cache that holds them, or the halves that they were split into.
        packed: as `requests.pack` gave them.
        fields: of a date: the ten bands, or one score; or the label layers, which have one "date".
    """
    import dask.array as da

    def part(request: Request) -> Any:
        if (parts := halves(request, group)) is not None:
            one, two = (item.window for item in parts)
            axis = 0 if one == two else 2 if one.column == two.column else 3
            return da.concatenate([part(item) for item in parts], axis)
        # As it came, (y, x, date and field), and turned where it is read.
        answer = group.load(request.key)
        answer = answer.reshape(*answer.shape[:2], -1, fields).transpose(2, 3, 0, 1)
        chunks = (CHUNK["time"], fields, CHUNK["y"], CHUNK["x"])
        return da.from_array(answer, chunks=chunks, name=False)

    rows, columns = (
        sorted({getattr(request.window, name) for request in packed}) for name in ("row", "column")
    )
    at = [
        [[r for r in packed if (r.window.row, r.window.column) == (y, x)] for x in columns]
        for y in rows
    ]
    return da.block([[da.concatenate([part(r) for r in dates]) for dates in line] for line in at])
