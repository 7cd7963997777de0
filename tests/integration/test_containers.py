"""`--sdm apptainer`: what Snakemake is told. No Apptainer runs here; a stand-in writes down how it
is called, and runs the job's command without a container."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from workflow import ROOT, command, tiny

import sitsformer
from sitsformer.config import parse
from sitsformer.paths import Paths

pytestmark = pytest.mark.long

STAND_IN = """#!/bin/bash
if [ "$1" = --version ]; then echo "apptainer version 1.3.4"; exit; fi
echo "$APPTAINER_BIND" >"$NOTES.bind"
echo "$@" >>"$NOTES"
while [ "$1" != my.sif ]; do shift; done
shift
exec "$@"
"""


def run(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The workflow up to a tile store, with the stand-in first on the PATH."""
    values = tiny()
    binaries = folder / "bin"
    binaries.mkdir(exist_ok=True)
    (binaries / "apptainer").write_text(STAND_IN)
    (binaries / "apptainer").chmod(0o755)
    path = os.pathsep.join([str(binaries), str(Path(sys.executable).parent), os.environ["PATH"]])
    target = Paths(parse(values)).tile_stores("crops")[0]
    return subprocess.run(
        command(folder, values, "--sdm", *options, "--", target),
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "PATH": path, "NOTES": str(folder / "notes"), **environment},
    )  # fmt: skip


def test_jobs_run_in_the_image_with_package_and_script_in_sight(tmp_path: Path) -> None:
    (tmp_path / "my.sif").write_text("an image")
    result = run(tmp_path, "apptainer", SITSFORMER_IMAGE="my.sif", APPTAINER_BIND="/data")
    assert result.returncode == 0, result.stdout + result.stderr
    assert len((tmp_path / "notes").read_text().splitlines()) == 2  # a cube, its samples
    shown = (tmp_path / "notes.bind").read_text().strip().split(",")
    package, script = Path(sitsformer.__file__).parent, ROOT / "workflow" / "job.sh"
    assert shown == ["/data", f"{package}:{package}:ro", f"{script}:{script}:ro"]


def test_without_an_image_it_is_said_how_to_make_one(tmp_path: Path) -> None:
    result = run(tmp_path, "apptainer")
    assert result.returncode != 0
    assert "apptainer build sitsformer.sif apptainer.def" in result.stdout + result.stderr
    assert not (tmp_path / "results").exists()


def test_an_image_and_conda_are_not_mixed(tmp_path: Path) -> None:
    result = run(tmp_path, "conda", "apptainer")
    assert result.returncode != 0
    assert "choose one of --sdm conda and --sdm apptainer" in result.stdout + result.stderr
