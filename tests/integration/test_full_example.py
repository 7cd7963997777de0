"""The full example from areas to report, with a thousandth of its steps, as its rehearsal says."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from workflow import ROOT

from sitsformer.config import load_all
from sitsformer.costs import job_of, mem_mb
from sitsformer.paths import Paths

pytestmark = pytest.mark.long

FULL = ROOT / "config" / "examples" / "full.yaml"
REHEARSAL = ROOT / "config" / "examples" / "rehearsal" / "full.yaml"
DIFFERS = {"areas", "compute", "evaluation", "fewshot", "maps", "pretrain", "results", "sets"}
"""Sections of the rehearsal: what the network is and how it learns stays."""


def test_the_rehearsal_is_the_same_run_but_smaller() -> None:
    assert set(yaml.safe_load(REHEARSAL.read_text())) == DIFFERS
    full, small = load_all([FULL]), load_all([FULL, REHEARSAL])
    assert set(small.areas) == set(full.areas)
    for section in ("model", "patches"):
        assert getattr(small, section) == getattr(full, section)
    assert small.maps == full.maps.model_copy(update={"shots": 1})
    assert small.pretrain.recipe == full.pretrain.recipe
    assert small.pretrain.objectives == full.pretrain.objectives
    learners = [{(one.method, one.init, one.adaptation) for one in Paths(config).learners()}
                for config in (full, small)]  # fmt: skip
    assert learners[0] == learners[1]
    assert small.fewshot.learning_rates == full.fewshot.learning_rates
    paths = Paths(full)
    steps = full.pretrain.epochs * 80 * 12_000 * 0.95 / full.pretrain.batch_size
    least = small.pretrain.epochs * 2 * 100 * 0.7 / small.pretrain.batch_size
    assert 0 < least < steps / 1000
    assert small.fewshot.steps_for(10**6) == 1
    assert full.fewshot.steps_for(len(paths.tiles("illinois_2021")) * 4000) > 1000


def test_the_full_example_finishes(tmp_path: Path, warm: dict[str, str]) -> None:
    """Cells of inits whose network is another's have their imports behind them: not measured.

    Every other job is, those of all objectives, adaptations and baselines among them.
    """
    config = load_all([FULL, REHEARSAL])
    paths = Paths(config)
    alike = tuple(f"/{init}-p0-" for init in config.fewshot.inits if init not in ("none", "dual"))
    cells = [cell for cell in paths.cells() if any(init in cell for init in alike)]
    assert len(cells) == 4 * 3
    run(tmp_path, "--", *paths.pretrained(), paths.samples("crops"))
    run(tmp_path, "--", *cells, env=warm)
    run(tmp_path)
    results = tmp_path / "results-rehearsal"
    assert (results / "report.html").stat().st_size > 10_000
    assert (results / "maps" / "illinois_2021" / "illinois_2021.tif").exists()
    with (results / "tables" / "fewshot.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(list(paths.learners()))
    _within_what_was_asked_for(tmp_path, paths, alike)


def run(folder: Path, *targets: str, env: dict[str, str] | None = None) -> None:
    call = [
        *(sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", ROOT / "Snakefile"),
        *("--directory", folder, "--configfile", FULL, REHEARSAL, *targets),
    ]
    result = subprocess.run(
        call, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | (env or {})
    )
    assert result.returncode == 0, result.stdout + result.stderr


def _within_what_was_asked_for(folder: Path, paths: Paths, unmeasured: tuple[str, ...]) -> None:
    """No job took more memory than its rule asks for at the first attempt."""
    root = folder / paths.results / "benchmarks"
    names = {
        "cube": ("area", "tile"),
        "patches": ("set", "area", "tile"),
        "merge": ("set",),
        "fewshot": ("learner", "shots", "seeds"),
        "baseline": ("learner", "shots", "seeds"),
        "map": ("area", "tile"),
        "mosaic": ("area",),
    }
    files = [
        path for path in sorted(root.rglob("*.tsv"))
        if not any(init in path.as_posix() for init in unmeasured)
    ]  # fmt: skip
    assert len(files) > 30
    for path in files:
        rule, *parts = path.relative_to(root).with_suffix("").parts
        wildcards = dict(zip(names.get(rule, ()), parts, strict=False))
        with path.open() as stream:
            (row,) = csv.DictReader(stream, delimiter="\t")
        asked = mem_mb(job_of(paths, rule, wildcards), paths.config.compute, 1)
        assert float(row["max_rss"]) < asked, path
