"""The tests of this folder run by `make test-slurm` alone: they start a Slurm of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from slurm.cluster import ROOT, TINY, Run
from slurm.node import Node, missing

if "TEST_SLURM" not in os.environ:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session", autouse=True)
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A Slurm of one node; without one nothing here passes."""
    if find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.exit('no Slurm plugin of Snakemake: pip install -e ".[cluster]"', returncode=1)
    if (reason := missing()) is not None:
        pytest.exit(reason, returncode=1)
    with Node(tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest.fixture(scope="session")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workflow of somebody who runs it on the login node, too, with a profile for that."""
    folder = tmp_path_factory.mktemp("work flow")
    shutil.copytree(ROOT / "workflow", folder / "workflow")
    shutil.copytree(ROOT / "config", folder / "config")
    default = folder / "workflow" / "profiles" / "default" / "config.yaml"
    default.write_text(default.read_text() + "cores: 1\nset-threads:\n  pretrain: 1\nretries: 0\n")
    return folder


@pytest.fixture(scope="session")
def with_samples(workflow: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cubes and samples of the tiny config, made without Slurm."""
    folder = tmp_path_factory.mktemp("samples")
    (folder / "config.yaml").write_text(TINY.read_text())
    call = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(workflow / "workflow/Snakefile")),
        *("--directory", str(folder), "--configfile", str(folder / "config.yaml")),
        *("--cores", "2", "--until", "merge"),
    ]
    subprocess.run(call, check=True, capture_output=True)
    return folder


@pytest.fixture
def run(workflow: Path, with_samples: Path, tmp_path: Path) -> Iterator[Run]:
    """Runs by Slurm in a folder of their own, where samples are there."""
    folder = tmp_path / "run"
    shutil.copytree(with_samples, folder, symlinks=True)
    running = Run(folder, workflow / "workflow")
    yield running
    running.end()
