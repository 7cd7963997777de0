"""What jobs of the workflow ask for: what `plan` predicts, a GPU where the config says so."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow import ROOT, command, tiny

from sitsformer.config import load
from sitsformer.costs import job_of, jobs, mem_mb, runtime
from sitsformer.paths import Paths

SHOW = """
import json, sys
from snakemake import cli, jobs
def show(job, **_):
    asked = {key: job.resources.get(key) for key in ("mem_mb", "runtime", "gpu", "device")}
    print(json.dumps([job.rule.name, dict(job.wildcards_dict), asked]))
jobs.Job.log_info = show
cli.main(sys.argv[1:])
"""
Asked = list[tuple[str, dict[str, str], dict[str, Any]]]


def asked(folder: Path, values: dict[str, Any], *options: str) -> Asked:
    """Rule, wildcards and resources of each job of a dry run."""
    call = command(folder, values, "--dry-run", *options)
    call[1:3] = ["-c", SHOW]
    result = subprocess.run(call, capture_output=True, text=True, check=False, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    lines = [line for line in result.stdout.splitlines() if line.startswith("[")]
    return [tuple(json.loads(line)) for line in lines]


@pytest.mark.parametrize("name", ["tiny", "full"])
def test_jobs_ask_for_what_is_predicted(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = ROOT / "config" / "examples" / "full.yaml"
    values = tiny() if name == "tiny" else yaml.safe_load(full.read_text())
    found = asked(tmp_path, values)
    config = load(tmp_path / "config.yaml")
    # As the dry run: stores of a demo that was run here are not those of this folder.
    monkeypatch.chdir(tmp_path)
    paths, limits = Paths(config), config.compute
    for rule, wildcards, resources in found:
        if rule in ("all", "maps"):
            continue
        job = job_of(paths, rule, wildcards)
        assert resources["mem_mb"] == mem_mb(job, limits, 1), rule
        assert resources["runtime"] == runtime(job, limits, 1), rule
        assert bool(resources["gpu"]) == job.gpu, rule
    counted = {stage: sum(n for n, _ in several) for stage, several in jobs(paths).items()}
    rules = [rule for rule, _, _ in found if rule != "all"]
    assert {rule: rules.count(rule) for rule in set(rules)} == counted
    gpus = {rule for rule, _, resources in found if resources["gpu"]}
    assert gpus == (set() if name == "tiny" else {"pretrain", "fewshot", "crop_model", "map"})


def test_each_network_runs_on_what_the_config_says(tmp_path: Path) -> None:
    values = tiny(compute__device={"fewshot": "cpu", "baseline": "cuda"},
                  fewshot__baselines=["nearest_centroid", "temporal_cnn"])  # fmt: skip
    found = asked(tmp_path, values)
    devices = {rule: resources["device"] for rule, _, resources in found}
    assert devices["fewshot"] == "cpu"
    assert devices["baseline"] == "cuda"
    assert devices["pretrain"] == devices["map"] == "auto"
    learners = {
        w["learner"]: resources["gpu"] for rule, w, resources in found if rule == "baseline"
    }
    assert learners == {"nearest_centroid": 0, "temporal_cnn": 1}
