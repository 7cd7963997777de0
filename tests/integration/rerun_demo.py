"""The demo with fewer jobs, what depends on what in it, and changes of its keys."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import yaml
from dryruns import ROOT

Jobs = dict[str, int]
Change = dict[str, Any]
REFUSED = "refused"
"""The key cannot be changed alone: the config says so, and nothing runs."""

TABLES = {"evaluate": 1, "report": 1}
MAPPED = {"map": 1, "mosaic": 1}
MAPS = {"crop_model": 1, **MAPPED}
SWEEP = {"fewshot": 8, **MAPS, **TABLES}
ALL_CELLS = {"baseline": 4, **SWEEP}


def pretrained(models: int) -> Jobs:
    """So many models are trained again, one of them that of the maps, and what starts from them."""
    return {"pretrain": models, "fewshot": 2 * models, **MAPS, **TABLES}


LANDCOVER = {"merge": 1, **pretrained(3)}
CROPS = {"merge": 1, **ALL_CELLS}
BOTH = {**LANDCOVER, **CROPS, "merge": 2}
RIVER = {"cube": 2, "patches": 2, **LANDCOVER}
PLAINS = RIVER
COUNTY = {"cube": 3, "patches": 3, **CROPS}
CUT = {"patches": 7, **BOTH}
EVERYTHING = {"cube": 7, **CUT}


def demo() -> dict[str, Any]:
    """The demo with fewer tiles, shots and learners, of which all weights learn."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    for name, count in (("river_2020", 2), ("plains_2021", 2), ("county_2021", 3)):
        values["areas"][name]["tiles"]["count"] = count
    values["fewshot"] |= {
        "shots": [1, 100],
        "adaptations": ["full"],
        "baselines": ["random_forest", "logistic_regression"],
        "refine": [],
        "controls": [],
    }
    values["maps"] |= {"init": "dual", "adaptation": "full"}
    return values


def changed(values: dict[str, Any], change: Change) -> dict[str, Any]:
    """A copy with the values of `path.of.key`."""
    copied = deepcopy(values)
    for path, value in change.items():
        *parents, last = path.split(".")
        section = copied
        for key in parents:
            section = section.setdefault(key, {})
        section[last] = value
    return copied


def under(prefix: str, table: dict[str, Any]) -> dict[str, Any]:
    return {f"{prefix}.{key}": entry for key, entry in table.items()}


def leaves(values: Any, path: str = "") -> Iterator[str]:
    if isinstance(values, dict) and values:
        for key, item in values.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    else:
        yield path
