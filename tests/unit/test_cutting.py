"""Cutting: every patch equals plain indexing, wherever it lies and however the cube is stored."""

import threading

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec, GzipCodec

from sitsformer.config import Patches
from sitsformer.cube import CubeError
from sitsformer.patches import cutting
from sitsformer.patches.chunks import Chunks
from sitsformer.patches.clear import ClearDates, clear_patches
from sitsformer.patches.spool import Spool

SHAPE = (11, 10, 21, 21)
CHUNKS = (4, 10, 8, 8)
"""Three boxes a side, the last ones cut off by the edge of the tile."""

BLOSC = BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle", typesize=2)
STORED = {
    "as cubes are": {"chunks": CHUNKS, "compressors": [BLOSC, Crc32cCodec()]},
    "without a checksum": {"chunks": CHUNKS, "compressors": [BLOSC]},
    "other codec": {"chunks": CHUNKS, "compressors": [GzipCodec()]},
    "bands apart": {"chunks": (4, 2, 8, 8), "compressors": [BLOSC]},
    "smaller than a patch": {"chunks": (4, 10, 3, 3), "compressors": [BLOSC]},
    "sharded": {"chunks": CHUNKS, "shards": (8, 10, 16, 16), "compressors": [BLOSC]},
}


def store(path, stored="as cubes are", seed=0):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 60_000, SHAPE, dtype=np.uint16)
    values[4:8, :, :8, :8] = 65535  # a chunk that zarr does not write
    values[9, 3, 4, 12] = values[10, 0, 7, 7] = 65535  # single pixels, one where four boxes meet
    values[:4, :, 8:16, 8:16] = np.arange(64).reshape(8, 8)  # one that shrinks
    score = rng.integers(40, 80, (SHAPE[0], *SHAPE[2:]), dtype=np.uint8)
    score[rng.random(score.shape) < 0.05] = 255
    group = zarr.create_group(path)
    array = group.create_array(
        "reflectance", shape=SHAPE, dtype="uint16", fill_value=65535, **STORED[stored]
    )
    array[:] = values
    clear = group.create_array(
        "clear", shape=score.shape, dtype="uint8", chunks=(4, 8, 8), compressors=[BLOSC]
    )
    clear[:] = score
    return values, score


def drawn(size, length=6):
    """Every pixel whose patch lies in the tile, with 0 to `length` dates each."""
    half = size // 2
    inner = np.arange(half, SHAPE[2] - half)
    row, column = (axis.ravel() for axis in np.meshgrid(inner, inner, indexing="ij"))
    rng = np.random.default_rng(1)
    order = rng.permutation(len(row))
    steps = np.full((len(row), length), -1, np.int16)
    for sample in steps:
        count = rng.integers(0, length + 1)
        sample[:count] = np.sort(rng.choice(SHAPE[0], count, replace=False))
    return row[order], column[order], steps


def cut(path, size, memory_gb, folder):
    row, column, steps = drawn(size)
    settings = Patches(size=size, memory_gb=memory_gb)
    shape = (*steps.shape, SHAPE[1], size, size)
    with Spool(shape, memory_gb, folder) as spool:
        gaps = cutting.patches(path, row, column, steps, settings, spool)
        found = np.concatenate([spool.read(i, i + 50) for i in range(0, len(row), 50)])
    missing = (found == 65535).any(axis=(2, 3, 4)) & (steps >= 0)
    assert missing.any()
    assert (gaps == missing).all()
    return found


def plain(values, size):
    half = size // 2
    row, column, steps = drawn(size)
    found = np.full((*steps.shape, SHAPE[1], size, size), 65535, np.uint16)
    for i, (y, x) in enumerate(zip(row, column, strict=True)):
        patch = values[:, :, y - half : y + half + 1, x - half : x + half + 1]
        kept = steps[i][steps[i] >= 0]
        found[i, : len(kept)] = patch[kept]
    return found


@pytest.mark.parametrize("memory_gb", [1.0, 1e-4], ids=["in place", "through a file"])
@pytest.mark.parametrize("size", [1, 3, 5, 7, 9])
def test_every_patch_equals_plain_indexing(tmp_path, size, memory_gb):
    values, _ = store(tmp_path / "c.zarr")
    assert (cut(tmp_path / "c.zarr", size, memory_gb, tmp_path) == plain(values, size)).all()
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize("stored", STORED)
def test_other_encodings_are_left_to_zarr(tmp_path, stored):
    values, _ = store(tmp_path / "c.zarr", stored)
    for memory_gb in (1.0, 1e-4):  # one box, and several
        assert (cut(tmp_path / "c.zarr", 5, memory_gb, tmp_path) == plain(values, 5)).all()


@pytest.mark.parametrize("size", [1, 5, 9])
@pytest.mark.parametrize("memory_gb", [1.0, 1e-6])
def test_clear_dates_equal_a_plain_count(tmp_path, size, memory_gb):
    _, score = store(tmp_path / "c.zarr")
    settings = Patches(size=size, memory_gb=memory_gb, clear_score=50, clear_share=0.7)
    half, n = size // 2, SHAPE[2]
    padded = np.pad((score >= 50) & (score != 255), ((0, 0), (half, half), (half, half)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    expected = windows.sum(axis=(3, 4)) >= 0.7 * size**2
    dates = ClearDates(tmp_path / "c.zarr", settings)
    assert (dates.counts() == expected.sum(axis=0)).all()
    row, column = np.divmod(np.random.default_rng(2).permutation(n * n), n)
    assert (dates.of(row, column) == expected[:, row, column].T).all()
    around = np.pad(score, ((0, 0), (half, half), (half, half)), constant_values=255)
    assert (clear_patches(around, settings) == expected).all()


def test_samples_come_back_in_their_order_from_the_spool(tmp_path):
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 60_000, (40, 3, 2, 3, 3), dtype=np.uint16)
    order = rng.permutation(40)
    for memory_gb in (1.0, 1e-9):
        with Spool(whole.shape, memory_gb, tmp_path) as spool:

            def add(number, spool=spool):
                who = order[number::4]
                spool.add(who, whole[who])

            threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert (spool.array is None) == (memory_gb < 1)
            assert (spool.read(0, 40) == whole).all()
            assert (spool.read(30, 99) == whole[30:]).all()


def test_a_damaged_chunk_is_named(tmp_path):
    store(tmp_path / "c.zarr")
    chunk = tmp_path / "c.zarr/reflectance/c/0/0/1/1"
    good = chunk.read_bytes()
    chunks = Chunks(tmp_path / "c.zarr", "reflectance")
    alone = slice(0, 4), slice(None), slice(8, 16), slice(8, 16)
    among_others = slice(None), slice(None), slice(2, 15), slice(7, 21)
    chunks.read(*alone)
    spoilt = bytearray(good)
    spoilt[20:60] = bytes(40)
    for data in (good[:-1], good[:7], b"", good + b"x", bytes(spoilt)):
        chunk.write_bytes(data)
        # As by a thread that has read something before, and by one that has not.
        for reader in (chunks, Chunks(tmp_path / "c.zarr", "reflectance")):
            for part in (alone, among_others):
                with pytest.raises(CubeError, match=r"c/0/0/1/1 is damaged.*sitsformer check"):
                    reader.read(*part)
