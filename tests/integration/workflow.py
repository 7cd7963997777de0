"""Running the real workflow in a process of its own, and reading what Snakemake says of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
TINY: dict[str, Any] = yaml.safe_load((ROOT / "tests" / "integration" / "tiny.yaml").read_text())


def tiny(**changes: Any) -> dict[str, Any]:
    """The tiny config with some keys changed, given as `section__key=value`."""
    values = deepcopy(TINY)
    for path, value in changes.items():
        *parents, last = path.split("__")
        section = values
        for key in parents:
            section = section.setdefault(key, {})
        section[last] = value
    return values


def command(folder: Path, values: dict[str, Any], *options: str) -> list[str]:
    """A `snakemake` call that works in `folder`, with the config written beside the results."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(values))
    return [
        sys.executable,
        "-m",
        "snakemake",
        "--cores",
        "2",
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--directory",
        str(folder),
        "--configfile",
        str(config),
        *options,
    ]


def run(
    folder: Path, values: dict[str, Any], *options: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the workflow, or part of it, and wait; `env` beside what the environment has."""
    return subprocess.run(
        command(folder, values, *options),
        capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | (env or {}),
    )  # fmt: skip


def planned(folder: Path, values: dict[str, Any], *options: str) -> dict[str, int]:
    """Rule -> number of jobs of a dry run's job table, without `all` and the total."""
    result = run(folder, values, "--dry-run", *options)
    assert result.returncode == 0, result.stdout + result.stderr
    text = result.stdout + result.stderr
    table = re.search(r"job +count\n-+ +-+\n(.*?)\ntotal", text, re.DOTALL)
    if table is None:
        assert "Nothing to be done" in text, text
        return {}
    jobs = (line.split() for line in table.group(1).splitlines())
    return {name: int(count) for name, count in jobs if name != "all"}


def contents(folder: Path) -> dict[str, bytes]:
    """Every artefact of a results folder by its path; logs and timings left out."""
    results = folder / "results"
    skipped = ("logs", "benchmarks", "checkpoints")
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in sorted(results.rglob("*"))
        if path.is_file()
        and path.relative_to(results).parts[0] not in skipped
        and path.name != ".snakemake_timestamp"
    }
