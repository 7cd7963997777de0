"""Peak resident memory of the workflow's commands, on a made store of a chosen size.

    python benchmarks/memory.py                      100,000 samples (2.5 GB before compression)
    python benchmarks/memory.py --quick              8,000 samples
    python benchmarks/memory.py --samples 400000     any number
    python benchmarks/memory.py --keep FOLDER        made files stay there, and are used again
    python benchmarks/memory.py --keep FOLDER --only merge "finetune full" map
                                                     some, by the beginnings of their names

Samples have 50 steps, 10 bands and 5 x 5 px, as SITS-Former's; 8 classes, split by blocks.
Every command is a process of its own, and the figure is what the kernel says of it when it has
ended (`ru_maxrss`). The network is small (one layer, hidden 64), so that it does not take an hour:
what a larger one needs for its activations comes on top, and does not grow with the store. Ratios
are against the whole store as it is in memory.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import yaml

from sitsformer import artefacts, samples
from sitsformer.classes import Classes
from sitsformer.patches import splits
from sitsformer.samples import contract, shards
from sitsformer.stored import MISSING

SHAPE = (50, 10, 5, 5)
CLASSES, TILES, BLOCK = 8, 4, 640.0
SIDE = 252
"""Of the mapped tile, pixels."""
EPSG, WEST, NORTH = 32632, 499_840, 5_599_360
TERMINATED = 143
STORED = int(np.prod(SHAPE)) * 2
"""Bytes of a sample in memory."""

CONFIG: dict[str, Any] = {
    "areas": {
        "farm": {
            "source": "synthetic",
            "bounds": [9.0, 50.0, 9.2, 50.2],
            "start": "2021-01-01",
            "end": "2021-12-31",
            "labels": ["cdl"],
            "tiles": {"size": SIDE, "count": 1},
        }
    },
    "sets": {"land": {"areas": ["farm"], "label": "cdl", "split": {"block": BLOCK}}},
    "patches": {"size": 5, "max_length": 50, "min_dates": 2},
    "model": {"embedding": "linear", "layers": 1, "hidden": 64},
    "pretrain": {
        "set": "land",
        "overlap": "labels",
        "objectives": ["dual"],
        "epochs": 1,
        "batch_size": 512,
    },
    "fewshot": {
        "set": "land",
        "shots": [10],
        "seeds": 1,
        "steps": 20,
        "passes": 0,
        "inits": ["none"],
        "adaptations": ["probe", "full"],
        "baselines": ["random_forest", "logistic_regression", "temporal_cnn"],
    },
    "evaluation": {"bootstrap": 100},
}


@dataclass
class World:
    """Made files, and what was measured on them.

    Attributes:
        folder: where they are.
        count: samples.
        peaks: command -> peak resident bytes, seconds.
    """

    folder: Path
    count: int
    peaks: dict[str, tuple[int, float]] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        return self.folder / "land.zarr"

    def config(self, name: str, **changes: Any) -> Path:
        path = self.folder / f"{name}.yaml"
        sections = {
            key: {**CONFIG.get(key, {}), **changes.get(key, {})} for key in CONFIG | changes
        }
        path.write_text(yaml.safe_dump(sections))
        return path

    def tile_stores(self) -> list[Path]:
        paths = [self.folder / f"tile{k}.zarr" for k in range(TILES)]
        for number, path in enumerate(paths):
            if not (path / artefacts.PROVENANCE).exists():
                write_tile(path, number, self.count // TILES)
        return paths

    def measure(self, name: str, *arguments: str | Path, until: Path | None = None) -> None:
        """Run a command of `sitsformer`; the peak of its process.

        Args:
            name: of the figure.
            arguments: of the command.
            until: it is asked to stop once this is there; None: it runs to its end.
        """
        start = perf_counter()
        words = [sys.executable, "-m", "sitsformer", *map(str, arguments)]
        with (self.folder / f"{name.replace(' ', '-')}.log").open("w") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log)
            look = os.WEXITED | os.WNOHANG | os.WNOWAIT
            while until and not until.exists() and not os.waitid(os.P_PID, process.pid, look):
                sleep(0.2)
            if until is not None:
                process.send_signal(signal.SIGTERM)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != (TERMINATED if until is not None else 0):
            raise SystemExit(f"{name} failed: {Path(log.name).read_text()[-2000:]}")
        self.peaks[name] = usage.ru_maxrss * 1024, perf_counter() - start
        print(f"{name}: {usage.ru_maxrss * 1024 / 1e9:.2f} GB", file=sys.stderr, flush=True)


def chunk(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reflectance, days and classes of made samples: a level a class and band, a season, noise."""
    label = rng.integers(0, CLASSES, rows)
    level = np.random.default_rng(0).integers(300, 3500, (CLASSES, 1, 10, 1, 1))[label]
    season = rng.integers(0, 900, (rows, 50, 1, 1, 1))
    values = (level + season + rng.integers(0, 400, (rows, *SHAPE), dtype=np.int16)).astype("u2")
    padding = np.arange(50) >= rng.integers(25, 51, rows)[:, None]
    values[padding] = MISSING
    doy = np.sort(rng.integers(1, 366, (rows, 50)).astype(np.int16), axis=1)
    doy[padding] = 0
    return values, doy, label


def write_tile(path: Path, number: int, count: int) -> None:
    """A tile store of `count` samples, written without holding them; chunks are used in turn."""
    rows = shards.chunk_rows(STORED)
    rng = np.random.default_rng(number)
    made = [chunk(np.random.default_rng(k), rows) for k in range(8)]

    def pieces() -> Iterator[np.ndarray]:
        for start in range(0, count, rows):
            yield made[start // rows % 8][0][: count - start]

    turns = [made[start // rows % 8] for start in range(0, count, rows)]
    # Places of blocks and, within them, of patches that reach into no other block.
    inside = (rng.integers(0, 80, (2, count)) * BLOCK) + rng.integers(3, 61, (2, count)) * 10 + 5
    x, y = WEST + number * 80 * BLOCK + inside[0], NORTH + inside[1]
    columns = {
        "doy": np.concatenate([turn[1] for turn in turns])[:count],
        "label": np.concatenate([turn[2] for turn in turns])[:count],
        "epsg": np.full(count, EPSG),
        "x": x,
        "y": y,
        "lon": 9 + x / 1e7,
        "lat": 50 + y / 1e9,
        "block": splits.block_ids(EPSG, x, y, BLOCK),
    }
    names = tuple(f"class {k}" for k in range(CLASSES))
    colours = tuple(f"#{k:02x}80ff" for k in range(CLASSES))
    common = samples.About(
        name="land",
        classes=Classes(names, colours, tuple((k + 1,) for k in range(CLASSES))),
        label="cdl",
        tiles=(f"farm/{number:03}",),
        areas=("farm",),
        years=(2021,),
        split_by="block",
        block=BLOCK,
    )
    counts: dict[str, Any] = {"kept": {}, "dropped": {}, "pixels": count, "warnings": []}
    with artefacts.create(path, contract.TILE_KIND, config={}) as partial:
        contract.write_reflectance(partial, contract.encoded(pieces(), rows))
        contract.write_arrays(partial, count, SHAPE, columns, common)
        contract.write_manifest(partial, counts)


def merge(world: World) -> None:
    stores = world.tile_stores()
    world.measure("merge", "merge", "--config", world.config("c"), "land", world.store, *stores)


def pretrain(world: World, feed: str, more: dict[str, Any] | None = None) -> Path:
    out = world.folder / f"dual-{feed}"
    # As the workflow calls it, for the report.
    (world.folder / "dual-p0").unlink(missing_ok=True)
    (world.folder / "dual-p0").symlink_to(out.name)
    pretraining = {**CONFIG["pretrain"], "loader": feed, **(more or {})}
    world.measure(
        f"pretrain {feed}", "pretrain", "--config", world.config(feed, pretrain=pretraining),
        "--objective", "dual", "--samples", world.store, "--checkpoint",
        world.folder / f"checkpoint-{feed}", "--out", out, "--device", "cpu",
    )  # fmt: skip
    return out


def pretrain_default(world: World, batch: int, accumulate: int) -> None:
    """The first steps of the default network, streamed."""
    checkpoint = world.folder / "checkpoint-default"
    shutil.rmtree(checkpoint, ignore_errors=True)
    pretraining = {
        **CONFIG["pretrain"], "loader": "stream", "batch_size": batch, "accumulate": accumulate,
        "checkpoint_every": 4,
    }  # fmt: skip
    values = {key: value for key, value in CONFIG.items() if key != "model"}
    config = world.folder / "default.yaml"
    config.write_text(yaml.safe_dump(values | {"pretrain": pretraining}))
    world.measure(
        f"pretrain default {batch} x {accumulate}", "pretrain", "--config", config, "--objective",
        "dual", "--samples", world.store, "--checkpoint", checkpoint, "--out",
        world.folder / "default", "--device", "cpu", until=checkpoint / "checkpoint.safetensors",
    )  # fmt: skip


def finetune(world: World, adaptation: str, shots: str, refine: bool = False) -> Path:
    extra = {"refine": ["smoothing"]} if refine else {}
    name = f"finetune {adaptation} {shots}" + (" smoothing" if refine else "")
    out = world.folder / f"{name.replace(' ', '-')}.parquet"
    save = ("--save-model", world.folder / "crop") if name == "finetune full 10" else ()
    world.measure(
        name, "fewshot", "--config", world.config("f", fewshot=CONFIG["fewshot"] | extra),
        "--samples", world.store, "--init", "none", "--adaptation", adaptation,
        "--shots", shots, "--seeds", "0", "--out", out, *save,
    )  # fmt: skip
    return out


def baseline(world: World, method: str, shots: str) -> Path:
    out = world.folder / f"{method}-{shots}.parquet"
    world.measure(
        f"baseline {method} {shots}", "baseline", "--config", world.config("b"), "--samples",
        world.store, "--method", method, "--shots", shots, "--seeds", "0", "--out", out,
    )  # fmt: skip
    return out


def crop_model(world: World, method: str, shots: str) -> None:
    """The model of the maps, by a learner that has no network."""
    maps = {"tiles": {"farm": 1}, "learner": method, "shots": shots}
    world.measure(
        f"crop_model {method} {shots}", "crop-model", "--config", world.config("m", maps=maps),
        "--samples", world.store, "--out", world.folder / f"crop-{method}",
    )  # fmt: skip


def joined(world: World, refine: list[str], crop: bool = False) -> None:
    """Who joins embeddings with an encoder: `48 * hidden` bytes of features of a sample."""
    init, rows = world.folder / "encoder", world.folder / "rows.zarr"
    subprocess.run([sys.executable, __file__, "--make-joined", world.folder], check=True)
    settings = CONFIG["fewshot"] | {"inits": ["none", "dual"], "refine": refine}
    maps = {"tiles": {"farm": 1}, "learner": "dual+mine", "shots": 10}
    config = world.config(
        "j", fewshot=settings, embeddings={"mine": {"rasters": {"farm": "mine.tif"}}}, maps=maps
    )
    common = ("--config", config, "--samples", world.store, "--embeddings", rows, "--out")
    if crop:
        world.measure(
            "crop_model joined 10", "crop-model", *common, world.folder / "crop-joined",
            "--pretrained", "dual-p0", init,
        )  # fmt: skip
    else:
        world.measure(
            " ".join(["baseline joined 10", *refine]), "baseline", *common,
            world.folder / f"joined{len(refine)}.parquet", "--method", "dual-p0+mine",
            "--init-model", init, "--shots", "10", "--seeds", "0",
        )  # fmt: skip


def make_joined(folder: Path) -> None:
    """Embeddings of 64 axes for the samples, and an encoder that learned nothing."""
    import torch

    from sitsformer.embedded.store import write_rows
    from sitsformer.model import Architecture, SITSFormer
    from sitsformer.modelstore import Origin, save_model

    if (folder / "rows.zarr").exists():
        return
    store = folder / "land.zarr"
    opened = samples.open_samples(store)
    common, stats = samples.about(opened), samples.statistics(store)
    values = np.random.default_rng(0).integers(-127, 128, (opened.sizes["sample"], 64), np.int8)
    attrs = {"layer": "mine", "title": "mine", "divisor": 127.5, "power": 2.0}
    axes = tuple(f"A{k:02}" for k in range(64))
    write_rows(folder / "rows.zarr", values, axes, attrs, config={}, inputs={"samples": store})
    torch.manual_seed(0)
    shape = Architecture(**CONFIG["model"], classes=len(common.classes))
    names = common.classes.names
    model = SITSFormer(shape, stats.mean, stats.std, common.bands, names, common.sensor.name)
    made = Origin("dual", {}, {}, {"samples": store}, 0, classes=common.classes)
    save_model(folder / "encoder", model, made)


def tile_map(world: World) -> None:
    from sitsformer.config import load
    from sitsformer.grid import tiles

    config = world.config("c")
    tile = tiles("farm", load(config).areas["farm"])[0]
    cube = world.folder / "cube.zarr"
    if not cube.exists():
        world.measure(f"cube {SIDE} px", "cube", "--config", config, "farm", tile.name, cube)
    world.measure(
        f"map {SIDE} px", "map", "--config", config, "--model", world.folder / "crop",
        "--cube", cube, "--out", world.folder / "map.tif",
    )  # fmt: skip


def evaluate(world: World) -> None:
    cells = sorted(world.folder.glob("*-10.parquet"))
    world.measure(
        "evaluate", "evaluate", "--config", world.config("c"), "--samples", world.store,
        "--pretrain-samples", world.store, "--out", world.folder / "tables", *cells,
    )  # fmt: skip


def report(world: World) -> None:
    world.measure(
        "report", "report", "--config", world.config("c"), "--tables", world.folder / "tables",
        "--figures", world.folder / "figures", "--out", world.folder / "report.html",
        world.store, world.folder / "dual-p0",
    )  # fmt: skip


def every(world: World, only: list[str]) -> None:
    """Run what is wanted, in the order of the workflow."""
    steps: dict[str, Callable[[], Any]] = {
        "merge": lambda: merge(world),
        "finetune full 10": lambda: finetune(world, "full", "10"),
        "finetune probe 10": lambda: finetune(world, "probe", "10"),
        "baseline random_forest 10": lambda: baseline(world, "random_forest", "10"),
        "baseline logistic_regression 10": lambda: baseline(world, "logistic_regression", "10"),
        "baseline temporal_cnn 10": lambda: baseline(world, "temporal_cnn", "10"),
        "crop_model random_forest 10": lambda: crop_model(world, "random_forest", "10"),
        "crop_model logistic_regression 10": lambda: crop_model(world, "logistic_regression", "10"),
        "crop_model temporal_cnn 10": lambda: crop_model(world, "temporal_cnn", "10"),
        "baseline joined 10": lambda: joined(world, []),
        "baseline joined 10 smoothing": lambda: joined(world, ["smoothing"]),
        "crop_model joined 10": lambda: joined(world, [], crop=True),
        "pretrain stream": lambda: pretrain(world, "stream"),
        **{
            f"pretrain default {batch} x {512 // batch}": partial(
                pretrain_default, world, batch, 512 // batch
            )
            for batch in (512, 256, 128, 64)
        },
        "evaluate": lambda: evaluate(world),
        "map": lambda: tile_map(world),
        "report": lambda: report(world),
        "pretrain memory": lambda: pretrain(world, "memory"),
        "finetune probe all": lambda: finetune(world, "probe", "all"),
        "finetune probe 10 smoothing": lambda: finetune(world, "probe", "10", refine=True),
        "baseline logistic_regression all": lambda: baseline(world, "logistic_regression", "all"),
    }
    for name, step in steps.items():
        wanted = not only or any(name.startswith(one) for one in only)
        if wanted:
            step()


def main() -> dict[str, dict[str, Any]]:
    """Measure; see the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--make-joined", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make_joined:
        make_joined(given.make_joined)
        return {}
    count = 8000 if given.quick else given.samples
    with tempfile.TemporaryDirectory() as name:
        folder = given.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        world = World(folder, count)
        every(world, given.only)
    size = count * STORED
    for command, (peak, took) in world.peaks.items():
        print(f"| {command} | {peak / 1e9:.2f} GB | {peak / size:.2f} | {took:.0f} s |")
    return {
        f"memory: {command}": {
            "value": peak / 1e9,
            "unit": "GB",
            "against": f"the store of {size / 1e9:.2f} GB",
            "ratio": peak / size,
        }
        for command, (peak, _) in world.peaks.items()
    }


if __name__ == "__main__":
    main()
