"""Cutting samples out of a cube: against its bound, a plain loop, xarray and xbatcher.

    python benchmarks/patches.py             the comparison, one cube of 252 x 252 px, 73 dates
    python benchmarks/patches.py --quick     the same on 126 x 126 px
    python benchmarks/patches.py --large     and a cube of 10 GB within 2 GB of memory (12 GB disk)

The bound is the time to decode the cube once plus the time to write the samples. Decoding: all
chunks of `reflectance` by zarr, one after another on two threads, which keep nothing, or into one
array, whichever is faster. Writing: the whole store as `write_samples` makes it, with
checksums, provenance and fsync, from an array in memory; what cutting writes goes through the same
code. Each run starts without the store it makes. Every variant cuts the same patches around the
same pixels (5 x 5 px, all clear, at most 50 dates); the peers load the cube with zarr and leave the
samples in memory, so the time to write them is added to theirs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import xarray as xr
import zarr

from sitsformer import config, cube, grid, patches, samples
from sitsformer.legends import load_legend
from sitsformer.patches import merge, splits
from sitsformer.patches.chunks import Chunks
from sitsformer.stored import MISSING

ROUNDS = 5
DATES = 73
LARGE_SIDE, LARGE_DATES = 1260, 315
LARGE_SAMPLES = 100_000


def settings(size: int, per_tile: int, memory_gb: float = 1.0) -> config.Config:
    """A config of one tile."""
    return config.parse(
        {
            "areas": {
                "farm": {
                    "source": "synthetic",
                    "bounds": [5.0, 50.0, 5.01, 50.01],
                    "start": "2020-10-01",
                    "end": "2021-09-30",
                    "tiles": {"size": size, "count": 1},
                }
            },
            "sets": {
                "land": {
                    "areas": ["farm"],
                    "label": "worldcover",
                    "per_tile": per_tile,
                    "split": {"block": 630.0},
                }
            },
            "patches": {"size": 5, "max_length": 50, "memory_gb": memory_gb},
            "pretrain": {"set": "land"},
            "fewshot": {"set": "land"},
        }
    )


def landscape(noise: np.ndarray, size: int, date: int) -> np.ndarray:
    """Reflectance (band, y, x) of a date: parcels with a season, and a little noise."""
    side = -(-size // 14)
    season = 0.5 + 0.5 * np.sin(date / 12)
    parcel = np.random.default_rng(1).integers(300, 3500, (10, side, side))
    level = (parcel * season).astype(np.uint16)
    return level.repeat(14, 1).repeat(14, 2)[:, :size, :size] + np.roll(noise, 7 * date, axis=2)


def make_cube(path: Path, tile: grid.Tile, dates: int) -> Path:
    """Write a cube whose size may exceed the memory, a block of dates at a time."""
    import dask.array as da

    size = tile.size
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 120, (10, size, size), dtype=np.uint16)
    day = np.linspace(0, 364, dates).round().astype(int)
    times = np.datetime64("2020-10-01T10:00", "ns") + day.astype("timedelta64[D]")

    def block(block_info: Any = None) -> np.ndarray:
        (first, last), *_ = block_info[None]["array-location"]
        return np.stack([landscape(noise, size, date) for date in range(first, last)])

    pieces = tuple(min(12, dates - first) for first in range(0, dates, 12))
    reflectance = da.map_blocks(
        block, chunks=(pieces, (10,), (size,), (size,)), dtype=np.uint16, meta=np.empty((0,), "u2")
    )
    cells = -(-size // 20)
    sky = np.where(rng.random((dates, cells, cells)) < 0.75, 95, 10).astype(np.uint8)
    clear = sky.repeat(20, 1).repeat(20, 2)[:, :size, :size]
    codes = rng.choice([10, 20, 30, 40, 50], (cells, cells)).astype(np.uint8)
    label = codes.repeat(20, 0).repeat(20, 1)[:size, :size]
    layers = {"worldcover": (label, load_legend("worldcover"))}
    cube.write(cube.build(tile, times, reflectance, clear, layers, {}), path, config={})
    return path


class Case:
    """A cube, the samples cut from it, and what a peer needs to cut them too."""

    def __init__(self, folder: Path, size: int, per_tile: int) -> None:
        self.config = settings(size, per_tile)
        self.tile = grid.tiles("farm", self.config.areas["farm"])[0]
        self.folder = folder
        self.cube = make_cube(folder / "cube.zarr", self.tile, DATES)
        self.store = folder / "ours.zarr"
        self.ours()
        self.samples = samples.load_samples(self.store)
        dataset = samples.open_samples(self.store)
        self.common = samples.about(dataset)
        self.columns = {
            name: dataset[name].values for name in ("doy", "date", "label", "x", "y", "lon", "lat")
        }
        self.row = ((self.tile.north - dataset.y.values) / 10).astype(int)
        self.column = ((dataset.x.values - self.tile.west) / 10).astype(int)
        days = xr.open_zarr(self.cube).time.values.astype("datetime64[D]").astype(int)
        self.steps = [np.searchsorted(days, date[date >= 0]) for date in dataset.date.values]

    def ours(self) -> None:
        name = self.tile.name
        patches.make_tile_store(self.config, "land", "farm", name, self.cube, self.store)

    def made(self) -> list[Path]:
        """Stores that the variants write."""
        return [self.store, self.folder / "written.zarr"]

    def decode(self) -> np.ndarray:
        values: np.ndarray = zarr.open_group(self.cube, mode="r")["reflectance"][:]
        return values

    def write(self, reflectance: np.ndarray) -> None:
        samples.write_samples(self.folder / "written.zarr", reflectance, self.columns, self.common)

    def empty(self) -> np.ndarray:
        return np.full(self.samples.reflectance.shape, MISSING, np.uint16)

    def plain_loop(self) -> np.ndarray:
        """Decode the cube, then cut one sample after another with numpy."""
        values, out = self.decode(), self.empty()
        for i, (y, x, steps) in enumerate(zip(self.row, self.column, self.steps, strict=True)):
            out[i, : len(steps)] = values[steps, :, y - 2 : y + 3, x - 2 : x + 3]
        return out

    def xarray_loop(self) -> np.ndarray:
        """One sample after another with isel on the loaded dataset, as tutorials do it."""
        data, out = cube.open_cube(self.cube).reflectance.load(), self.empty()
        for i, (y, x, steps) in enumerate(zip(self.row, self.column, self.steps, strict=True)):
            patch = data.isel(time=steps, y=slice(y - 2, y + 3), x=slice(x - 2, x + 3))
            out[i, : len(steps)] = patch.values
        return out

    def rolling_construct(self) -> np.ndarray:
        """rolling(...).construct(...), then the windows of all samples at once."""
        data, out = cube.open_cube(self.cube).reflectance.load(), self.empty()
        windows = data.rolling(y=5, x=5, center=True).construct(y="py", x="px", fill_value=MISSING)
        chosen = windows.isel(
            y=xr.DataArray(self.row, dims="sample"), x=xr.DataArray(self.column, dims="sample")
        ).transpose("sample", "time", "band", "py", "px")
        values = chosen.values
        for i, steps in enumerate(self.steps):
            out[i, : len(steps)] = values[i, steps]
        return out

    def xbatcher(self) -> np.ndarray:
        """Patches of the generator of xbatcher over the whole tile.

        It cuts regular tilings only, so overlap 4 visits every centre; only some are looked at
        and the rest is extrapolated by `main`.
        """
        import xbatcher

        data = cube.open_cube(self.cube)[["reflectance"]].load()
        generator = xbatcher.BatchGenerator(
            data,
            input_dims={"time": data.sizes["time"], "band": 10, "y": 5, "x": 5},
            input_overlap={"y": 4, "x": 4},
            preload_batch=False,
        )
        out, across = self.empty(), self.tile.size - 4
        for i in range(min(len(self.steps), 300)):
            batch = generator[int((self.row[i] - 2) * across + self.column[i] - 2)]
            patch = batch.reflectance.transpose("time", "band", "y", "x").values
            out[i, : len(self.steps[i])] = patch[self.steps[i]]
        return out


class Tiles:
    """Stores of several tiles of 1,100 samples each, and their set."""

    def __init__(self, case: Case, count: int) -> None:
        self.folder, self.count = case.folder, count
        rows = np.arange(1100) % len(case.samples)
        self.reflectance = case.samples.reflectance[rows]
        self.columns = {name: values[rows] for name, values in case.columns.items()}
        self.columns["epsg"] = np.full(len(rows), case.tile.epsg)
        manifest = samples.read_manifest(case.store)
        self.config, self.common = case.config, case.common
        self.stores = []
        for number in range(count):
            path = self.folder / f"tile{number}.zarr"
            shift = number * case.tile.size * 10.0
            x, y = self.columns["x"] + shift, self.columns["y"]
            block = splits.block_ids(case.tile.epsg, x, y, case.common.block)
            columns = self.columns | {"x": x, "block": block}
            common = replace(case.common, tiles=(f"farm/{number:03}",))
            samples.write_samples(path, self.reflectance, columns, common, manifest=manifest)
            self.stores.append(path)

    def made(self) -> list[Path]:
        """Stores that the variants write."""
        return [self.folder / "set.zarr", self.folder / "again.zarr"]

    def merge(self) -> None:
        merge.merge(self.config, "land", self.folder / "set.zarr", self.stores)

    def rewrite(self) -> None:
        """What a merge by decoding does at least: read all samples, write them into one store."""
        parts = [samples.load_samples(path) for path in self.stores]
        columns = {
            name: np.concatenate([values] * self.count) for name, values in self.columns.items()
        }
        reflectance = np.concatenate([part.reflectance for part in parts])
        samples.write_samples(self.folder / "again.zarr", reflectance, columns, self.common)


def seconds(work: Callable[[], Any]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def compare(quick: bool) -> dict[str, dict[str, Any]]:
    """Time every variant, interleaved, and take medians."""
    size, per_tile = (126, 1000) if quick else (252, 4000)
    with tempfile.TemporaryDirectory() as name:
        case = Case(Path(name), size, per_tile)
        count = len(case.samples)
        for variant in (case.plain_loop, case.xarray_loop, case.rolling_construct):
            assert (variant() == case.samples.reflectance).all(), variant.__name__
        seen = min(count, 300)
        assert (case.xbatcher()[:seen] == case.samples.reflectance[:seen]).all()
        tiles = Tiles(case, 4 if quick else 16)
        times: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for key, work in {
                "ours": case.ours,
                "decode": case.decode,
                "decode by chunks": lambda: decode_by_chunks(case.cube),
                "write": lambda: case.write(case.samples.reflectance),
                "plain loop": case.plain_loop,
                "xarray isel": case.xarray_loop,
                "rolling construct": case.rolling_construct,
                "xbatcher": case.xbatcher,
                "merge": tiles.merge,
                "rewrite": tiles.rewrite,
            }.items():
                for path in (*case.made(), *tiles.made()):
                    shutil.rmtree(path, ignore_errors=True)
                times.setdefault(key, []).append(seconds(work))
    took = {key: median(values) for key, values in times.items()}
    # What xbatcher needs beyond loading the cube grows with the samples looked at.
    took["xbatcher"] = took["decode"] + (took["xbatcher"] - took["decode"]) * count / seen
    bound = min(took["decode"], took["decode by chunks"]) + took["write"]
    zarrs = took["decode"] + took["write"]
    figures = {
        "patches: cut and write": figure(
            count / took["ours"], "samples/s", "time over decode + write", took["ours"] / bound
        ),
        "patches: decode + write": figure(count / bound, "samples/s", "", None),
        "patches: zarr's decode + write": figure(
            count / zarrs, "samples/s", "time of ours over it", took["ours"] / zarrs
        ),
    }
    for peer in ("plain loop", "xarray isel", "rolling construct", "xbatcher"):
        theirs = took[peer] + took["write"]
        figures[f"patches: against {peer}"] = figure(
            count / theirs, "samples/s", "times as fast as it", theirs / took["ours"]
        )
    figures["patches: merge of tiles"] = figure(
        1100 * tiles.count / took["merge"],
        "samples/s",
        "times as fast as decoding and writing",
        took["rewrite"] / took["merge"],
    )
    return figures


def large() -> dict[str, dict[str, Any]]:
    """A cube of 10 GB in a process of its own, with its peak memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = settings(LARGE_SIDE, LARGE_SAMPLES)
        tile = grid.tiles("farm", chosen.areas["farm"])[0]
        start = perf_counter()
        path = make_cube(folder / "cube.zarr", tile, LARGE_DATES)
        print(f"made in {perf_counter() - start:.0f} s", flush=True)
        decode = seconds(lambda: decode_by_chunks(path))
        run = subprocess.run(
            [sys.executable, __file__, "--cut", str(path), str(folder / "out.zarr")],
            check=True,
            capture_output=True,
            text=True,
        )
        took, peak, count = map(float, run.stdout.split()[-3:])
        loaded = samples.load_samples(folder / "out.zarr")
        dataset = samples.open_samples(folder / "out.zarr")
        columns = {name: dataset[name].values for name in ("doy", "date", "label")}
        common = samples.about(dataset)
        write = seconds(
            lambda: samples.write_samples(
                folder / "written.zarr", loaded.reflectance, columns, common
            )
        )
    size = 2 * 10 * LARGE_DATES * LARGE_SIDE**2 / 1e9
    return {
        f"patches: {size:.0f} GB cube": figure(
            count / took, "samples/s", "time over decode + write", took / (decode + write)
        ),
        f"patches: {size:.0f} GB cube, time": figure(took, "s", "", None),
        f"patches: {size:.0f} GB cube, peak memory": figure(
            peak, "GB", "of the 2 GB allowed", peak / 2
        ),
    }


def decode_by_chunks(path: Path) -> None:
    """Decode every chunk of `reflectance` once, two at a time, and keep none."""
    chunks = Chunks(path, "reflectance")
    starts = (range(0, n, c) for n, c in zip(chunks.shape, chunks.chunks, strict=True))

    def decode(corner: tuple[int, ...]) -> int:
        part = (slice(at, at + step) for at, step in zip(corner, chunks.chunks, strict=True))
        return chunks.read(*part).size

    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(decode, product(*starts)):
            pass


def cut(path: str, out: str) -> None:
    """Cut one cube; print seconds, peak resident GB, samples."""
    chosen = settings(LARGE_SIDE, LARGE_SAMPLES)
    tile = grid.tiles("farm", chosen.areas["farm"])[0]
    start = perf_counter()
    manifest = patches.make_tile_store(chosen, "land", "farm", tile.name, Path(path), Path(out))
    took = perf_counter() - start
    # Not ru_maxrss: that starts from the size of the process that started this one.
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9
    print(took, peak, sum(manifest["kept"].values()))


def figure(value: float, unit: str, against: str, ratio: float | None) -> dict[str, Any]:
    return {"value": value, "unit": unit, "against": against, "ratio": ratio}


def main() -> dict[str, dict[str, Any]]:
    """All figures, printed and returned."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    figures = compare(quick="--quick" in sys.argv)
    if "--large" in sys.argv:
        figures |= large()
    for name, found in figures.items():
        ratio = "" if found["ratio"] is None else f"{found['ratio']:8.2f} {found['against']}"
        print(f"{name:40} {found['value']:12,.1f} {found['unit']:10} {ratio}")
    return figures


if __name__ == "__main__":
    if "--cut" in sys.argv:
        cut(*sys.argv[-2:])
    else:
        main()
