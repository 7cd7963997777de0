"""One GPU: how fast each part of the method runs there, in under eight minutes.

    python benchmarks/gpu.py [--parts ceilings training map embed sweep] [--california FOLDER]
    python benchmarks/gpu.py --rehearse      the same, tiny, on a CPU: to see that it runs

`training`: samples a second of pretraining by network, feed and precision, share of the data
sheet's peak, share of the time in which the GPU computed, loss after the same updates, memory; the
published network, fed from a file a sample, is the first line and what ratios are against. `map`:
a made tile of 512 x 512 px and 73 dates. `embed`: a million samples by the demo's network, a
quarter of them by the default one. `sweep`: the networks' part of config/examples/california.yaml
with one pretraining run, as the workflow calls its commands; FOLDER holds crops.zarr and
pretraining.zarr (docs/results.md).

Times are the wall clock's, of one run each after warming up: a GPU that works for others too shows
it in `ceilings`, which stand first.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parent / "parts"))
import device_training
import on_device

PARTS = ("ceilings", "training", "map", "embed", "sweep")
SHOTS = ("1", "5", "10", "20", "50", "100", "all")


def run(
    device: str,
    rehearse: bool,
    parts: Sequence[str] = PARTS,
    california: Path | None = None,
    at_once: int = 8,
    shots: Sequence[str] = SHOTS,
    models: Path | None = None,
    recorded: bool = False,
) -> dict[str, dict[str, Any]]:
    """Measure the parts and print each as soon as it is known."""
    results: dict[str, dict[str, Any]] = {}
    for part in parts:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            if part == "sweep":
                found = _sweep(device, Path(folder), california, at_once, shots, models)
            else:
                found = _part(part, device, rehearse, Path(folder), recorded)
        for name, figure in found.items():
            print(f"{name}: {figure['value']} {figure['unit']} ({figure.get('against', '')})")
        print(f"[{part}: {time.perf_counter() - start:.0f} s]", flush=True)
        results |= found
    return results


def _part(
    part: str, device: str, rehearse: bool, folder: Path, recorded: bool
) -> dict[str, dict[str, Any]]:
    if part == "ceilings":
        found = on_device.ceilings(device, 256 if rehearse else 8192)
        return {
            f"{name} on {on_device.name_of(device)}": {
                "value": round(value / (1e9 if name == "copy" else 1e12), 2),
                "unit": "GB/s" if name == "copy" else "TFLOP/s",
            }
            for name, value in found.items()
        }
    if part == "training":
        cases = device_training.CASES
        if recorded:
            cases = cases[:1] + tuple(case for case in cases if case.graphs)
        if rehearse:  # compilers need minutes on a CPU, where there are no graphs to record
            cases = tuple(case for case in cases if not (case.compiled or case.graphs))
        return device_training.table(device, cases, rehearse)
    import device_stages

    if part == "map":
        return device_stages.mapped(device, folder, 30 if rehearse else 512)
    count, rounds = (64, (1, 1)) if rehearse else (15_625, (16, 64))
    return device_stages.embedded(device, count, rounds)


def _sweep(
    device: str,
    folder: Path,
    california: Path | None,
    at_once: int,
    shots: Sequence[str],
    models: Path | None,
) -> dict[str, dict[str, Any]]:
    if california is None:
        print("sweep: not measured, give --california FOLDER")
        return {}
    import device_stages

    return device_stages.swept(device, california, folder, at_once, shots, models)


def main() -> dict[str, dict[str, Any]]:
    """For `make bench`: what there is a GPU for."""
    if not torch.cuda.is_available():
        print("no GPU: nothing measured (--rehearse runs it on a CPU)")
        return {}
    return run("cuda", False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--california", type=Path, help="folder of the two converted stores")
    parser.add_argument("--models", type=Path, help="folder of dual-p0, ssl-p0, sl-p0 made before")
    parser.add_argument("--shots", nargs="+", choices=SHOTS, default=SHOTS)
    parser.add_argument("--at-once", type=int, default=8, help="jobs of the sweep at a time")
    parser.add_argument(
        "--recorded", action="store_true", help="of the training, the reference and recorded steps"
    )
    parser.add_argument("--rehearse", action="store_true", help="tiny, on a CPU")
    options = parser.parse_args()
    if not (options.rehearse or torch.cuda.is_available()):
        parser.error("there is no GPU: --rehearse runs it on a CPU, tiny, to see that it runs")
    run(
        "cpu" if options.rehearse else "cuda",
        options.rehearse,
        options.parts,
        options.california,
        options.at_once,
        options.shots,
        options.models,
        options.recorded,
    )
