"""Keys that have a new name: the old one is still read, and said once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sitsformer.config.base import ConfigError

RENAMED = {"fewshot.ways": "adaptations", "maps.way": "adaptation"}
"""Path of a key as it was called -> what it is called now, in the same section."""

logger = logging.getLogger("sitsformer")


def renamed(values: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Values by the names of today.

    Raises:
        ConfigError: a key is given by both of its names.
    """
    result = dict(values)
    for path, new in RENAMED.items():
        section, _, old = path.partition(".")
        keys = result.get(section)
        if not isinstance(keys, Mapping) or old not in keys:
            continue
        if new in keys:
            raise ConfigError(
                f"{origin} cannot be used:\n  {section}.{new}: stands there as {path} too, which "
                "is its old name; leave that out"
            )
        result[section] = {new if key == old else key: value for key, value in keys.items()}
        logger.warning("%s: %s is now called %s.%s; please rename it", origin, path, section, new)
    return result


def renamed_lines(lines: Mapping[str, int]) -> dict[str, int]:
    """Lines of keys, and of what is below them, by the names of today."""
    result = {}
    for path, line in lines.items():
        section, _, rest = path.partition(".")
        key, dot, below = rest.partition(".")
        new = RENAMED.get(f"{section}.{key}")
        result[path if new is None else f"{section}.{new}{dot}{below}"] = line
    return result
