"""One set of made samples, stored and fed to a training in several ways; for gpu.py.

torch and numpy; the Zarr feed needs the whole package and is left out where it is not installed.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import model_data as data

LONGEST = 50
"""Steps of the longest series of `T <= 50`."""


class MissingError(Exception):
    """A feed needs a package that is not installed."""


def made(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance (sample, time, 10, 5, 5) uint16 and days: a level a band, a season, noise."""
    rng = np.random.default_rng(seed)
    _, doy = data.samples("T <= 50", count, seed)
    level = rng.integers(300, 3500, (count, 1, 10, 1, 1))
    season = 1200 * np.sin(doy[:, :, None, None, None] / 58.0)
    noise = rng.integers(0, 200, (count, LONGEST, 10, 5, 5), dtype=np.int16)
    values = (level + season + 1300 + noise).astype(np.uint16)
    values[doy == 0] = 65535
    return values, doy


def write_npz(folder: Path, values: np.ndarray, doy: np.ndarray) -> None:
    """One file a sample, as the published code reads them: `ts` (T, 10, 5, 5), `doy` (T,)."""
    folder.mkdir()
    for i, (sample, days) in enumerate(zip(values, doy, strict=True)):
        steps = int((days > 0).sum())
        np.savez(folder / f"{i}.npz", ts=sample[:steps].astype(np.int16), doy=days[:steps])


class Npz(torch.utils.data.Dataset):
    """The published way: a file a sample, normalised and padded to the longest."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        x = np.zeros((LONGEST, 10, 5, 5), np.float32)
        days = np.zeros(LONGEST, np.int64)
        with np.load(self.folder / f"{i}.npz") as file:
            steps = len(file["doy"])
            days[:steps] = file["doy"]
            x[:steps] = (file["ts"] * 1e-4 - data.MEAN[0]) / data.STD[0]
        return x, days


def from_npz(folder: Path, count: int, batch: int, device: str) -> Iterator[Any]:
    """Batches of the reference out of files, by torch's own loader and its worker processes."""
    workers = min(16, os.cpu_count() or 1) if device == "cuda" else 0
    loader = torch.utils.data.DataLoader(
        Npz(folder, count),
        batch,
        shuffle=True,
        num_workers=workers,
        drop_last=True,
        pin_memory=device == "cuda",
        persistent_workers=workers > 0,
    )
    while True:
        for x, days in loader:
            yield x.to(device, non_blocking=True), days.to(device, non_blocking=True)


def from_padded(values: np.ndarray, doy: np.ndarray, batch: int, device: str) -> Iterator[Any]:
    """Batches of the reference out of the device's memory: what its arithmetic alone allows."""
    x, days = (part.to(device) for part in data.padded(values, doy))
    rng = np.random.default_rng(0)
    while True:
        order = torch.from_numpy(rng.permutation(len(doy))).to(device)
        for start in range(0, len(doy) - batch + 1, batch):
            index = order[start : start + batch]
            yield x[index], days[index]


class Host:
    """A source of `tasks.PretrainTask` that copies the stored integers of each batch to it."""

    shared = True

    def __init__(self, values: np.ndarray, doy: np.ndarray, device: str) -> None:
        self.values, self.doy, self.device, self.count = values, doy, device, len(doy)

    def batches(self, size: int, epoch: int, start: int) -> Iterator[Any]:
        order = np.random.default_rng(epoch).permutation(self.count)
        for first in range(start * size, self.count - size + 1, size):
            index = order[first : first + size]
            series = data.series(self.values[index], self.doy[index], self.device)
            yield series, np.zeros(size, np.int64), np.arange(size)


def zarr_source(path: Path, values: np.ndarray, doy: np.ndarray, batch: int, device: str) -> Any:
    """A source that streams a sample store, written to `path` first, as `sitsformer pretrain`.

    Raises:
        MissingError: zarr or another package that sample stores need is not installed.
    """
    needed = ("zarr", "xarray", "numcodecs", "pydantic")
    absent = [name for name in needed if importlib.util.find_spec(name) is None]
    if absent:
        raise MissingError(f"not measured, not installed: {', '.join(absent)}")
    from sitsformer.pretrain import Streamed
    from sitsformer.samples.loader import Loader

    _write_store(path, values, doy)
    loader = Loader(path, batch, 0, mode="stream", drop_last=True)
    return Streamed(loader, batch, lambda b: data.series(b["reflectance"], b["doy"], device))


def _write_store(path: Path, values: np.ndarray, doy: np.ndarray) -> None:
    from sitsformer import artefacts, samples
    from sitsformer.classes import Classes
    from sitsformer.samples import contract, shards

    about = samples.About(
        name="benchmark",
        classes=Classes(("a", "b"), ("#000000", "#ffffff"), ((1,), (2,))),
        label="made",
        tiles=("made/1",),
        areas=("made",),
        years=(2021,),
        split_by="block",
        block=640.0,
    )
    count, shape = len(doy), values.shape[1:]
    rows = shards.chunk_rows(int(np.prod(shape)) * 2)
    pieces = (values[start : start + rows] for start in range(0, count, rows))
    columns = {"doy": doy, "label": np.arange(count) % 2, "split": np.zeros(count, np.int64)}
    with artefacts.create(path, contract.KIND, config={}) as partial:
        contract.write_reflectance(partial, contract.encoded(pieces, rows))
        contract.write_arrays(partial, count, shape, columns, about)
        contract.write_manifest(partial, {"kept": {"a": count // 2, "b": count // 2}})
