"""Chunks of tile stores -> chunks of a set: copied whole where all rows stay, else packed anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sitsformer.samples import contract as samplelayout
from sitsformer.samples.shards import Reader


class TileRows(Protocol):
    """What is asked of an opened tile store."""

    @property
    def path(self) -> Path:
        """Of the store."""
        ...

    @property
    def rows(self) -> int:
        """Number of samples."""
        ...


def chunk_order(tiles: Sequence[TileRows]) -> NDArray[np.int64]:
    """Rows, numbered over all tiles, in the order of the set: whole chunks first, then the rest."""
    whole, rest, start = [], [], 0
    for tile in tiles:
        with Reader(tile.path / "reflectance") as reader:
            cut = tile.rows // reader.chunk * reader.chunk
        whole.append(np.arange(start, start + cut))
        rest.append(np.arange(start + cut, start + tile.rows))
        start += tile.rows
    return np.concatenate([*whole, *rest])


def chunks(tiles: Sequence[TileRows]) -> Iterator[bytes]:
    """Compressed chunks of the set: whole ones copied, the rest of each tile packed together."""
    for tile in tiles:
        with Reader(tile.path / "reflectance") as reader:
            for chunk in range(tile.rows // reader.chunk):
                yield reader.packed(chunk)
            chunk_rows = reader.chunk

    def rest(tile: TileRows) -> NDArray[np.uint16]:
        with Reader(tile.path / "reflectance") as reader:
            return reader.read(reader.chunks - 1)

    rests = (rest(tile) for tile in tiles if tile.rows % chunk_rows)
    yield from samplelayout.encoded(samplelayout.rechunk(rests, chunk_rows), chunk_rows)


def some_chunks(tiles: Sequence[TileRows], rows: NDArray[np.int64]) -> Iterator[bytes]:
    """Compressed chunks of some rows, numbered over all tiles, ascending."""

    def parts() -> Iterator[NDArray[np.uint16]]:
        first = 0
        for tile in tiles:
            own = rows[(rows >= first) & (rows < first + tile.rows)] - first
            first += tile.rows
            if len(own):
                with Reader(tile.path / "reflectance") as reader:
                    yield reader.take(own)

    with Reader(tiles[0].path / "reflectance") as reader:
        chunk_rows = reader.chunk
    yield from samplelayout.encoded(samplelayout.rechunk(parts(), chunk_rows), chunk_rows)
