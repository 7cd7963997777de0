"""`make env` makes an environment, brings one up to date, and wipes none."""

from __future__ import annotations

import os
import re
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


def release(folder: Path, version: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "release", f"VERSION={version}"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_release_is_a_tag_with_its_notes_and_only_where_all_agree(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        done = subprocess.run(
            ["git", *who, *words], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout

    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n')
    (tmp_path / "CITATION.cff").write_text("version: 0.2.0\n")
    changes = (
        "# Changes\n\n## 0.2.0 ({})\n\n### Maps\n\n- Faster.\n\n## 0.1.0 (2026-01-01)\n\n- First.\n"
    )
    (tmp_path / "CHANGELOG.md").write_text(changes.format("unreleased"))
    git("init", "-q")
    git("config", "user.name", "a")
    git("config", "user.email", "a@b.c")
    git("add", ".")
    git("commit", "-qm", "all")
    for version, said in (
        ("", "say which"), ("0.3.0", "pyproject.toml has another"), ("0.2.0", "has no line"),
    ):  # fmt: skip
        assert said in release(tmp_path, version).stdout
    (tmp_path / "CHANGELOG.md").write_text(changes.format("2027-03-01"))
    assert "commit your changes" in release(tmp_path, "0.2.0").stdout
    assert git("tag") == ""
    git("commit", "-qam", "dated")
    done = release(tmp_path, "0.2.0")
    assert done.returncode == 0, done.stderr
    notes = git("tag", "--list", "--format=%(contents)", "v0.2.0")
    assert notes.strip() == "## 0.2.0 (2027-03-01)\n\n### Maps\n\n- Faster."
    assert release(tmp_path, "0.2.0").returncode != 0  # there is one


def test_the_changelog_of_today_has_the_form_of_a_release() -> None:
    head = next(
        line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")
    )
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None and head.startswith(f"## {version[1]} (")
