"""CPU time and peak memory of a dry run of many tiles, beside an empty workflow of as many jobs.

    python benchmarks/dag.py                2,000 tiles, three times each in turns
    python benchmarks/dag.py --tiles 20000 --times 1

The config is the demo's with so many tiles of land cover: a cube and a tile store each. The empty
workflow has two rules for as many, each with a log, a benchmark and a message, and neither params
nor resources nor a config: what it takes is Snakemake's own share. Every run is a process of its
own; the figures are what the kernel says of it (`wait4`), the least of the runs.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
EMPTY = """
rule all:
    input: expand("samples/{{tile}}.zarr", tile=range({tiles}))
rule cube:
    output: directory("cubes/{{tile}}.zarr")
    log: "logs/cube/{{tile}}.log"
    benchmark: "benchmarks/cube/{{tile}}.tsv"
    message: "Cube {{wildcards.tile}} (log: {{log}})"
    shell: "make {{output}}"
rule patches:
    input: "cubes/{{tile}}.zarr"
    output: directory("samples/{{tile}}.zarr")
    log: "logs/patches/{{tile}}.log"
    benchmark: "benchmarks/patches/{{tile}}.tsv"
    message: "Samples {{wildcards.tile}} (log: {{log}})"
    shell: "make {{input}} {{output}}"
"""


def config(tiles: int) -> str:
    """The demo with so many tiles in one of its areas."""
    values = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    area = values["areas"]["river_2020"]
    west, south, _, _ = area["bounds"]
    height = math.sqrt(tiles) * 1260 * 1.35 / 111_000  # degrees; a third to spare
    width = height / math.cos(math.radians(south))
    area["bounds"] = [west, south, west + width, south + height]
    area["tiles"]["count"] = tiles
    return yaml.safe_dump(values)


def dry_run(folder: Path, *options: str) -> tuple[float, float]:
    """CPU seconds and gigabytes of a dry run in a folder."""
    call = [sys.executable, "-m", "snakemake", "--cores", "2", "--dry-run"]
    command = [*call, "--directory", str(folder), *options]
    said = (folder / "said.txt").open("wb")
    process = subprocess.Popen(command, stdout=said, stderr=said, cwd=ROOT)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit((folder / "said.txt").read_text()[-2000:])
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6


def main() -> dict[str, dict[str, Any]]:
    """Measure; see the head of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tiles", type=int, default=2000)
    parser.add_argument("--times", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.yaml").write_text(config(chosen.tiles))
        (folder / "empty.smk").write_text(EMPTY.format(tiles=chosen.tiles))
        runs = {
            "this workflow": ("--configfile", str(folder / "config.yaml")),
            "an empty one": ("--snakefile", str(folder / "empty.smk")),
        }
        found: dict[str, list[tuple[float, float]]] = {which: [] for which in runs}
        for _ in range(chosen.times):
            for which, options in runs.items():
                found[which].append(dry_run(folder, *options))
    least = {
        which: tuple(min(values) for values in zip(*figures, strict=True))
        for which, figures in found.items()
    }
    for which, (seconds, gigabytes) in least.items():
        print(f"{chosen.tiles} tiles, {which}: {seconds:.1f} s, {gigabytes:.2f} GB")
    (ours, _), (empty, _) = least.values()
    return {
        f"dry run of {chosen.tiles} tiles": {
            "value": ours,
            "unit": "s",
            "against": f"an empty workflow, {empty:.1f} s",
            "ratio": ours / empty,
        }
    }


if __name__ == "__main__":
    main()
