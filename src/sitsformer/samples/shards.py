"""One sharded Zarr v3 array on disk: written, read and copied a chunk at a time.

A shard is a file of compressed chunks followed by an index of their places (Zarr v3 specification,
sharding-indexed codec). The zarr package reads and writes them too, and every store made here opens
there; this module exists because of what it does not offer: chunks decoded by threads straight
into a caller's array (the loader), and compressed chunks moved from store to store without
decoding them (the merge).

The array is chunked along its first axis, `sample`, only. Codecs: little-endian bytes, Blosc (LZ4,
bit shuffle), CRC-32C: an altered chunk is found when it is read.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import google_crc32c
import numpy as np
from numcodecs import Blosc, blosc
from numpy.typing import NDArray

from sitsformer import threads
from sitsformer.errors import SitsError

CHUNK_BYTES = 2**23
"""Upper bound of a chunk before compression: 256 samples of 50 steps, 10 bands and 5 x 5 px."""
CHUNKS_A_SHARD = 32
"""So that a shard is about 100 MB after compression (Sentinel-2 series shrink to about a half)."""
MOST_ROWS = 2048
"""Rows of a chunk of very small samples."""

_ABSENT = np.uint64(2**64 - 1)
_CRC_BYTES = 4
# Chunks are shared out to threads, one each; Blosc would take more inside of one.
blosc.use_threads = False
_CODEC = Blosc(cname="lz4", clevel=5, shuffle=Blosc.BITSHUFFLE)

T = TypeVar("T")
R = TypeVar("R")


class ShardError(SitsError):
    """A shard or chunk that is missing or damaged."""


def chunk_rows(sample_bytes: int) -> int:
    """Rows of a chunk: the largest power of two within CHUNK_BYTES, between 1 and MOST_ROWS."""
    fitting = max(1, CHUNK_BYTES // sample_bytes)
    return int(min(MOST_ROWS, 2 ** (fitting.bit_length() - 1)))


def ahead(
    pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T], depth: int
) -> Iterator[R]:
    """Results of `work` in the order of `items`, with at most `depth` of them under way."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def encode(rows: NDArray[Any], chunk: int, fill: int) -> bytes:
    """Compress the rows of one chunk; a last chunk of fewer rows is filled up."""
    if len(rows) < chunk:
        full = np.full((chunk, *rows.shape[1:]), fill, rows.dtype)
        full[: len(rows)] = rows
        rows = full
    packed: bytes = _CODEC.encode(np.ascontiguousarray(rows))
    return packed + _crc(packed)


def create(group: Path, name: str, rows: int, inner: tuple[int, ...], **options: Any) -> int:
    """Write the metadata of a uint16 array (rows, *inner) whose chunks `Writer` will add.

    Returns:
        Rows of a chunk.
    """
    import zarr
    from zarr.codecs import BloscCodec, Crc32cCodec

    chunk = chunk_rows(int(np.prod(inner)) * 2)
    zarr.create_array(
        group,
        name=name,
        shape=(rows, *inner),
        dtype="uint16",
        chunks=(chunk, *inner),
        shards=(chunk * CHUNKS_A_SHARD, *inner),
        compressors=[
            BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle", typesize=2),
            Crc32cCodec(),
        ],
        **options,
    )
    return chunk


class Writer:
    """Appends compressed chunks to the shards of an array, in order; holds none of them."""

    def __init__(self, array: Path, dimensions: int) -> None:
        self._array = array
        self._tail = ["0"] * (dimensions - 1)
        self._index = np.full((CHUNKS_A_SHARD, 2), _ABSENT, "<u8")
        self._shard = 0
        self._filled = 0
        self._offset = 0
        self._stream: Any = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finish_shard()

    def append(self, packed: bytes) -> None:
        """Add the next chunk, as `encode` or `Reader.packed` gave it."""
        if self._stream is None:
            path = self._array.joinpath("c", str(self._shard), *self._tail)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = path.open("wb")
        self._stream.write(packed)
        self._index[self._filled] = self._offset, len(packed)
        self._filled += 1
        self._offset += len(packed)
        if self._filled == CHUNKS_A_SHARD:
            self._finish_shard()

    def _finish_shard(self) -> None:
        if self._stream is None:
            return
        index = self._index.tobytes()
        self._stream.write(index + _crc(index))
        self._stream.close()
        self._stream = None
        self._index[:] = _ABSENT
        self._shard += 1
        self._filled = self._offset = 0


class Reader:
    """Chunks of an array that `create` and `Writer` made; may be shared by threads.

    Attributes:
        shape: (sample, ...) of the array.
        chunk: rows of a chunk.
        chunks: number of chunks.
    """

    def __init__(self, array: Path) -> None:
        self.path = array
        try:
            meta = json.loads((array / "zarr.json").read_text())
            sharding = meta["codecs"][0]["configuration"]
            codecs = [codec["name"] for codec in sharding["codecs"]]
            per_shard = meta["chunk_grid"]["configuration"]["chunk_shape"][0]
            self.chunk = int(sharding["chunk_shape"][0])
            data_type, shape = meta["data_type"], tuple(map(int, meta["shape"]))
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            raise ShardError(f"{array} cannot be read as a sharded array: {error!r}") from None
        if codecs != ["bytes", "blosc", "crc32c"] or data_type != "uint16":
            raise ShardError(f"{array} was not written by this package (codecs {codecs})")
        self.shape: tuple[int, ...] = shape
        self.chunks = -(-self.shape[0] // self.chunk)
        self._per_shard = per_shard // self.chunk
        self._open: dict[int, tuple[int, NDArray[np.uint64]]] = {}

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the shards."""
        while self._open:
            os.close(self._open.popitem()[1][0])

    def missing(self) -> list[Path]:
        """Shard files that do not exist."""
        count = -(-self.chunks // self._per_shard)
        return [path for path in map(self._shard_path, range(count)) if not path.is_file()]

    def damaged(self) -> list[str]:
        """Chunks that cannot be read, with their samples; all chunks are read, none is decoded."""
        lines: list[str] = []
        for chunk in range(self.chunks):
            try:
                self.packed(chunk)
            except ShardError as error:
                line = str(error).split(";")[0].removeprefix(f"{self.path}{os.sep}")
                # A shard that is gone or has lost its index says the same for each of its chunks.
                if line not in lines:
                    lines.append(line)
        return lines

    def rows(self, chunk: int) -> range:
        """Rows of the array that a chunk holds."""
        first = chunk * self.chunk
        return range(first, min(first + self.chunk, self.shape[0]))

    def packed(self, chunk: int) -> bytes:
        """A chunk as it lies on disk.

        Raises:
            ShardError: it is missing or damaged.
        """
        number, place = divmod(chunk, self._per_shard)
        descriptor, index = self._shard(number)
        offset, length = int(index[place, 0]), int(index[place, 1])
        if offset == int(_ABSENT):
            raise self._damage(chunk, "is not in its shard")
        data = os.pread(descriptor, length, offset)
        if len(data) != length or _crc(data[:-_CRC_BYTES]) != data[-_CRC_BYTES:]:
            raise self._damage(chunk, "is damaged (its checksum differs)")
        return data

    def read(self, chunk: int, out: NDArray[np.uint16] | None = None) -> NDArray[np.uint16]:
        """Decode a chunk, into `out` (C-contiguous) if it is given.

        Returns:
            (rows, ...) uint16, only the rows of the array.
        """
        count = len(self.rows(chunk))
        data = memoryview(self.packed(chunk))[:-_CRC_BYTES]
        if out is None or count < self.chunk:
            full = np.empty((self.chunk, *self.shape[1:]), np.uint16)
            self._decode(chunk, data, full)
            if out is None:
                return full[:count]
            out[:] = full[:count]
            return out
        self._decode(chunk, data, out)
        return out

    def _decode(self, chunk: int, data: memoryview, out: NDArray[np.uint16]) -> None:
        try:
            _CODEC.decode(data, out)
        except (RuntimeError, ValueError) as error:
            raise self._damage(chunk, f"cannot be decoded ({error})") from None

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.uint16]:
        """Read rows (row,) in any order, each chunk once, by threads.

        Returns:
            (row, ...) uint16.
        """
        result = np.empty((len(rows), *self.shape[1:]), np.uint16)

        def fill(chunk: int, places: NDArray[np.int64], inside: NDArray[np.int64]) -> None:
            first, last = int(places[0]), int(places[-1]) + 1
            if last - first == len(inside) == self.chunk and (np.diff(inside) == 1).all():
                self.read(chunk, result[first:last])  # whole and in order: decoded into its place
            else:
                result[places] = self.read(chunk)[inside]

        self.each(rows, fill)
        return result

    def take_steps(self, rows: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.uint16]:
        """As `take`, but of each row only its first steps: what is padding is never held.

        Args:
            rows: (row,) in any order.
            lengths: (row,) how many steps of each.

        Returns:
            (step, ...) uint16, row after row.
        """
        starts, time = np.cumsum(lengths) - lengths, np.arange(self.shape[1])
        result = np.empty((int(lengths.sum()), *self.shape[2:]), np.uint16)

        def fill(chunk: int, places: NDArray[np.int64], inside: NDArray[np.int64]) -> None:
            wanted = time < lengths[places, None]
            result[(starts[places, None] + time)[wanted]] = self.read(chunk)[inside][wanted]

        self.each(rows, fill)
        return result

    def each(
        self,
        rows: NDArray[np.int64],
        fill: Callable[[int, NDArray[np.int64], NDArray[np.int64]], None],
    ) -> None:
        """Do something once for each chunk that some rows are in, by threads.

        Args:
            rows: (row,) in any order.
            fill: a chunk, positions in `rows` of those that it holds, and their rows in the chunk.
        """
        by_chunk = np.argsort(rows // self.chunk, kind="stable")
        chunks, starts = np.unique((rows // self.chunk)[by_chunk], return_index=True)

        def one(job: tuple[int, NDArray[np.int64]]) -> None:
            chunk, places = job
            fill(chunk, places, rows[places] - chunk * self.chunk)

        workers = threads.count()
        jobs = zip(chunks.tolist(), np.split(by_chunk, starts)[1:], strict=True)
        with ThreadPoolExecutor(workers) as pool:
            for _ in ahead(pool, one, jobs, 2 * workers):
                pass

    def _shard(self, number: int) -> tuple[int, NDArray[np.uint64]]:
        if number not in self._open:
            path = self._shard_path(number)
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except OSError as error:
                raise ShardError(
                    f"{path} cannot be read ({error.strerror}); make the store again"
                ) from None
            length = 16 * self._per_shard + _CRC_BYTES
            tail = os.pread(descriptor, length, max(0, os.fstat(descriptor).st_size - length))
            if len(tail) != length or _crc(tail[:-_CRC_BYTES]) != tail[-_CRC_BYTES:]:
                os.close(descriptor)
                raise ShardError(f"{path} is damaged (its index does not match its checksum)")
            index = np.frombuffer(tail[:-_CRC_BYTES], "<u8").reshape(-1, 2)
            # Two threads may both open it; one descriptor wins and the other is closed.
            kept = self._open.setdefault(number, (descriptor, index))
            if kept[0] != descriptor:
                os.close(descriptor)
        return self._open[number]

    def _shard_path(self, number: int) -> Path:
        return self.path.joinpath("c", str(number), *["0"] * (len(self.shape) - 1))

    def _damage(self, chunk: int, what: str) -> ShardError:
        path = self._shard_path(chunk // self._per_shard)
        rows = self.rows(chunk)
        return ShardError(
            f"{path}: chunk {chunk % self._per_shard} (samples {rows.start} to {rows.stop - 1}) "
            f"{what}; `sitsformer check` lists every damaged file, make the store again"
        )


def _crc(data: bytes | memoryview) -> bytes:
    return int(google_crc32c.value(bytes(data))).to_bytes(_CRC_BYTES, "little")
