"""Values that would be read as something else than what was written.

pydantic takes `true` for 1, a number for the seconds of a date, and an empty text for a text; YAML
takes `no` for false. Here they are refused, whatever the key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def refuse_misreadings(value: object, annotation: Any) -> None:
    """Refuse scalars that the type of a key would accept but cannot mean.

    Raises:
        ValueError: with what was found and how to write it.
    """
    wanted = kinds(annotation)
    if Any in wanted or any(isinstance(k, type) and issubclass(k, BaseModel) for k in wanted):
        return  # sections look at their own keys; options of baselines are not ours
    _refuse(value, wanted)


def refuse_doubles(value: object, annotation: Any) -> None:
    """Refuse an entry that stands twice in a list of any length.

    Raises:
        ValueError: names the entry.
    """
    if Ellipsis not in kinds(annotation):
        return
    for found in value.values() if isinstance(value, Mapping) else (value,):
        if isinstance(found, tuple):
            twice = next((item for i, item in enumerate(found) if item in found[:i]), None)
            if twice is not None:
                raise ValueError(f"{twice!r} stands twice; each may stand once")


def check_text(text: str) -> None:
    """Refuse texts that no path, pattern or name can be.

    Raises:
        ValueError: it is blank or holds a line break or another control character.
    """
    if not text.strip():
        raise ValueError("the text is empty; leave the key out where nothing is meant")
    if _CONTROL.search(text):
        raise ValueError(f"{text!r} holds a line break or another control character")


def kinds(annotation: Any) -> set[Any]:
    """The plain types that occur in an annotation; `...` where a list may have any length."""
    if get_origin(annotation) is Literal:
        return {type(item) for item in get_args(annotation)}
    inner = get_args(annotation)
    if not inner:
        return {annotation}
    if hasattr(annotation, "__metadata__"):
        inner = inner[:1]
    return set().union(*(kinds(item) for item in inner))


def _refuse(value: object, wanted: set[Any]) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _refuse(key, {str})
            _refuse(item, wanted)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse(item, wanted)
    elif isinstance(value, (bytes, set, frozenset)):
        raise ValueError(f"{type(value).__name__} is no value of a config; write text or a list")
    elif isinstance(value, bool):
        _refuse_truth(value, wanted)
    elif date in wanted:
        _refuse_no_date(value)
    elif isinstance(value, str):
        check_text(value)


def _refuse_truth(value: bool, wanted: set[Any]) -> None:
    if bool in wanted:
        return
    word = str(value).lower()
    if str in wanted:
        raise ValueError(
            f"found {word}: YAML reads yes, no, on, off, true and false so; where a word is meant, "
            "put it in quotes"
        )
    raise ValueError(f"found {word} where a number is wanted")


def _refuse_no_date(value: object) -> None:
    if not isinstance(value, date) and not (isinstance(value, str) and _DATE.fullmatch(value)):
        raise ValueError(f"{value!r} is not a date; write it as 2021-03-31 (year, month, day)")
