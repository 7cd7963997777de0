"""What pydantic found wrong -> one line a mistake, as `path.of.key: message (line 7)`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sitsformer.config.meaning import kinds

GONE = {
    "pretrain.ssl_weight": "no such key; write weights: {dual: {cross_view: 0.5}}",
    "pretrain.sl_weight": "no such key; write weights: {dual: {landcover: 0.5}}",
    "fewshot.recipe.learning_rate": "no such key; the rates of the sweep are learning_rates",
    "fewshot.recipe.decay": "no such key; a cell is one epoch, and decay goes by epochs",
}
"""Keys that people expect, and what to use."""

SHAPES = {
    "tuple_type": "a list, as [a, b]",
    "dict_type": "a section of keys",
    "model_type": "a section of keys",
    "model_attributes_type": "a section of keys",
}
"""pydantic's types of errors -> what a value should be, in the words of YAML."""

ASKED = "Input should be "
"""How pydantic begins to say what it wanted."""


def mistakes(
    error: ValidationError,
    values: Mapping[str, Any],
    model: type[BaseModel],
    lines: Mapping[str, int],
) -> Iterator[str]:
    """One line a mistake; what several types of one key say becomes one line."""
    found: dict[str, list[str]] = {}
    inputs: dict[str, object] = {}
    for item in error.errors():
        if item["type"] == "too_short" and item["input"]:
            continue  # its entries have mistakes of their own
        path = ".".join(_path(item, values))
        for message in _message(item, path, model).split("\n"):
            known = found.setdefault(path if path else message.partition(": ")[0], [])
            text = message if path else message.partition(": ")[2]
            if text not in known:
                known.append(text)
            if item["type"] not in ("extra_forbidden", "missing"):
                inputs[path] = item["input"]
    for path, messages in found.items():
        yield from _written(path, messages, inputs.get(path), lines)


def _written(
    path: str, messages: list[str], value: object, lines: Mapping[str, int]
) -> Iterator[str]:
    line = _line(path, lines)
    where = f" (line {line})" if line else ""
    asked = [text for text in messages if text.startswith(ASKED)]
    if asked:
        text = f"{ASKED}{' or '.join(text.removeprefix(ASKED) for text in asked)}"
        if isinstance(value, (str, int, float)):
            text += f", found {value!r}" if len(repr(value)) <= 60 else ""
        yield f"{path}: {text}{where}"
    for text in messages:
        if text not in asked:
            yield f"{path}: {text}{where}"


def _line(path: str, lines: Mapping[str, int]) -> int | None:
    """Line of a key, or of the nearest section around it."""
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines.get(path)


def _path(item: ErrorDetails, values: Any) -> Iterator[str]:
    """Keys that lead to a mistake, without pydantic's names of types."""
    here = values
    for position, part in enumerate(item["loc"]):
        last = position == len(item["loc"]) - 1
        known = isinstance(here, Mapping) and part in here
        known |= isinstance(here, (list, tuple)) and isinstance(part, int) and part < len(here)
        if known:
            here = here[part]
        if known or (last and item["type"] == "missing"):
            yield str(part)


def _message(item: ErrorDetails, path: str, model: type[BaseModel]) -> str:
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] in SHAPES:
        return f"{ASKED}{SHAPES[item['type']]}"
    if item["type"] == "extra_forbidden":
        if path in GONE:
            return GONE[path]
        near = difflib.get_close_matches(path.rpartition(".")[2], _keys(model), 1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        return f"unknown key{meant}; `sitsformer config docs` writes a table of every key"
    if item["type"] == "missing":
        entry = isinstance(item["loc"][-1], int)
        return "one more entry is wanted here" if entry else "this key must be given"
    if item["type"] == "too_short":
        return "nothing stands here; one entry at least is wanted"
    return message


def _keys(model: type[BaseModel]) -> set[str]:
    """Names of the keys of a section and of every section below it."""
    found = set(model.model_fields)
    for field in model.model_fields.values():
        for kind in kinds(field.annotation):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found |= _keys(kind)
    return found
