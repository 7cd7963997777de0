"""A YAML file -> plain values, and the line that each key stands in.

PyYAML keeps the last of two equal keys, takes `010` for 8 and `12:30` for 750, and makes a number
or false of a key like `2021` or `no`. Here such files are refused with the line, and keys are the
text that was written. Anchors, aliases and merge keys (`<<`) work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from sitsformer.config.base import ConfigError

LARGEST = 100_000
"""Values of a config at most, aliases written out: more is a mistake, or meant to fill memory."""

_MERGE = "tag:yaml.org,2002:merge"
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_OCTAL = re.compile(r"[-+]?0[0-7_]+")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with keys as they are written."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=deep) for key, value in node.value}

    def construct_day(self, node: yaml.ScalarNode) -> object:
        """A date; a day that no calendar has stays text, to be refused with the path of its key."""
        try:
            return self.construct_yaml_timestamp(node)
        except ValueError:
            return node.value


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_day)
# YAML 1.1 wants a point in a number with an exponent; people and YAML 1.2 do not.
_Loader.add_implicit_resolver(
    _FLOAT, re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"), list("-+.0123456789")
)


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Read a YAML file that holds a mapping.

    Returns:
        The values, and the line of each key by its path (`sets.crops.label` -> 14).

    Raises:
        ConfigError: the file cannot be read, is not UTF-8, or is not YAML with each key once.
    """
    text = _text(path)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            raise ConfigError(f"{path} is empty: a config has at least sets, pretrain and fewshot")
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{path} holds no mapping of keys: write `key: value` at the top")
        _check_size(node, {}, path)
        lines = dict(_lines(node, "", path, set()))
        values = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{path} is not YAML: {_described(error)}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        if isinstance(error, ConfigError):
            raise
        text = " ".join(str(error).split())
        raise ConfigError(f"{path} is not YAML: {text}") from None
    except RecursionError:
        raise ConfigError(f"{path} cannot be used: its values are nested too deeply") from None
    return values, lines


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(f"{path} is UTF-16 text: save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path} is not UTF-8 text (line {line}, byte 0x{data[error.start]:02x}): "
            "save it as UTF-8"
        ) from None


def _described(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    what = str(error.problem or error.context)
    if "'\\t'" in what:
        what += "; indent with spaces, not tabs"
    return where + what


def _check_size(node: yaml.Node, known: dict[int, int], path: Path) -> int:
    """Number of values below a node, aliases written out; refuses one that holds itself."""
    if id(node) in known:
        if known[id(node)] < 0:
            raise ConfigError(f"{path}: the anchor in {_line(node)} holds itself")
        return known[id(node)]
    known[id(node)] = -1
    size = 1 + sum(_check_size(child, known, path) for child in _children(node))
    if size > LARGEST:
        raise ConfigError(f"{path} holds more than {LARGEST:,} values, aliases written out")
    known[id(node)] = size
    return size


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _lines(node: yaml.Node, prefix: str, path: Path, done: set[int]) -> Iterator[tuple[str, int]]:
    """Path and line of every key and entry, each node once; refuses doubled keys and traps."""
    if id(node) in done:
        return
    done.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        _refuse_trap(node, path)
        return
    entries: list[tuple[str, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        first: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{path}: a key must be one word ({_line(key)})")
            if key.tag == _MERGE:
                continue
            if key.value in first:
                raise ConfigError(
                    f"{path}: the key {key.value!r} stands twice, in {_line(first[key.value])} and "
                    f"in {_line(key)}; keep one of them"
                )
            first[key.value] = key
            entries.append((key.value, key, value))
    else:
        entries = [(str(i), item, item) for i, item in enumerate(node.value)]
    for name, marked, value in entries:
        full = f"{prefix}.{name}" if prefix else name
        yield full, marked.start_mark.line + 1
        yield from _lines(value, full, path, done)


def _refuse_trap(node: yaml.ScalarNode, path: Path) -> None:
    if node.style is not None:
        return
    if node.tag == _INT and _OCTAL.fullmatch(node.value):
        why = "an octal number in YAML; write it without the 0 in front"
    elif node.tag in (_INT, _FLOAT) and ":" in node.value:
        why = "a number to the base of 60 in YAML"
    else:
        return
    raise ConfigError(f"{path}: {node.value} is {why}, or in quotes ({_line(node)})")


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"
