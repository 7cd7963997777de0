"""Legends of label products, codes with names and colours, and the classes that gather codes.

One code of a layer means that a pixel has no label: 0, or another one where 0 is a class like any
other (a crop mask of 0 and 1). `legends.py` reads legends and makes classes of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.errors import SitsError

NO_LABEL = 0
"""Code of a pixel without a label, in every layer that does not say otherwise."""

HIGHEST_CODE = 65535
"""Label layers are uint8 or uint16."""

NO_CLASS_NAME = "(none)"
"""How manifests call pixels without a class."""


@dataclass(frozen=True)
class Legend:
    """Codes of a label product with their names and colours (`#rrggbb`), in one order.

    Attributes:
        name: of the product.
        codes: 0 to 65535, each once.
        names: of the codes.
        colours: of the codes.
        no_label: code of a pixel without a label. No class takes it in, even where `codes` has it.
    """

    name: str
    codes: tuple[int, ...]
    names: tuple[str, ...]
    colours: tuple[str, ...]
    no_label: int = NO_LABEL

    @property
    def dtype(self) -> type[np.uint8 | np.uint16]:
        """The smallest dtype that holds the codes and `no_label`."""
        return np.uint8 if max(*self.codes, self.no_label) <= 255 else np.uint16

    def with_zero(self) -> Legend:
        """The same legend where 0, if it is a code, is a class: a free code means no label."""
        if NO_LABEL not in self.codes:
            return replace(self, no_label=NO_LABEL)
        free = set(range(HIGHEST_CODE + 1)) - {*self.codes}
        if not free:
            raise SitsError(f"legend {self.name}: no code is left to mean no label")
        return replace(self, no_label=255 if 255 in free else min(free))

    def flags(self) -> dict[str, Any]:
        """CF attributes of a layer with this legend (CF 1.11, section 3.5, and colours)."""
        return {
            "long_name": self.name,
            "flag_values": list(self.codes),
            "flag_meanings": " ".join(_words(self.codes, self.names)),
            "flag_names": list(self.names),
            "flag_colours": " ".join(self.colours),
            "no_label": self.no_label,
        }

    @classmethod
    def from_flags(cls, attrs: Mapping[str, Any]) -> Legend:
        """The legend that `flags` wrote into the attributes of a layer."""
        return cls(
            name=str(attrs["long_name"]),
            codes=tuple(int(code) for code in attrs["flag_values"]),
            names=tuple(attrs["flag_names"]),
            colours=tuple(str(attrs["flag_colours"]).split()),
            no_label=int(attrs.get("no_label", NO_LABEL)),
        )


@dataclass(frozen=True)
class Classes:
    """Classes of a sample set: names, colours, and the legend codes that each one gathers.

    One value from the legend to the report; no classes at all are `Classes()`.

    Attributes:
        names, colours: by class; colours are '#rrggbb'.
        codes: by class; () where it is not known, as in tables of predictions.
        no_label: code of a pixel without a label; it is in no class.
    """

    names: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    codes: tuple[tuple[int, ...], ...] = ()
    no_label: int = NO_LABEL

    def __len__(self) -> int:
        return len(self.names)

    def only(self, kept: Sequence[int]) -> Classes:
        """The classes at some positions."""
        return replace(
            self,
            names=tuple(self.names[k] for k in kept),
            colours=tuple(self.colours[k] for k in kept),
            codes=tuple(self.codes[k] for k in kept),
        )

    def index(self, layer: NDArray[np.integer[Any]]) -> NDArray[np.int16]:
        """Codes of a label layer -> class indices of the same shape; -1 where no class has it."""
        table = np.full(HIGHEST_CODE + 1, -1, np.int16)
        for position, codes in zip(range(len(self)), self.codes, strict=True):
            table[list(codes)] = position
        indices: NDArray[np.int16] = table[layer]
        return indices


def _words(codes: tuple[int, ...], names: tuple[str, ...]) -> list[str]:
    """One word of `flag_meanings` a name, no two alike.

    CF wants letters, digits and a few signs (section 3.5). A name that keeps no letter of its own
    that way, loses some, or becomes the word of another, is told by its code as well.
    """
    plain = [_word(name) for name in names]
    full = [f"{word}_code_{code}".lstrip("_") for word, code in zip(plain, codes, strict=True)]
    count = Counter(plain)
    found = [
        word if word and count[word] == 1 and _keeps_letters(name) else longer
        for name, word, longer in zip(names, plain, full, strict=True)
    ]
    return found if len(set(found)) == len(found) else full


def _word(name: str) -> str:
    """What CF leaves of a name: letters without accents, digits, `_` for the rest."""
    return re.sub(r"[^A-Za-z0-9]+", "_", _without_accents(name)).strip("_").lower()


def _keeps_letters(name: str) -> bool:
    return all(c.isascii() for c in _without_accents(name) if c.isalnum())


def _without_accents(name: str) -> str:
    apart = unicodedata.normalize("NFKD", name)
    return "".join(c for c in apart if not unicodedata.combining(c))
