"""Legends of label products: codes, names, colours, and the grouping of codes into classes.

A legend is a CSV table `code,name,colour`; those of the label products (`sitsformer.labels`) ship
with the package. Code 0 means no label.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Area, ConfigError, expand
from sitsformer.labels import products

NO_LABEL = 0
"""Code of a pixel without a label, in every label layer."""


@dataclass(frozen=True)
class Legend:
    """Codes of a label product with their names and colours (`#rrggbb`), in one order."""

    name: str
    codes: tuple[int, ...]
    names: tuple[str, ...]
    colours: tuple[str, ...]

    def flags(self) -> dict[str, Any]:
        """CF attributes of a layer with this legend (CF 1.11, section 3.5, and colours)."""
        return {
            "long_name": self.name,
            "flag_values": list(self.codes),
            "flag_meanings": " ".join(_word(name) for name in self.names),
            "flag_names": list(self.names),
            "flag_colours": " ".join(self.colours),
        }

    @classmethod
    def from_flags(cls, attrs: Mapping[str, Any]) -> Legend:
        """The legend that `flags` wrote into the attributes of a layer."""
        return cls(
            name=str(attrs["long_name"]),
            codes=tuple(int(code) for code in attrs["flag_values"]),
            names=tuple(attrs["flag_names"]),
            colours=tuple(str(attrs["flag_colours"]).split()),
        )


@dataclass(frozen=True)
class Classes:
    """Classes of a sample set: names, colours, and the legend codes that each one gathers."""

    names: tuple[str, ...]
    colours: tuple[str, ...]
    codes: tuple[tuple[int, ...], ...]

    def index(self, layer: NDArray[np.integer[Any]]) -> NDArray[np.int16]:
        """Codes of a label layer -> class indices of the same shape; -1 where no class has it."""
        table = np.full(np.iinfo(np.uint16).max + 1, -1, np.int16)
        for position, codes in enumerate(self.codes):
            table[list(codes)] = position
        indices: NDArray[np.int16] = table[layer]
        return indices


def load_legend(name_or_path: str) -> Legend:
    """Read the legend of a label product by name, or a CSV table `code,name,colour` by path.

    Raises:
        ConfigError: the table is missing or malformed.
    """
    if name_or_path in products():
        text = products()[name_or_path].legend.read_text("utf-8")
        return _parse(name_or_path, text)
    path = expand(name_or_path)
    try:
        return _parse(path.stem, path.read_text())
    except OSError as error:
        raise ConfigError(
            f"legend {name_or_path!r}: neither {' nor '.join(products())}, and the file cannot be "
            f"read: {error.strerror}"
        ) from None


def group(legend: Legend, classes: Mapping[str, tuple[int, ...]] | None) -> Classes:
    """Group the codes of a legend into classes; by default each code is a class of its own.

    Raises:
        ConfigError: a code that the legend lacks or that stands in two classes.
    """
    if classes is None:
        kept = [i for i, code in enumerate(legend.codes) if code != NO_LABEL]
        return Classes(
            tuple(legend.names[i] for i in kept),
            tuple(legend.colours[i] for i in kept),
            tuple((legend.codes[i],) for i in kept),
        )
    colour = dict(zip(legend.codes, legend.colours, strict=True))
    seen: dict[int, str] = {}
    for name, codes in classes.items():
        if not codes:
            raise ConfigError(f"class {name!r} has no codes of the legend {legend.name}")
        for code in codes:
            if code not in colour or code == NO_LABEL:
                raise ConfigError(
                    f"class {name!r}: unknown label {code}; the legend {legend.name} has "
                    f"{_some(legend.codes)}"
                )
            if code in seen:
                raise ConfigError(
                    f"label {code} stands in two classes, {seen[code]!r} and {name!r}"
                )
            seen[code] = name
    return Classes(
        tuple(classes),
        tuple(colour[codes[0]] for codes in classes.values()),
        tuple(tuple(codes) for codes in classes.values()),
    )


def _parse(name: str, text: str) -> Legend:
    rows = list(csv.DictReader(text.splitlines()))
    try:
        codes = tuple(int(row["code"]) for row in rows)
        names = tuple(row["name"] for row in rows)
        colours = tuple(row["colour"].lower() for row in rows)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise ConfigError(f"legend {name}: the table needs the columns code,name,colour") from None
    if len(set(codes)) != len(codes) or not codes:
        raise ConfigError(f"legend {name}: codes must be there and differ from each other")
    if min(codes) < 0 or max(codes) > np.iinfo(np.uint16).max:
        raise ConfigError(f"legend {name}: codes must lie between 0 and 65535")
    bad = [colour for colour in colours if not re.fullmatch("#[0-9a-f]{6}", colour)]
    if bad:
        raise ConfigError(f"legend {name}: {bad[0]!r} is not a colour like #ffd300")
    return Legend(name, codes, names, colours)


def _word(name: str) -> str:
    """A class name as one word of `flag_meanings`."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower()


def _some(codes: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, codes[:12]))
    return shown if len(codes) <= 12 else f"{shown}, ... ({len(codes)} codes)"


def legend_of(area: Area, layer: str) -> Legend:
    """Legend of a label layer of an area."""
    if area.rasters is not None:
        return load_legend(area.rasters.labels[layer].legend)
    return load_legend(layer)


def legend_path(name_or_path: str) -> Path | None:
    """The file of a user's legend, as an input of the workflow; None for a shipped one."""
    return None if name_or_path in products() else expand(name_or_path)
