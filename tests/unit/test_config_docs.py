"""The schema and the table of keys say every key of the config."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sitsformer.config import docs as configdocs

ROOT = Path(__file__).parents[2]


def test_schema_and_table_of_keys_are_fresh() -> None:
    assert (ROOT / "config" / "schema.json").read_text() == configdocs.schema(), "run `make docs`"
    assert (ROOT / "config" / "README.md").read_text() == configdocs.table(), "run `make docs`"


def test_every_key_has_a_meaning() -> None:
    rows = [line for line in configdocs.table().splitlines() if line.startswith("| `")]
    silent = [row.split("|")[1].strip() for row in rows if not row.split("|")[-2].strip()]
    assert not silent


def _keys(schema: dict[str, Any]) -> Iterator[str]:
    yield from schema.get("properties", {})
    for definition in schema.get("$defs", {}).values():
        yield from _keys(definition)


def test_the_schema_knows_every_key() -> None:
    assert {"bounds", "per_tile", "mask_rate", "miscoverage"} <= set(
        _keys(json.loads(configdocs.schema()))
    )
