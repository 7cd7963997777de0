"""The examples in docstrings of what docs/api.md lists, run as doctests beside a small model."""

from __future__ import annotations

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

import made_run
import phenology
from sitsformer.anymodel import load_model
from sitsformer.model.network import SITSFormer

ROOT = Path(__file__).parents[2]
PUBLIC = {
    "load_model": load_model,
    "SITSFormer.predict": SITSFormer.predict,
    "SITSFormer.embed": SITSFormer.embed,
}

ELSEWHERE = {"init": "tests/integration/test_earthengine_notebook.py"}
"""What asks for a map that somebody draws on, and the test that does."""


@pytest.mark.parametrize("name", PUBLIC)
def test_examples_hold(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_run.make_model(tmp_path / "results" / "models" / "crop", "classification", phenology.NAMES)
    monkeypatch.chdir(tmp_path)
    (found,) = doctest.DocTestFinder(recurse=False).find(PUBLIC[name], name, globs={})
    assert found.examples, f"{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    runner.run(found)
    assert runner.failures == 0


def test_all_that_is_public_is_looked_at() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    listed = re.findall(
        r"^::: (\S+)(?:\n    options:\n      members: \[(.*)\])?", page, re.MULTILINE
    )
    names = set()
    for path, members in listed:
        module, _, name = path.rpartition(".")
        assert getattr(import_module(module), name)
        names |= {f"{name}.{one}" for one in members.split(", ")} if members else {name}
    assert names == set(PUBLIC) | set(ELSEWHERE)
    assert all((ROOT / path).is_file() for path in ELSEWHERE.values())
