"""Shards: what zarr writes or reads is the same; damage is found."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from sitsformer.samples import shards


def write(path, values):
    zarr.create_group(path)
    chunk = shards.create(path, "a", len(values), values.shape[1:], fill_value=65535)
    with shards.Writer(path / "a", values.ndim) as writer:
        for start in range(0, len(values), chunk):
            writer.append(shards.encode(values[start : start + chunk], chunk, 65535))
    return chunk


@pytest.fixture(scope="module")
def values():
    # 33 chunks, so that a second shard begins.
    rows = 33 * shards.chunk_rows(2 * 8) - 3
    return np.random.default_rng(0).integers(0, 60_000, (rows, 8)).astype(np.uint16)


@pytest.fixture(scope="module")
def store(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("shards") / "s.zarr"
    write(path, values)
    return path


def test_zarr_reads_what_is_written(store, values):
    assert (zarr.open_group(store)["a"][:] == values).all()
    assert sorted(p.name for p in (store / "a" / "c").iterdir()) == ["0", "1"]


def test_the_reader_reads_what_zarr_writes(tmp_path, values):
    shards_made = shards.create(zarr_group(tmp_path), "a", len(values), values.shape[1:])
    zarr.open_group(tmp_path / "z")["a"][:] = values
    with shards.Reader(tmp_path / "z" / "a") as reader:
        assert reader.chunk == shards_made
        assert (reader.take(np.arange(len(values))) == values).all()


def zarr_group(path):
    zarr.create_group(path / "z")
    return path / "z"


def test_rows_come_back(store, values):
    rows = np.sort(np.random.default_rng(1).choice(len(values), 200, replace=False))
    with shards.Reader(store / "a") as reader:
        assert (reader.take(rows) == values[rows]).all()
        last = reader.read(reader.chunks - 1)
        assert (last == values[-len(last) :]).all()
        assert reader.take(rows[:0]).shape == (0, 8)


def test_first_steps_of_rows_come_back_one_after_the_other(tmp_path):
    rng = np.random.default_rng(2)
    values = rng.integers(0, 60_000, (700, 5, 4000)).astype(np.uint16)
    path = tmp_path / "steps.zarr"
    assert 3 * write(path, values) < 700
    rows = rng.permutation(700)[:400]
    lengths = rng.integers(0, 6, 400)
    expected = np.concatenate([values[r, :n] for r, n in zip(rows, lengths, strict=True)])
    with shards.Reader(path / "a") as reader:
        assert (reader.take_steps(rows, lengths) == expected).all()
        whole = reader.take_steps(np.arange(700), np.full(700, 5))
        assert (whole == values.reshape(3500, 4000)).all()
        assert reader.take_steps(rows[:0], lengths[:0]).shape == (0, 4000)


def test_copied_chunks_are_the_same_bytes(tmp_path, store, values):
    zarr.create_group(tmp_path / "t")
    shards.create(tmp_path / "t", "a", len(values), values.shape[1:], fill_value=65535)
    with shards.Reader(store / "a") as reader, shards.Writer(tmp_path / "t" / "a", 2) as writer:
        for chunk in range(reader.chunks):
            writer.append(reader.packed(chunk))
    for name in ("0", "1"):
        assert (tmp_path / "t/a/c" / name / "0").read_bytes() == (
            store / "a/c" / name / "0"
        ).read_bytes()


def test_damage_is_found(tmp_path):
    values = np.arange(3000 * 50, dtype=np.uint16).reshape(3000, 50)
    write(tmp_path / "s", values)
    shard = tmp_path / "s/a/c/0/0"
    good = shard.read_bytes()
    flipped = bytearray(good)
    flipped[100] ^= 1
    shard.write_bytes(flipped)
    with (
        shards.Reader(tmp_path / "s/a") as reader,
        pytest.raises(shards.ShardError, match=r"samples 0 to 2047\) is damaged"),
    ):
        reader.read(0)
    shard.write_bytes(good[:-1])
    with (
        shards.Reader(tmp_path / "s/a") as reader,
        pytest.raises(shards.ShardError, match="index does not match"),
    ):
        reader.read(0)
    shard.unlink()
    with shards.Reader(tmp_path / "s/a") as reader:
        assert reader.missing() == [shard]
        with pytest.raises(shards.ShardError, match="make the store again"):
            reader.read(0)


@given(size=st.integers(1, 10**8))
def test_chunks_fit_their_bound(size):
    rows = shards.chunk_rows(size)
    assert rows & (rows - 1) == 0
    assert rows * size <= shards.CHUNK_BYTES or rows == 1
    assert 1 <= rows <= shards.MOST_ROWS


def test_results_keep_their_order():
    """The first is the last of four to be done; the others wait for it."""
    done = threading.Event()

    def work(number):
        if number == 0:
            assert done.wait(10)
        elif number == 3:
            done.set()
        return number

    with ThreadPoolExecutor(4) as pool:
        assert list(shards.ahead(pool, work, range(20), 5)) == list(range(20))
