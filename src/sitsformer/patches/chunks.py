"""Arrays of a cube, read by zarr in parts of any size."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from sitsformer.cube import DECODING, CubeError


class Chunks:
    """Reads an array of a cube; may be shared by threads.

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
        self.chunks: tuple[int, ...] = array.chunks

    def read(self, *part: slice) -> NDArray[Any]:
        """Decode a part, given by a slice along each axis.

        Raises:
            CubeError: a chunk is damaged.
        """
        try:
            return np.asarray(self._array[part])
        except DECODING as error:
            raise CubeError(
                f"{self._folder / self._damaged(part)} is damaged ({error}); `sitsformer check` "
                "lists every damaged file, export the cube again"
            ) from None

    def _damaged(self, part: tuple[slice, ...]) -> str:
        """File of the first chunk of a part that cannot be decoded."""
        touched = []
        for along, length, step in zip(part, self.shape, self.chunks, strict=True):
            start, stop, _ = along.indices(length)
            touched.append(range(start // step, -(-stop // step)))
        for place in product(*touched):
            here = (slice(at * n, (at + 1) * n) for at, n in zip(place, self.chunks, strict=True))
            try:
                self._array[tuple(here)]
            except DECODING:
                return self._array.metadata.encode_chunk_key(place)
        return ""  # whole at the second look: the disk, or somebody who writes it
