"""Records found in the modules of a package, by themselves."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sitsformer import registry
from sitsformer.registry import RegistryError, find, records

HEAD = "from test_registry import Ship, Plain\n"


@dataclass(frozen=True)
class Ship:
    name: str
    order: int = 0


@dataclass(frozen=True)
class Plain:
    name: str


Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write modules of the package `fleet`: file name without ending -> text."""
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "test_registry", sys.modules[__name__])

    def writer(**modules: str) -> None:
        for name, text in modules.items():
            (tmp_path / "fleet" / f"{name}.py").write_text(HEAD + text)
        importlib.invalidate_caches()
        registry.forget()

    yield writer
    for name in [name for name in sys.modules if name.split(".")[0] == "fleet"]:
        del sys.modules[name]
    registry.forget()


def test_every_module_is_looked_through_under_any_name(write: Write) -> None:
    write(b="ONE = Ship('one')\nTWO = Ship('two')\n", a="ship = Ship('three')\n", c="X = 1\n")
    found = records("fleet", Ship)
    assert list(found) == ["one", "three", "two"]
    assert found["two"] == Ship("two")
    assert records("fleet", Ship) is found


def test_an_order_goes_before_the_name(write: Write) -> None:
    write(a="A = Ship('a', 9)\nC = Ship('c', 1)\n", b="B = Ship('b', 9)\n")
    assert list(records("fleet", Ship)) == ["c", "a", "b"]


def test_only_records_of_the_type_are_found(write: Write) -> None:
    write(a="A = Ship('a')\nP = Plain('p')\n")
    assert list(records("fleet", Plain)) == ["p"]


def test_a_record_that_another_module_imports_is_one_record(write: Write) -> None:
    write(a="A = Ship('a')\n", b="from fleet.a import A\n")
    assert list(records("fleet", Ship)) == ["a"]


def test_two_records_of_one_name_are_refused_with_their_places(write: Write) -> None:
    write(a="A = Ship('same')\n", b="B = Ship('same')\n")
    with pytest.raises(RegistryError, match=r"'same', in fleet\.a and in fleet\.b: rename one"):
        records("fleet", Ship)


def test_nobody_changes_what_was_found(write: Write) -> None:
    write(a="A = Ship('a')\n")
    with pytest.raises(TypeError):
        records("fleet", Ship)["b"] = Ship("b")  # type: ignore[index]


def test_an_unknown_name_is_answered_with_the_known_ones(write: Write) -> None:
    write(a="A = Ship('galleon')\n", b="B = Ship('brig')\n")
    assert find(records("fleet", Ship), "brig", "ship").name == "brig"
    with pytest.raises(RegistryError, match=r"unknown ship 'galeon'; .*\['brig', 'galleon'\]; did"):
        find(records("fleet", Ship), "galeon", "ship")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A = Ship(\n", r"fleet\.a cannot be imported: SyntaxError: .*a\.py, line 2"),
        ("A = Ship()\n", r"TypeError: .* missing 1 required .*'name' .*a\.py, line 2\)"),
        ("import nowhere_at_all\n", r"ModuleNotFoundError: .*nowhere_at_all"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_with_its_line(
    write: Write, text: str, message: str
) -> None:
    write(a=text)
    with pytest.raises(RegistryError, match=message):
        records("fleet", Ship)
