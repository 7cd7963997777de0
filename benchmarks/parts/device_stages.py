"""Stages of the workflow on one device: a map, embeddings, the sweep of California; for gpu.py."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import feeds
import numpy as np
import on_device

import model_data as data
from sitsformer import config, maps
from sitsformer.grid import Tile
from sitsformer.model import Architecture, SITSFormer

DATES, CLASSES = 73, 8
"""A date every five days of a year, as Sentinel-2 has them."""

ROOT = Path(__file__).parents[2]


def network(device: str, **changes: Any) -> SITSFormer:
    """The default network with a classifier, ready to predict."""
    model = SITSFormer(Architecture(classes=CLASSES, **changes), data.MEAN, data.STD)
    return model.to(device).eval()


def made_cube(path: Path, side: int) -> None:
    """A cube of random reflectance; three of ten dates are clouded, in squares of 500 m."""
    from sitsformer import cube

    rng = np.random.default_rng(0)
    tile = Tile("county", "32614_499980_4650000", 32614, 499980, 4650000, side)
    reflectance = rng.integers(300, 4000, (DATES, 10, side, side), dtype=np.uint16)
    squares = -(-side // 50)
    clouds = rng.choice([0, 100], (DATES, squares, squares), p=[0.3, 0.7])
    clear = clouds.repeat(50, 1).repeat(50, 2)[:, :side, :side].astype(np.uint8)
    times = np.datetime64("2021-01-03", "ns") + 5 * np.arange(DATES) * np.timedelta64(1, "D")
    cube.write(cube.build(tile, times, reflectance, clear, {}, {}), path, config={})


def warm_up(model: SITSFormer) -> None:
    """Let the device find its kernels."""
    rng = np.random.default_rng(1)
    a = model.architecture
    values = rng.integers(300, 4000, (4096, 50, a.bands, a.patch, a.patch), dtype=np.uint16)
    lengths = rng.integers(12, 51, 4096)
    doy = np.where(np.arange(50) < lengths[:, None], np.arange(1, 51) * 7, 0)
    model.predict(values, doy, 2048, check=False)


def mapped(device: str, folder: Path, side: int) -> dict[str, dict[str, Any]]:
    """A map of a made tile by the default network and the demo's."""
    made_cube(folder / "tile.zarr", side)
    results = {}
    small = {"embedding": "linear", "hidden": 64, "layers": 2, "heads": 4, "norm": "pre"}
    own = {**small, "patch": 1}
    for name, patch, changes, precision in (
        ("default", 5, {}, "float32"),
        ("default", 5, {}, "bf16"),
        ("demo's", 1, own, "float32"),
        ("demo's", 1, own, "bf16"),
    ):
        model = network(device, **changes)
        settings = config.Patches(size=patch, max_length=50)

        def predict(
            values: Any, doy: Any, model: SITSFormer = model, precision: str = precision
        ) -> Any:
            return model.predict(values, doy, 2048, check=False, precision=precision)

        warm_up(model)
        start = time.perf_counter()
        elsewhere = device != "cpu"
        found = maps.predict(folder / "tile.zarr", settings, predict, 8192, elsewhere=elsewhere)
        seconds = time.perf_counter() - start
        pixels = int((found.classes > 0).sum())
        what = f"map of {side} x {side} px on {on_device.name_of(device)}"
        results[f"{what}, {name} network, {precision}"] = {
            "value": round(seconds, 2),
            "unit": "s",
            "against": f"{pixels / seconds:.0f} pixels/s",
        }
    return results


def embedded(device: str, count: int, rounds: tuple[int, int]) -> dict[str, dict[str, Any]]:
    """Embeddings of samples in memory, some `count` samples again and again."""
    values, doy = feeds.made(count)
    results = {}
    for name, times, shape, patch in (
        ("default network", rounds[0], {}, values),
        ("demo's network", rounds[1], {"embedding": "linear", "hidden": 64, "layers": 2, "heads": 4,
         "norm": "pre", "patch": 1}, np.ascontiguousarray(values[..., 2:3, 2:3])),
    ):  # fmt: skip
        model = network(device, **shape)
        warm_up(model)
        start = time.perf_counter()
        for _ in range(times):
            model.embed(patch, doy, 2048, check=False)
        seconds = time.perf_counter() - start
        results[f"embedding of {count * times} samples on {on_device.name_of(device)}, {name}"] = {
            "value": round(seconds, 2),
            "unit": "s",
            "against": f"{count * times / seconds:.0f} samples/s, from host memory",
        }
    return results


def swept(
    device: str,
    store: Path,
    folder: Path,
    at_once: int,
    shots: Sequence[str],
    models: Path | None,
) -> dict[str, dict[str, Any]]:
    """Pretraining and the networks' jobs of the California sweep, as the workflow calls them.

    With `models`, a folder of dual-p0, ssl-p0 and sl-p0, nothing is pretrained.
    """
    found = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "CALIFORNIA": str(store),
        "PYTHONPATH": os.pathsep.join(found),
    }
    settings = str(ROOT / "config" / "examples" / "california.yaml")
    crops, series = store / "crops.zarr", store / "pretraining.zarr"
    common = ["--config", settings, "--device", device]

    def call(*words: str) -> float:
        start = time.perf_counter()
        command = [sys.executable, "-m", "sitsformer", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}\n{done.stderr[-2000:]}")
        return time.perf_counter() - start

    def pretrained(objective: str) -> float:
        return call(
            "pretrain", *common, "--dataset-path", str(series), "--objective", objective,
            "--seed", "0", "--checkpoint", str(folder / "checkpoints" / objective),
            "--out", str(folder / f"{objective}-p0"),
        )  # fmt: skip

    def cells(init: str, shot: str) -> float:
        words = ["fewshot", *common, "--samples", str(crops), "--init", init, "--shots", shot,
                 "--adaptation", "probe", "--seeds", "0-4",
                 "--out", str(folder / f"{init}-{shot}.parquet")]  # fmt: skip
        if init != "none":
            model = (models or folder) / f"{init}-p0"
            words += ["--init-model", str(model), "--pretrain-seed", "0"]
        return call(*words)

    def baseline(method: str, shot: str) -> float:
        return call(
            "baseline", *common, "--samples", str(crops), "--method", method, "--shots", shot,
            "--seeds", "0-4", "--out", str(folder / f"{method}-{shot}.parquet"),
        )  # fmt: skip

    start = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        first = [] if models else list(pool.map(pretrained, ("dual", "ssl", "sl")))
        between = time.perf_counter() - start
        jobs = [pool.submit(cells, init, shot) for init in ("none", "dual", "ssl", "sl")
                for shot in shots]  # fmt: skip
        jobs += [pool.submit(baseline, m, s) for m in ("temporal_cnn", "ltae") for s in shots]
        each = [job.result() for job in jobs]
    seconds = time.perf_counter() - start
    return {
        f"California on {on_device.name_of(device)}, networks' part of the sweep": {
            "value": round(seconds, 1),
            "unit": "s",
            "against": f"{at_once} jobs at once; {len(first)} pretrainings in {between:.0f} s, "
            f"then {len(each)} jobs of 5 draws, {min(each):.0f} to {max(each):.0f} s each",
        }
    }
