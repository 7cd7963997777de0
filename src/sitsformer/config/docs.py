"""The JSON schema and the table of keys, written from the config's own definitions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sitsformer.config import Config

SCHEMA_ID = "Dual SITS-Former config"


def schema() -> str:
    """JSON schema of the config (for editors: `# yaml-language-server: $schema=schema.json`)."""
    values = Config.model_json_schema()
    return json.dumps({"title": SCHEMA_ID, **values}, indent=2, sort_keys=True) + "\n"


def table() -> str:
    """`config/README.md`: every key with its type, default and meaning, a table a section."""
    config = Config.model_json_schema()
    definitions = config["$defs"]
    sections: dict[str, list[str]] = {}
    for key, spec, required in _keys(config, definitions, ""):
        default = "" if required else f"`{json.dumps(spec.get('default'))}`"
        row = f"| `{key}` | {_type(spec, definitions)} | {default} | {_meaning(spec)} |"
        sections.setdefault(key.partition(".")[0] if "." in key else "", []).append(row)
    lines = [
        "# Every key of the config",
        "",
        "Written by `sitsformer config docs` from `src/sitsformer/config/`; do not edit.",
        "`<name>` stands for a name of your choice. Keys without a default must be given.",
    ]
    for name, rows in sections.items():
        if name:
            spec = config["properties"][name]
            said = _meaning(spec) or _meaning(_section(spec, definitions) or {})
            lines += ["", f"## {name}", *(["", said] if said else [])]
        lines += ["", "| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows]
    return "\n".join(lines) + "\n"


def _meaning(spec: dict[str, Any]) -> str:
    """The description of a key or section in one line, fit for a cell of a table."""
    return " ".join(spec.get("description", "").split()).replace("|", "\\|")


def _keys(
    schema: dict[str, Any], definitions: dict[str, Any], prefix: str
) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Leaf keys of an object schema with their specs, sections opened up."""
    for name, spec in schema["properties"].items():
        key = f"{prefix}{name}"
        required = name in schema.get("required", [])
        section = _section(spec, definitions)
        entry = _section(spec.get("additionalProperties") or {}, definitions)
        if section is not None:
            if words := _words(spec):
                yield key, {**spec, "anyOf": words}, required
            yield from _keys(section, definitions, f"{key}.")
        elif entry is not None:
            yield from _keys(entry, definitions, f"{key}.<name>.")
        else:
            yield key, spec, required


def _words(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """What a key may be in the place of a section."""
    options = spec.get("anyOf", [])
    return [one for one in options if "$ref" not in one and one.get("type") != "null"]


def _section(spec: object, definitions: dict[str, Any]) -> dict[str, Any] | None:
    """The object schema that a spec refers to, where it is a section."""
    if not isinstance(spec, dict):
        return None
    for option in (spec, *spec.get("anyOf", [])):
        if "$ref" in option:
            found: dict[str, Any] = definitions[option["$ref"].rsplit("/", 1)[1]]
            return found if "properties" in found else None
    return None


def _type(spec: dict[str, Any], definitions: dict[str, Any]) -> str:
    """A short word for the type of a value."""
    if "anyOf" in spec:
        return " or ".join(dict.fromkeys(_type(item, definitions) for item in spec["anyOf"]))
    if "enum" in spec:
        return ", ".join(f"`{value}`" for value in spec["enum"])
    if "const" in spec:
        return f"`{spec['const']}`"
    if spec.get("type") == "array":
        items = spec.get("items") or {}
        return f"list of {_type(items, definitions)}" if items else _fixed(spec, definitions)
    if spec.get("type") == "object":
        value = spec.get("additionalProperties")
        return f"name -> {_type(value, definitions)}" if isinstance(value, dict) else "mapping"
    limits = [
        f"{sign} {spec[key]}"
        for key, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
            ("multipleOf", "a multiple of"),
        )
        if key in spec
    ]
    word = {"null": "nothing", "string": spec.get("format", "text")}.get(
        spec.get("type", ""), spec.get("type", "any")
    )
    return " ".join([word, ", ".join(limits)]).strip()


def _fixed(spec: dict[str, Any], definitions: dict[str, Any]) -> str:
    kinds = dict.fromkeys(_type(item, definitions) for item in spec.get("prefixItems", []))
    return f"list of {len(spec.get('prefixItems', []))} ({', '.join(kinds)})"
