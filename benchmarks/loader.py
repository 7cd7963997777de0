"""Reading samples for training: shuffled batches from disk and from memory, against two layouts.

    python benchmarks/loader.py            20,480 samples (500 MB)
    python benchmarks/loader.py --quick    4,096 samples
    python benchmarks/loader.py --large    and a set of a million samples (25 GB before compression,
                                           14 GB on disk): written, opened, described, read once

Samples have 50 steps, 10 bands, 5 x 5 px, as SITS-Former's. Peers: one .npz a sample, as its code
stores them, and one memory-mapped array. "Cold" means that the page cache was emptied of the
store's files first; each figure is the median of its rounds.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from sitsformer import samples
from sitsformer.classes import Classes
from sitsformer.samples import contract as samplelayout
from sitsformer.samples import shards
from sitsformer.samples.describe import describe
from sitsformer.samples.loader import Loader
from sitsformer.stored import MISSING

ROUNDS = 5
BATCH = 512
SHAPE = (50, 10, 5, 5)
MILLION = 1_000_000
NPZ = 4000
"""Samples of the .npz peer; its speed does not depend on their number."""

ABOUT = samples.About(
    name="benchmark",
    classes=Classes(("a", "b"), ("#000000", "#ffffff"), ((1,), (2,))),
    label="made",
    tiles=("made/1",),
    areas=("made",),
    years=(2021,),
    split_by="block",
    block=640.0,
)


def chunk(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance and days of made samples: a level a band, a season, noise, 25 to 50 steps."""
    level = rng.integers(300, 3500, (rows, 1, 10, 1, 1))
    season = rng.integers(0, 900, (rows, 50, 1, 1, 1))
    values = (level + season + rng.integers(0, 120, (rows, *SHAPE), dtype=np.int16)).astype("u2")
    steps = rng.integers(25, 51, rows)
    padding = np.arange(50) >= steps[:, None]
    values[padding] = MISSING
    doy = np.sort(rng.integers(1, 366, (rows, 50)).astype(np.int16), axis=1)
    doy[padding] = 0
    return values, doy


def write(path: Path, count: int) -> None:
    """Write a store of `count` samples without holding them."""
    rng = np.random.default_rng(0)
    days: list[np.ndarray] = []
    rows = shards.chunk_rows(int(np.prod(SHAPE)) * 2)

    def pieces() -> Iterator[np.ndarray]:
        # A few chunks made once and used in turn: making them is not what is measured.
        made = [chunk(rng, rows) for _ in range(8)]
        for start in range(0, count, rows):
            values, doy = made[start // rows % 8]
            days.append(doy[: count - start])
            yield values[: count - start]

    from sitsformer import artefacts

    with artefacts.create(path, samplelayout.KIND, config={}) as partial:
        samplelayout.write_reflectance(partial, samplelayout.encoded(pieces(), rows))
        columns = {
            "doy": np.concatenate(days),
            "label": np.arange(count) % 2,
            "split": np.where(np.arange(count) % 10 == 0, 1, 0),
        }
        samplelayout.write_arrays(partial, count, SHAPE, columns, ABOUT)
        samplelayout.write_manifest(partial, {"kept": {"a": count // 2, "b": count // 2}})


def cool(path: Path) -> None:
    """Ask the kernel to drop a file, or all files of a folder, from the page cache."""
    files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    for item in files:
        descriptor = os.open(item, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def read(batches: Iterator[Any]) -> int:
    """Count the samples of an epoch, touching each batch."""
    return sum(len(batch["reflectance"]) for batch in batches)


def npz_epoch(folder: Path, order: np.ndarray) -> int:
    """Load one file a sample, in random order, into batches."""
    for start in range(0, len(order), BATCH):
        batch = []
        for i in order[start : start + BATCH]:
            with np.load(folder / f"{i}.npz") as file:
                batch.append(file["ts"])
        np.stack(batch)
    return len(order)


def mapped_epoch(path: Path, count: int, order: np.ndarray) -> int:
    """Gather random samples out of a memory-mapped array."""
    mapped = np.memmap(path, np.uint16, "r", shape=(count, *SHAPE))
    for start in range(0, count, BATCH):
        _ = mapped[order[start : start + BATCH]]
    return count


def rate(work: Callable[[], int]) -> float:
    start = perf_counter()
    count = work()
    return count / (perf_counter() - start)


def compare(quick: bool) -> dict[str, dict[str, Any]]:
    """Time every layout, interleaved."""
    count = 4096 if quick else 20_480
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store, flat, npz = folder / "s.zarr", folder / "flat", folder / "npz"
        write(store, count)
        held = samples.load_samples(store)
        held.reflectance.tofile(flat)
        npz.mkdir()
        for i in range(min(count, NPZ)):
            np.savez(npz / f"{i}.npz", ts=held.reflectance[i], doy=held.doy[i])
        stream = Loader(store, BATCH, 0, split=None, mode="stream")
        memory = Loader(held, BATCH, 0)
        order = np.random.default_rng(0).permutation(count)
        some = order[order < NPZ]
        rates: dict[str, list[float]] = {}
        for epoch in range(2 if quick else ROUNDS):
            cool(store)
            cases: dict[str, Callable[[], int]] = {
                "cold": lambda epoch=epoch: read(stream.epoch(epoch)),
                "warm": lambda epoch=epoch: read(stream.epoch(epoch)),
                "memory": lambda epoch=epoch: read(memory.epoch(epoch)),
                "npz": lambda: npz_epoch(npz, some),
                "mapped": lambda: mapped_epoch(flat, count, order),
            }
            for key, work in cases.items():
                rates.setdefault(key, []).append(rate(work))
            cool(flat)
            rates.setdefault("mapped cold", []).append(rate(cases["mapped"]))
    of = {key: median(values) for key, values in rates.items()}
    return {
        "loader: shuffled, cold store": figure(of["cold"], "of the 20,000 aimed at", 20_000),
        "loader: cold store, .npz": figure(of["cold"], "one .npz a sample (warm)", of["npz"]),
        "loader: cold store, memory map": figure(
            of["cold"], "a cold memory-mapped array", of["mapped cold"]
        ),
        "loader: shuffled, warm store": figure(of["warm"], "a warm memory map", of["mapped"]),
        "loader: from memory": figure(of["memory"], "of the 200,000 aimed at", 200_000),
        "loader: from memory, memory map": figure(of["memory"], "a warm memory map", of["mapped"]),
    }


def million() -> dict[str, dict[str, Any]]:
    """A set of a million samples."""
    with tempfile.TemporaryDirectory() as name:
        store = Path(name) / "million.zarr"
        start = perf_counter()
        write(store, MILLION)
        wrote = perf_counter() - start
        files = [item for item in store.rglob("*") if item.is_file()]
        start = perf_counter()
        dataset = samples.open_samples(store)
        opened = perf_counter() - start
        start = perf_counter()
        print("\n".join(describe(store)))
        described = perf_counter() - start
        stream = Loader(store, BATCH, 0, split=None, mode="stream")
        cool(store)
        iterated = rate(lambda: read(stream.epoch(0)))
        start = perf_counter()
        samples.statistics(store)
        counted = perf_counter() - start
        size = sum(item.stat().st_size for item in files)
        assert dataset.sizes["sample"] == MILLION
    return {
        "loader: a million written": figure(MILLION / wrote, "", None),
        "loader: a million, files": {"value": len(files), "unit": f"files, {size / 1e9:.1f} GB"},
        "loader: a million opened": {"value": opened, "unit": "s"},
        "loader: a million described": {"value": described, "unit": "s"},
        "loader: a million iterated, cold": figure(iterated, "of the 20,000 aimed at", 20_000),
        "loader: a million, statistics": {"value": counted, "unit": "s"},
    }


def figure(value: float, against: str, other: float | None) -> dict[str, Any]:
    ratio = None if other is None else value / other
    return {"value": value, "unit": "samples/s", "against": against, "ratio": ratio}


def main() -> dict[str, dict[str, Any]]:
    """All figures, printed and returned."""
    figures = compare(quick="--quick" in sys.argv)
    if "--large" in sys.argv:
        figures |= million()
    for name, found in figures.items():
        found.setdefault("against", "")
        found.setdefault("ratio", None)
        ratio = "" if found["ratio"] is None else f"{found['ratio']:8.2f} {found['against']}"
        print(f"{name:40} {found['value']:12,.2f} {found['unit']:12} {ratio}")
    return figures


if __name__ == "__main__":
    main()
