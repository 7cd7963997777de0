"""Legends read from tables, and their codes grouped into classes.

A legend is a CSV table `code,name,colour`; those of the label products (`sitsformer.labels`) ship
with the package.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from sitsformer.classes import NO_CLASS_NAME, NO_LABEL, Classes, Legend
from sitsformer.config import Area, ConfigError, expand
from sitsformer.errors import some
from sitsformer.labels import products
from sitsformer.legendtable import clean, parse

MOST_CLASSES = np.iinfo(np.int16).max + 1
"""Class indices are int16."""


def load_legend(name_or_path: str) -> Legend:
    """Read the legend of a label product by name, or a CSV table `code,name,colour` by path.

    Raises:
        ConfigError: the table is missing or malformed.
    """
    if name_or_path in products():
        product = products()[name_or_path]
        data = product.legend.read_bytes()
        return Legend(name_or_path, *parse(name_or_path, data), no_label=product.no_label)
    path = expand(name_or_path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"legend {name_or_path!r}: neither {' nor '.join(products())}, and the file cannot be "
            f"read: {error.strerror}"
        ) from None
    return Legend(path.stem, *parse(path.stem, data))


def group(legend: Legend, classes: Mapping[str, tuple[int | str, ...]] | None) -> Classes:
    """Group the codes of a legend into classes; by default each code is a class of its own.

    Args:
        legend: has the codes and their names.
        classes: name -> codes, or names that the legend has.

    Raises:
        ConfigError: a code that the legend lacks or that stands in two classes.
    """
    if classes is None:
        names = _distinct(legend)
        kept = [i for i, code in enumerate(legend.codes) if code != legend.no_label]
        return Classes(
            _checked([names[i] for i in kept], f"legend {legend.name}"),
            tuple(legend.colours[i] for i in kept),
            tuple((legend.codes[i],) for i in kept),
            legend.no_label,
        )
    colour = dict(zip(legend.codes, legend.colours, strict=True))
    seen: dict[int, str] = {}
    known = {name: _codes(legend, entries) for name, entries in classes.items()}
    for name, codes in known.items():
        if not codes:
            raise ConfigError(f"class {name!r} has no codes of the legend {legend.name}")
        for code in codes:
            if code == legend.no_label:
                raise ConfigError(
                    f"class {name!r}: {code} means no label in the layer {legend.name}; where it "
                    "is a class, say in `nodata` of the label raster which other code means none"
                )
            if code not in colour:
                raise ConfigError(
                    f"class {name!r}: unknown label {code}; the legend {legend.name} has "
                    f"{some(legend.codes)}"
                )
            if code in seen:
                raise ConfigError(
                    f"label {code} stands in two classes, {seen[code]!r} and {name!r}"
                )
            seen[code] = name
    return Classes(
        _checked([clean(name) for name in classes], "classes"),
        tuple(colour[codes[0]] for codes in known.values()),
        tuple(known.values()),
        legend.no_label,
    )


def _codes(legend: Legend, entries: Sequence[int | str]) -> tuple[int, ...]:
    """Codes of a legend, given so or by their names, each once."""
    of_name: dict[str, list[int]] = {}
    for code, name in zip(legend.codes, legend.names, strict=True):
        of_name.setdefault(name.casefold(), []).append(code)
    found: list[int] = []
    for entry in entries:
        if isinstance(entry, str) and entry.isdecimal() and entry not in of_name:
            entry = int(entry)
        if isinstance(entry, int) and (entry in legend.codes or str(entry) not in of_name):
            found.append(entry)
            continue
        entry = str(entry)  # codes too large for a layer are names
        named = of_name.get(clean(entry).casefold())
        if named is None:
            near = get_close_matches(entry, legend.names, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(
                f"unknown label {entry!r}; the legend {legend.name} has {some(legend.names)}{hint}"
            )
        found += named
    return tuple(dict.fromkeys(found))


def _distinct(legend: Legend) -> list[str]:
    """Names of a legend; with the code where several codes have the name."""
    count = Counter(legend.names)
    return [
        f"{name} ({code})" if count[name] > 1 else name
        for code, name in zip(legend.codes, legend.names, strict=True)
    ]


def _checked(names: list[str], where: str) -> tuple[str, ...]:
    """Names of classes that can be told apart in every table and picture."""
    if not names:
        raise ConfigError(f"{where}: no class is left; a class needs a code that is a label")
    if len(names) > MOST_CLASSES:
        raise ConfigError(
            f"{where}: {len(names)} classes; at most {MOST_CLASSES} can be told apart: gather "
            "codes into fewer classes under `classes`"
        )
    for name, count in Counter(names).items():
        if not name or name == NO_CLASS_NAME:
            raise ConfigError(f"{where}: {name!r} cannot be the name of a class; choose another")
        if count > 1:
            raise ConfigError(f"{where}: two classes are called {name!r}; rename one of them")
    return tuple(names)


def legend_of(area: Area, layer: str) -> Legend:
    """Legend of a label layer of an area, as far as the config alone tells it.

    Whether 0 is a class of a label raster may depend on the file's own nodata value: here it is
    one, unless the config says that 0 means no label.
    """
    label = area.label_rasters.get(layer)
    if label is None:
        return load_legend(layer)
    legend = load_legend(label.legend)
    return legend if label.nodata == NO_LABEL else legend.with_zero()


def legend_path(name_or_path: str) -> Path | None:
    """The file of a user's legend, as an input of the workflow; None for a shipped one."""
    return None if name_or_path in products() else expand(name_or_path)
