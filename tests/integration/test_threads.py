"""A job takes the threads that its rule gives it: rules hand them on, every library is told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from dryruns import ROOT, DryRuns
from workflow import tiny

import phenology

WORKFLOW = "\n".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
RULES = re.findall(r"^ *rule (\w+):", WORKFLOW, re.MULTILINE)
"""Each calls the command of its name, but for `crop_model`, which has a log of that name."""
EMBEDDINGS = [rule for rule in RULES if rule.startswith("embedded_")]

REPORTER = """
import json, os, sys
import numpy as np
import dask, numcodecs.blosc, sklearn.ensemble, threadpoolctl, torch, zarr
from rasterio.env import get_gdal_config
from sitsformer import threads
from sitsformer.baselines import Baseline

def fit(task, choice):
    pools = threadpoolctl.threadpool_info()
    json.dump({
        "own": threads.count(),
        "torch": torch.get_num_threads(),
        "pools": sorted({pool["num_threads"] for pool in pools}),
        "kinds": len({pool["user_api"] for pool in pools}),
        "blosc": numcodecs.blosc.use_threads,
        "gdal": get_gdal_config("GDAL_NUM_THREADS"),
        "dask": dask.config.get("num_workers"),
        "zarr": zarr.config.get("threading.max_workers"),
        "primitives": os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"],
    }, open(os.environ["REPORT"], "w"))
    return lambda series: np.full((len(series), task.classes), 1 / task.classes)

BASELINES = {"mine": Baseline(lambda task: [{}], fit)}
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phenology.write(tmp_path_factory.mktemp("threads") / "made.zarr", phenology.make(120))


@pytest.mark.parametrize("wanted", [1, 2])
def test_every_library_of_a_process_is_told(store: Path, tmp_path: Path, wanted: int) -> None:
    own = tmp_path / "mine.py"
    own.write_text(REPORTER)
    config, found = tmp_path / "config.yaml", tmp_path / "found.json"
    sections = {
        "sets": {"made": {"store": str(store)}},
        "pretrain": {"set": "made", "overlap": "labels"},
        "fewshot": {"set": "made", "baselines": ["mine"], "options": {"mine": {"file": str(own)}}},
    }
    config.write_text(yaml.safe_dump(sections))
    asked = (
        *(sys.executable, "-m", "sitsformer", "baseline", "--config", config, "--samples", store),
        *("--method", "mine", "--shots", "2", "--seeds", "0", "--out", tmp_path / "o.parquet"),
    )
    # Snakemake, or a user's shell, may have said something else before.
    environment = {"SITSFORMER_THREADS": str(wanted), "REPORT": str(found), "OMP_NUM_THREADS": "7"}
    done = subprocess.run(
        [str(word) for word in asked], env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(found.read_text())
    assert said.pop("kinds") >= 2  # BLAS and OpenMP
    assert said == {
        "own": wanted, "torch": wanted, "pools": [wanted], "blosc": False, "gdal": wanted,
        "dask": wanted, "zarr": wanted, "primitives": "64",
    }  # fmt: skip


@pytest.mark.parametrize("given", ["many", "0", "-1", "1.5"])
def test_what_is_no_number_of_threads_is_refused(given: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sitsformer", "check", str(tmp_path)],
        env=os.environ | {"SITSFORMER_THREADS": given}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 3
    assert f"SITSFORMER_THREADS is '{given}'" in done.stderr and "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """Rule -> the shell commands of its jobs, where every rule is given two threads."""
    folder = tmp_path_factory.mktemp("rules")
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(tiny()))
    given = [f"{name}=2" for name in RULES]
    with DryRuns() as dry:
        status, said = dry.run(
            folder, config, "--dry-run", "--printshellcmds", "--forceall", "--set-threads", *given
        )
    assert status == 0, said
    found: dict[str, list[str]] = {}
    for line in re.findall(r"^Shell command: (.*job\.sh.*)$", said, re.MULTILINE):
        job = re.search(r"job\.sh \d+ \S*?logs/(crop_model)?\S*\.log ([\w-]+) ", line)
        assert job is not None, line
        found.setdefault(job[1] or job[2], []).append(line)
    yield found


@pytest.mark.long
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_hands_its_threads_on(rule: str, commands: dict[str, list[str]]) -> None:
    if rule in [*EMBEDDINGS, "fit"]:  # which need a product, a raster or controls: their text alone
        shell = WORKFLOW.split(f"rule {rule}:")[1].split("shell:")[1]
        assert shell.lstrip().startswith('"SITSFORMER_THREADS={threads} '), shell
        return
    assert commands[rule]
    for line in commands[rule]:
        assert line.startswith("SITSFORMER_THREADS=2 "), line
