"""Whole maps on one CPU thread: the command, against `plan` and against matrix products.

    python benchmarks/maps.py [--quick] [--side 252]     minutes; 252 x 252 px, a year of dates

`sitsformer map` as the workflow calls it, reading and writing included, for the demo's network
(patches of 3 x 3 px) and the default one (5 x 5 px), both with untrained weights, which take as
long. CPU seconds of the process, medians over rounds in which they take turns; `--quick`: one
round of 126 px.

`of GEMM` is the plain bound: floating-point operations that the network needs for the clear dates
of each pixel, a second, over the rate of large float32 matrix products in the same round. No
arrangement of the same float32 products is faster than that.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import model_data as data
import training_data
from sitsformer.config import load
from sitsformer.costs import job_of
from sitsformer.grid import tiles
from sitsformer.model import Architecture
from sitsformer.paths import Paths

SMALL = {"embedding": "linear", "hidden": 64, "layers": 2, "heads": 4, "norm": "pre"}
NETWORKS: dict[str, tuple[dict[str, Any], int, int]] = {
    "the demo's": (SMALL, 3, 30),
    "the default": ({}, 5, 75),
}
"""Name -> section `model`, side of patches, dates of a sample at most."""
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "SITSFORMER_THREADS")


def config(folder: Path, number: int, side: int) -> Path:
    """The config of one network; the area is the same."""
    network, patch, length = list(NETWORKS.values())[number]
    values = {
        "areas": {
            "farm": {
                "source": "synthetic",
                "bounds": [-94.9, 43.1, -94.86, 43.13],
                "start": "2021-01-01",
                "end": "2021-12-31",
                "labels": ["cdl"],
                "tiles": {"size": side, "count": 1},
            }
        },
        "sets": {"made": {"areas": ["farm"], "label": "cdl"}},
        "patches": {"size": patch, "max_length": length},
        "model": network,
        "pretrain": {"set": "made"},
        "fewshot": {"set": "made", "shots": [5], "steps": 1},
        "maps": {"tiles": {"farm": "all"}, "shots": 5},
    }
    path = folder / f"{number}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def run(folder: Path, *arguments: object) -> float:
    """Run a command of `sitsformer` on one thread; its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [sys.executable, "-m", "sitsformer", *map(str, arguments)]
    environment = os.environ | dict.fromkeys(ONE_THREAD, "1")
    done = subprocess.run(words, env=environment, cwd=folder, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stderr.decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make(folder: Path, number: int, path: Path) -> Path:
    """A crop model with untrained weights; of the first network, the cube too."""
    _, patch, length = list(NETWORKS.values())[number]
    if number == 0:
        tile = tiles("farm", load(path).areas["farm"])[0].name
        run(folder, "cube", "--config", path, "farm", tile, "cube.zarr")
    store = training_data.store(folder / f"{number}.zarr", patch=patch, time=length, count=300)
    out = folder / f"crop-{number}"
    words = ("--init", "none", "--shots", 5, "--seeds", 0, "--save-model", out)
    run(folder, "fewshot", "--config", path, "--samples", store, *words)
    return out


def operations(folder: Path, number: int) -> tuple[float, int]:
    """What the network computed for a map, and its pixels: by the dates of each."""
    network, patch, _ = list(NETWORKS.values())[number]
    with rasterio.open(folder / f"map-{number}" / "classes_dates.tif") as image:
        dates = image.read(1)
    lengths = dates[dates != 65535].astype(np.int64)
    shape = {key: value for key, value in network.items() if key != "norm"}
    own = Architecture(bands=10, patch=patch, classes=3, **shape)
    return data.flops(own, lengths), len(lengths)


def measured(folder: Path, side: int, rounds: int) -> dict[str, dict[str, Any]]:
    """The table of both networks."""
    paths = [config(folder, number, side) for number in range(len(NETWORKS))]
    models = [make(folder, number, path) for number, path in enumerate(paths)]
    seconds: list[list[float]] = [[] for _ in paths]
    rates = []
    for _ in range(rounds):
        rates.append(data.gemm_rate())
        for number, (path, model) in enumerate(zip(paths, models, strict=True)):
            words = ("--model", model, "--cube", "cube.zarr")
            out = folder / f"map-{number}" / "classes.tif"
            seconds[number].append(run(folder, "map", "--config", path, *words, "--out", out))
    return _table(folder, paths, seconds, statistics.median(rates), side)


def _table(
    folder: Path, paths: list[Path], seconds: list[list[float]], gemm: float, side: int
) -> dict[str, dict[str, Any]]:
    results = {}
    print(f"float32 matrix products: {gemm / 1e9:.0f} GFLOP/s; {side} x {side} px")
    print("| network | CPU seconds | plan | px a second | core-hours for 1,000 km2 | of GEMM |")
    for number, (name, path) in enumerate(zip(NETWORKS, paths, strict=True)):
        took = statistics.median(seconds[number])
        predicted = job_of(Paths(load(path)), "map", {"area": "farm"}).seconds
        assert predicted is not None
        needed, pixels = operations(folder, number)
        hours = took / 3600 / (side * side * 100 / 1e9)
        print(
            f"| {name} | {took:.1f} | {predicted:.1f} | {pixels / took:,.0f} | {hours:.2f} "
            f"| {needed / took / gemm:.0%} |"
        )
        results[f"map by {name} network"] = {
            "value": took,
            "unit": "s",
            "against": f"{predicted:.1f} s by plan",
            "ratio": took / predicted,
        }
    return results


def main() -> dict[str, dict[str, Any]]:
    """Measure; see the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--side", type=int, default=252)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if given.quick:
            return measured(Path(folder), 126, 1)
        return measured(Path(folder), given.side, 3)


if __name__ == "__main__":
    main()
