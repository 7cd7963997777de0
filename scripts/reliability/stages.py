"""A finished tiny run, and each of its stages as a command with inputs and an output."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sitsformer.config import load
from sitsformer.fewshot import parse_learner
from sitsformer.paths import Paths

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "tests" / "integration" / "tiny.yaml"


@dataclass(frozen=True)
class Stage:
    """A command of the workflow.

    Attributes:
        name: of the command.
        inputs: artefacts that it reads.
        output: file or folder that it makes in the run.
        arguments: inputs (in their order) and output -> what stands behind `sitsformer`.
    """

    name: str
    inputs: tuple[Path, ...]
    output: Path
    arguments: Callable[[list[Path], Path], list[str]]


def finished_run(folder: Path) -> Path:
    """Run the tiny workflow in a folder, once; returns the folder."""
    if not (folder / "results" / "report.html").exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(CONFIG, folder / "config.yaml")
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "all"]
        command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
        command += ["--configfile", str(folder / "config.yaml")]
        subprocess.run(command, check=True, cwd=folder)
    return folder


def stages(run: Path) -> list[Stage]:
    """Every stage once, on the artefacts of the run."""
    layout = Paths(load(run / "config.yaml"))
    config = ["--config", str(run / "config.yaml")]
    cube = run / layout.cubes("crops")[0]
    area, tile = cube.parent.name, cube.stem
    tiles = tuple(run / path for path in layout.tile_stores("crops"))
    samples, land = (run / layout.samples(name) for name in ("crops", "landcover"))
    model = run / layout.model("dual", 0)
    cells = tuple(run / path for path in layout.cells())
    tables = run / layout.results / "tables"
    mapped = next(iter(load(run / "config.yaml").maps.tiles))
    tile_map = run / layout.tile_maps(mapped, "classes")[0]
    area_map = run / layout.area_map(mapped, "classes")
    mapped_cube = run / layout.mapped_cubes(mapped)[0]
    learner = parse_learner("dual-p0-full")
    sweep = ["fewshot", *config, "--init", "dual", "--pretrain-seed", "0"]
    sweep += ["--adaptation", learner.adaptation, "--shots", "2"]
    return [
        Stage("cube", (), cube, lambda i, o: ["cube", *config, area, tile, str(o)]),
        Stage(
            "patches", (cube,), tiles[0],
            lambda i, o: ["patches", *config, "crops", area, tile, str(i[0]), str(o)],
        ),
        Stage(
            "merge", tiles, samples,
            lambda i, o: ["merge", *config, "crops", str(o), *map(str, i)],
        ),
        Stage(
            "pretrain", (land,), model,
            lambda i, o: ["pretrain", *config, "--objective", "dual", "--seed", "0", "--samples",
                          str(i[0]), "--checkpoint", f"{o}-checkpoint", "--out", str(o)],
        ),
        Stage(
            "fewshot", (samples, model), cells[-1],
            lambda i, o: [*sweep, "--seeds", "0-1", "--samples", str(i[0]), "--init-model",
                          str(i[1]), "--out", str(o)],
        ),
        Stage(
            "crop model", (samples, model), run / layout.results / "models" / "crop",
            lambda i, o: [*sweep, "--seeds", "0-0", "--samples", str(i[0]), "--init-model",
                          str(i[1]), "--save-model", str(o)],
        ),
        Stage(
            "baseline", (samples,), cells[-1],
            lambda i, o: ["baseline", *config, "--method", "nearest_centroid", "--shots", "2",
                          "--seeds", "0-1", "--samples", str(i[0]), "--out", str(o)],
        ),
        Stage(
            "evaluate", (samples, land, *cells), tables,
            lambda i, o: ["evaluate", *config, "--samples", str(i[0]), "--pretrain-samples",
                          str(i[1]), "--out", str(o), *map(str, i[2:])],
        ),
        Stage(
            "map", (run / layout.results / "models" / "crop", mapped_cube), tile_map,
            lambda i, o: ["map", *config, "--model", str(i[0]), "--cube", str(i[1]), "--out",
                          str(o)],
        ),
        Stage(
            "mosaic", (run / layout.results / "models" / "crop", samples, tile_map), area_map,
            lambda i, o: ["mosaic", *config, "--model", str(i[0]), "--samples", str(i[1]), "--out",
                          str(o), str(i[2])],
        ),
        Stage(
            "report", (tables, cube, samples, land, model, area_map),
            run / layout.results / "report.html",
            lambda i, o: ["report", *config, "--tables", str(i[0]), "--figures",
                          str(o.parent / "figures"), "--out", str(o), *map(str, i[1:])],
        ),
    ]  # fmt: skip
