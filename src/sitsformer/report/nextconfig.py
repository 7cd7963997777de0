"""A config for another area or year, drawn by the model of this run: text to paste into a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import yaml

from sitsformer.config import Area, Config
from sitsformer.config.learners import map_layers
from sitsformer.labels import products
from sitsformer.paths import Paths

OF_A_SAMPLE = ("size", "max_length", "clear_score", "clear_share", "min_dates")
"""Keys of `patches` that a map has in common with the samples its model learned from."""

OF_A_MAP = {"within", "mask", "layers", "precision", "check_values"}

HEAD = """\
# next.yaml: {name}, a year later. For another place change its
# `bounds` (west, south, east, north) or `geometry`, and its files.
"""


def text(config: Config, name: str) -> str:
    """YAML of a whole config that maps an area of this one in the next year.

    Args:
        config: of the report.
        name: a mapped area of it.
    """
    area = config.areas[name]
    of_area = area.model_dump(mode="json", exclude_defaults=True)
    of_area |= {key: _later(getattr(area, key)) for key in ("start", "end")}
    of_area["labels"] = _labels(config, area)
    new = f"{name}_next"
    values: dict[str, Any] = {
        "results": f"{config.results}-next",
        "areas": {new: of_area},
        "patches": {key: getattr(config.patches, key) for key in OF_A_SAMPLE},
        **dict(_sections(config, area)),
        "maps": {
            "model": Paths(config).map_model(),
            "tiles": {new: "all"},
            **config.maps.model_dump(mode="json", include=OF_A_MAP, exclude_defaults=True),
        },
    }
    # Without `default_flow_style` a list of four numbers takes four lines.
    body = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None)
    return HEAD.format(name=name) + body


def _labels(config: Config, area: Area) -> list[str]:
    """Label layers that the map looks at: those that know cropland, where only it is mapped."""
    if config.maps.mask != "cropland":
        return []
    return [
        name for name, product in products().items() if product.cropland and name in area.labels
    ]


def _sections(config: Config, area: Area) -> Iterator[tuple[str, Any]]:
    """Sections of the config that the export of an area, and its map, look at."""
    for key in ("synthetic", "earthengine"):
        given = getattr(config, key).model_dump(mode="json", exclude_defaults=True)
        if area.source == key and given:
            yield key, given
    if layers := map_layers(config):
        yield (
            "embeddings",
            {
                name: config.embeddings[name].model_dump(mode="json", exclude_defaults=True)
                for name in layers
            },
        )


def _later(day: date) -> str:
    """The day a year later; of the 29th of February the 28th."""
    shorter = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year + 1, day=28 if shorter else day.day).isoformat()
