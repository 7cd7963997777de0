"""The wheel carries the workflow: `sitsformer init` and `snakemake` without a checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from workflow import ROOT, tiny

from sitsformer.cli import contents
from sitsformer.config import parse
from sitsformer.paths import Paths


def test_init_writes_what_snakemake_starts_from_and_overwrites_nothing(tmp_path: Path) -> None:
    runner = CliRunner()
    folder = tmp_path / "my crops"
    assert runner.invoke(contents, ["init", str(folder)]).exit_code == 0
    assert "module crops:" in (folder / "workflow" / "Snakefile").read_text()
    parse(yaml.safe_load((folder / "config" / "config.yaml").read_text()))
    (folder / "config" / "config.yaml").write_text("mine")
    (folder / "workflow" / "Snakefile").unlink()
    result = runner.invoke(contents, ["init", str(folder)])
    assert "exists" in str(result.exception)
    assert (folder / "config" / "config.yaml").read_text() == "mine"
    assert not (folder / "workflow" / "Snakefile").exists()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    call = ["pip", "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    result = subprocess.run(
        [sys.executable, "-m", *call], capture_output=True, text=True, check=False
    )
    if result.returncode and "hatchling" in result.stderr:
        pytest.skip("the build backend cannot be fetched")
    assert result.returncode == 0, result.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an empty environment with the wheel in it.

    What the package depends on is that of the environment of the tests, seen through a path file;
    the checkout is not: path files of folders that are seen so are not read.
    """
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True)
    own = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    (Path(own) / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def run(python: Path, folder: Path, *words: str) -> str:
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run(
        [python, "-m", *words], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.mark.long
def test_the_wheel_has_the_workflow_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for path in sorted((ROOT / "workflow").rglob("*")):
        if path.is_file() and path.parts[-2] != "notebooks":
            assert f"sitsformer/{path.relative_to(ROOT)}" in names
    assert "sitsformer/config/config.yaml" in names
    assert not [name for name in names if "tests/" in name or "__pycache__" in name]


@pytest.mark.long
def test_the_installed_workflow_runs_without_a_checkout(python: Path, tmp_path: Path) -> None:
    where = run(python, tmp_path, "sitsformer", "init", "my crops")
    assert "config.yaml" in where
    folder = tmp_path / "my crops"
    said = run(python, folder, "snakemake", "--cores", "2", "--dry-run")
    assert re.search("^cube +12$", said, re.MULTILINE)
    assert "workflow/profiles/default" in said
    assert str(ROOT / "workflow") not in said and str(ROOT / "src") not in said
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(tiny()))
    store = Paths(parse(tiny())).tile_stores("crops")[0]
    run(python, folder, "snakemake", "--cores", "2", "--", store)
    assert (folder / store / "provenance.json").is_file()
