"""The loader: every sample once, one order for all ways of reading, ranks apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import phenology
from sitsformer.samples import SampleError, load_samples, loader, shards
from sitsformer.samples.loader import Loader, order


@pytest.fixture(scope="module")
def made():
    return phenology.make(1500, side=3)


@pytest.fixture(scope="module")
def store(tmp_path_factory, made):
    return phenology.write(tmp_path_factory.mktemp("store") / "s.zarr", made)


@pytest.fixture
def small_windows(monkeypatch):
    """Windows of two chunks of 64 samples, so that a small store has many of them."""
    monkeypatch.setattr(shards, "chunk_rows", lambda size: 64)
    monkeypatch.setattr(loader, "WINDOW_BYTES", 128 * 40 * 10 * 9 * 2)


@pytest.fixture
def chunked(small_windows, tmp_path, made):
    return phenology.write(tmp_path / "c.zarr", made)


def joined(found):
    found = list(found)
    return {name: np.concatenate([batch[name] for batch in found]) for name in found[0]}


@given(
    rows=st.sets(st.integers(0, 5000), max_size=300),
    size=st.integers(1, 10**6),
    seed=st.integers(0, 9),
)
def test_an_order_holds_every_row_once(rows, size, seed):
    ascending = np.array(sorted(rows), np.int64)
    found = order(ascending, size, seed, 0)
    assert sorted(found.rows.tolist()) == ascending.tolist()
    assert found.windows[0] == 0 and found.windows[-1] == len(rows)
    chunk = shards.chunk_rows(size)
    windows = [
        set((found.rows[a:b] // chunk).tolist())
        for a, b in zip(found.windows[:-1], found.windows[1:], strict=True)
    ]
    assert sum(map(len, windows)) == len(set((ascending // chunk).tolist()))
    again = order(ascending, size, seed, 0)
    assert (again.rows == found.rows).all()
    if len(rows) > 50:
        assert (order(ascending, size, seed, 1).rows != found.rows).any()
        assert (order(ascending, size, seed + 1, 0).rows != found.rows).any()


@pytest.mark.parametrize("mode", ["memory", "stream"])
@pytest.mark.parametrize("batch_size", [1500, 100, 77])
def test_batches_are_the_samples(chunked, made, mode, batch_size):
    ours = Loader(chunked, batch_size, 3, split=None, mode=mode)
    assert ours.mode == mode
    parts = list(ours.epoch(0))
    assert len(parts) == len(ours)
    assert all(len(part["index"]) == batch_size for part in parts[:-1])
    found = joined(parts)
    index = found["index"]
    assert sorted(index.tolist()) == list(range(1500))
    for name in ("reflectance", "doy", "label"):
        assert (found[name] == getattr(made, name)[index]).all()
        assert found[name].dtype == getattr(made, name).dtype


def test_memory_and_stream_agree_and_threads_do_not_matter(chunked, monkeypatch):
    memory = joined(Loader(chunked, 128, 1, mode="memory").epoch(2))
    for workers in (1, 3):
        monkeypatch.setattr(shards.threads, "count", lambda workers=workers: workers)
        stream = joined(Loader(chunked, 128, 1, mode="stream").epoch(2))
        for name, values in memory.items():
            assert (stream[name] == values).all(), name
    train = load_samples(chunked, "train")
    kept = joined(Loader(train, 128, 1).epoch(2))
    assert (kept["index"] == memory["index"]).all()


@pytest.mark.parametrize("mode", ["memory", "stream"])
def test_a_run_goes_on_where_it_stopped(chunked, mode):
    ours = Loader(chunked, 50, 0, mode=mode)
    whole = list(ours.epoch(4))
    for start in (0, 1, 7, len(ours)):
        rest = list(ours.epoch(4, start))
        assert len(rest) == len(whole) - start
        for a, b in zip(rest, whole[start:], strict=True):
            assert (a["index"] == b["index"]).all()
            assert (a["reflectance"] == b["reflectance"]).all()


@pytest.mark.parametrize("mode", ["memory", "stream"])
@pytest.mark.parametrize("world", [2, 3, 7])
def test_ranks_read_apart_and_the_same_number(chunked, mode, world):
    ranks = [Loader(chunked, 64, 0, rank=r, world=world, mode=mode) for r in range(world)]
    found = [joined(rank.epoch(1))["index"] for rank in ranks]
    assert len({len(rank) for rank in ranks}) == 1
    assert len({len(index) for index in found}) == 1
    together = np.concatenate(found)
    assert len(np.unique(together)) == len(together)
    everything = joined(Loader(chunked, 64, 0, mode=mode).epoch(1))["index"]
    assert 0 <= len(everything) - len(together) < world
    assert (everything[: len(together)] == together).all()


def test_a_last_batch_may_be_left_out(chunked):
    for mode in ("memory", "stream"):
        ours = Loader(chunked, 64, 0, mode=mode, drop_last=True)
        sizes = [len(batch["index"]) for batch in ours.epoch(0)]
        assert sizes == [64] * len(ours) and len(ours) == ours.samples // 64


def test_size_decides_and_can_be_overruled(store, monkeypatch):
    assert Loader(store, 64, 0).mode == "memory"
    monkeypatch.setattr(loader, "free_memory", lambda: 1000)
    assert Loader(store, 64, 0).mode == "stream"
    assert Loader(store, 64, 0, mode="memory").mode == "memory"


@given(
    size=st.integers(1, 10**12),
    host=st.integers(0, 10**12),
    device=st.none() | st.integers(0, 10**12),
)
def test_samples_are_kept_where_they_fit(size, host, device):
    found = loader.choose(size, host, device)
    in_host, on_device = size <= host / 2, device is not None and size <= device / 2
    assert (found == "stream") == (not in_host)
    assert (found == "device") == (in_host and on_device)
    # More room never moves samples farther away.
    places = ["device", "memory", "stream"]
    assert places.index(loader.choose(size, 2 * host, device)) <= places.index(found)


def test_room_on_a_gpu_decides_and_can_be_overruled(store):
    size = 2 * load_samples(store, "train").reflectance.size
    rooms = {"device": (2 * size, 2 * size), "memory": (2 * size, size), "stream": (size, 2 * size)}
    for mode, (host, device) in rooms.items():
        chosen = Loader(store, 64, 0, free_host=host, free_device=device)
        assert chosen.mode == mode
        assert (chosen.held is None) == (mode == "stream")
        for asked in rooms:
            asked_for = Loader(store, 64, 0, mode=asked, free_host=host, free_device=device)
            assert asked_for.mode == asked


def test_a_window_mixes_its_chunks(chunked):
    first = next(Loader(chunked, 128, 0, split=None, mode="stream").epoch(0))
    assert len(np.unique(first["index"] // 64)) == 2
    assert (np.diff(first["index"]) < 0).any()


def test_too_many_processes_are_refused(made):
    with pytest.raises(SampleError, match="3 samples cannot serve 4 processes"):
        Loader(made.take(np.arange(3)), 2, 0, world=4)
    with pytest.raises(SampleError, match="order of their store"):
        Loader(made.take(np.array([2, 1])), 2, 0)


def test_damage_stops_the_stream(chunked):
    shard = chunked / "reflectance/c/0/0/0/0/0"
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 255
    shard.write_bytes(data)
    with pytest.raises(shards.ShardError, match="is damaged"):
        list(Loader(chunked, 64, 0, split=None, mode="stream").epoch(0))


def test_free_memory_is_a_size():
    assert 10**7 < loader.free_memory() < 10**14
