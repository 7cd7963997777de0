"""Registries: records of one type, found in the modules of a package, one small module a record.

    PRODUCTS = records("sitsformer.labels", LabelProduct)

To add a record is to add a module: whatever value of the type stands at its top level is found,
under any name, several in a module if they belong together. There is no list to extend. Modules are
imported to be looked through, so they must be light: what is heavy is imported inside functions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from traceback import extract_tb
from types import MappingProxyType, ModuleType
from typing import Any, Protocol, TypeVar

from sitsformer.errors import SitsError


class RegistryError(SitsError):
    """A name that no record has, or that two have, or a module that cannot be looked through."""


class Record(Protocol):
    """What a record needs: a name. Where it has an `order`, too, that one sorts before the name."""

    @property
    def name(self) -> str:
        """What the record is called in a config."""
        ...


R = TypeVar("R", bound=Record)


def records(package: str, kind: type[R]) -> Mapping[str, R]:
    """Records of a type by name, sorted by their `order` if they have one, then by name.

    Raises:
        RegistryError: two records have one name, or a module cannot be imported.
    """
    return _found(package, kind)


def find(known: Mapping[str, R], name: str, what: str) -> R:
    """The record of a name.

    Raises:
        RegistryError: there is none; the message says which there are.
    """
    if name not in known:
        raise RegistryError(unknown(what, name, known))
    return known[name]


def unknown(what: str, name: str, known: Collection[str]) -> str:
    """The message about a name that nothing known has."""
    near = get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {what} {name!r}; known are {sorted(known)}{hint}"


def forget() -> None:
    """Look through the packages again at the next call: their modules have changed."""
    _found.cache_clear()


@cache
def _found(package: str, kind: type[Any]) -> Mapping[str, Any]:
    found: dict[str, tuple[Any, str]] = {}
    for item in iter_modules(import_module(package).__path__, f"{package}."):
        for record in vars(_module(item.name)).values():
            if not isinstance(record, kind):
                continue
            # A module may import the record of another one: that is the same record.
            other, place = found.setdefault(record.name, (record, item.name))
            if other is not record:
                raise RegistryError(
                    f"two records of {package} are called {record.name!r}, in {place} and in "
                    f"{item.name}: rename one"
                )
    ordered = sorted(found.values(), key=lambda pair: (getattr(pair[0], "order", 0), pair[0].name))
    return MappingProxyType({record.name: record for record, _ in ordered})


def _module(name: str) -> ModuleType:
    """A module; what is wrong with it is said as everything else is, with file and line."""
    try:
        return import_module(name)
    except SitsError:
        raise
    except Exception as error:
        frames = extract_tb(error.__traceback__)
        own = [item for item in frames if item.filename.endswith(f"{name.rsplit('.')[-1]}.py")]
        last = (own or frames)[-1]
        place = "" if isinstance(error, SyntaxError) else f" ({last.filename}, line {last.lineno})"
        raise RegistryError(
            f"{name} cannot be imported: {type(error).__name__}: {error}{place}; mend it"
        ) from error
