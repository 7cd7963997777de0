"""Chunks of a cube, decoded into memory that is used again.

The zarr package makes a new array for every read. Touching new memory takes about as long as
decoding a chunk, so arrays that are stored as `cube.write` stores them are decoded here, each
thread into a buffer of its own, after a look at the chunk's checksum (cubes of older versions have
none). Any other encoding is left to zarr.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import zarr
from numcodecs import Blosc
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec

from sitsformer.cube import CubeError

_BLOSC_HEADER = 16
"""Bytes before the data: at 4 the size after decoding, at 12 the size of the whole (c-blosc 1)."""

_CRC_BYTES = 4

_CODEC = Blosc()

_HUGE = 2**22
"""Bytes from which numpy asks for huge pages, which are touched for the first time much faster."""


class Chunks:
    """Reads an array of a cube chunk by chunk; may be shared by threads.

    Attributes:
        shape: of the array.
        chunks: shape of a chunk; those at the far edges are as large and reach beyond the array.
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
        self._plain = self.chunks == array.chunks and _is_plain(array.metadata)
        self._checksum = self._plain and len(getattr(array.metadata, "codecs", ())) == 3
        self._own = threading.local()

    def read(self, place: tuple[int, ...]) -> NDArray[Any]:
        """Decode a chunk.

        Args:
            place: of the chunk in the grid of chunks.

        Returns:
            An array of the shape of a chunk. It belongs to the calling thread, whose next read
            overwrites it; what lies beyond the array is undefined.

        Raises:
            CubeError: the chunk is damaged.
        """
        if not hasattr(self._own, "chunk"):
            count, dtype = int(np.prod(self.chunks)), self._array.dtype
            room = np.empty(max(count, _HUGE // dtype.itemsize), dtype)
            self._own.chunk = room[:count].reshape(self.chunks)
        chunk: NDArray[Any] = self._own.chunk
        if not self._plain:
            inside = tuple(
                slice(at * step, min((at + 1) * step, length))
                for at, step, length in zip(place, self.chunks, self.shape, strict=True)
            )
            try:
                found = self._array[inside]
            except (OSError, ValueError, RuntimeError) as error:
                raise _damage(self._folder, f"chunk {place}: {error}") from None
            chunk[tuple(slice(0, part.stop - part.start) for part in inside)] = found
            return chunk
        path = self._folder / self._array.metadata.encode_chunk_key(place)
        try:
            packed = self._bytes(path)
        except FileNotFoundError:  # Zarr leaves out chunks that hold nothing but the fill value
            chunk[...] = self._array.fill_value
            return chunk
        if self._checksum:
            packed, stored_crc = packed[:-_CRC_BYTES], packed[-_CRC_BYTES:]
            if google_crc32c.value(packed) != int.from_bytes(stored_crc.tobytes(), "little"):
                raise _damage(path, "its checksum differs")
        header = packed[:_BLOSC_HEADER].tobytes()
        decoded, stored = (int.from_bytes(header[i : i + 4], "little") for i in (4, 12))
        if (decoded, stored) != (chunk.nbytes, len(packed)):
            raise _damage(path, f"its {len(packed)} bytes are not those of a chunk")
        try:
            _CODEC.decode(packed, chunk)
        except (RuntimeError, ValueError) as error:
            raise _damage(path, str(error)) from None
        return chunk

    def _bytes(self, path: Path) -> NDArray[np.uint8]:
        """A file, in memory of the thread's own."""
        with path.open("rb", buffering=0) as stream:
            size = os.fstat(stream.fileno()).st_size
            if not hasattr(self._own, "file") or len(self._own.file) < size:
                self._own.file = np.empty(max(size + size // 4, _HUGE), np.uint8)
            packed: NDArray[np.uint8] = self._own.file[:size]
            done = 0
            while done < size and (step := stream.readinto(packed[done:].data)):
                done += step
            return packed[:done]


def _is_plain(meta: Any) -> bool:
    """Whether chunks are little-endian numbers, compressed by Blosc, with a checksum or without."""
    codecs: tuple[Any, ...] = getattr(meta, "codecs", ())
    kinds = (BytesCodec, BloscCodec, Crc32cCodec)
    return (
        len(codecs) in (2, 3)
        and all(isinstance(codec, kind) for codec, kind in zip(codecs, kinds, strict=False))
        and getattr(codecs[0].endian, "value", "little") == "little"
    )


def _damage(path: Path, what: str) -> CubeError:
    return CubeError(
        f"{path} is damaged ({what}); `sitsformer check` lists every damaged file, "
        "export the cube again"
    )
