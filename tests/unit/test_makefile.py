"""`make env` makes an environment, brings one up to date, and wipes none."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STUB = """#!/bin/sh
echo "$0 $*" >> "{log}"
case "$*" in
  *"-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile beside a Python that only writes down what it is asked to do."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "python"
    python.write_text(STUB.format(log=tmp_path / "asked"))
    python.chmod(0o755)
    return tmp_path


def make(checkout: Path) -> tuple[int, list[str]]:
    """Exit status of `make env`, and what Pythons were asked."""
    log = checkout / "asked"
    log.unlink(missing_ok=True)
    status = subprocess.run(
        ["make", "env", f"PYTHON={checkout / 'python'}"], cwd=checkout, check=False
    ).returncode
    return status, log.read_text().splitlines() if log.exists() else []


def test_a_missing_environment_is_made_once(checkout: Path) -> None:
    status, asked = make(checkout)
    assert status == 0
    assert any("-m venv .venv" in line for line in asked)
    assert any("pip install" in line for line in asked)
    assert make(checkout) == (0, [])


def test_an_older_environment_is_brought_up_to_date_and_keeps_what_it_has(checkout: Path) -> None:
    make(checkout)
    (checkout / ".venv" / "mine").write_text("kept")
    os.utime(checkout / ".venv" / ".ready", (0, 0))
    status, asked = make(checkout)
    assert status == 0
    assert not any("venv" in line.split(" ", 1)[1] for line in asked)
    assert any("pip install" in line for line in asked)
    assert (checkout / ".venv" / "mine").read_text() == "kept"


def test_a_linked_environment_is_used_as_it_is(checkout: Path) -> None:
    make(checkout)
    (checkout / ".venv").rename(checkout / "elsewhere")
    (checkout / ".venv").symlink_to(checkout / "elsewhere")
    os.utime(checkout / "elsewhere" / ".ready", (0, 0))
    status, asked = make(checkout)
    assert status == 0
    assert not any("pip" in line or "venv .venv" in line for line in asked)
    assert (checkout / "elsewhere" / ".ready").stat().st_mtime == 0
