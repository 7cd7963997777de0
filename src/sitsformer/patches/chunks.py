"""Chunks of a cube, read by zarr."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from sitsformer.cube import DECODING, CubeError


class Chunks:
    """Reads an array of a cube chunk by chunk; may be shared by threads.

    Attributes:
        shape: of the array.
        chunks: shape of a chunk; those at the far edges end with the array.
    """

    def __init__(self, path: Path, name: str) -> None:
        array = zarr.open_group(path, mode="r")[name]
        if not isinstance(array, zarr.Array):
            raise CubeError(f"{path}: {name} is not an array; export the cube again")
        self._array: zarr.Array[Any] = array
        self._folder = path / name
        self.shape: tuple[int, ...] = array.shape
        # All bands at once, as cubes are written.
        first, *others = array.chunks
        bands = self.shape[1:2] if len(self.shape) == 4 else ()
        self.chunks: tuple[int, ...] = (first, *bands, *others[len(bands) :])

    def read(self, place: tuple[int, ...]) -> NDArray[Any]:
        """Decode a chunk.

        Args:
            place: of the chunk in the grid of chunks.

        Raises:
            CubeError: the chunk is damaged.
        """
        inside = tuple(
            slice(at * step, min((at + 1) * step, length))
            for at, step, length in zip(place, self.chunks, self.shape, strict=True)
        )
        try:
            return np.asarray(self._array[inside])
        except DECODING as error:
            name = self._array.metadata.encode_chunk_key(place)
            raise CubeError(
                f"{self._folder / name} is damaged ({error}); `sitsformer check` lists every "
                "damaged file, export the cube again"
            ) from None
