"""What the workflow knows of a product of yearly embeddings: one record, which all else reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sitsformer.errors import SitsError
from sitsformer.registry import records


@dataclass(frozen=True, eq=False, kw_only=True)
class EmbeddingProduct:
    """A collection of Earth Engine with one image of embeddings a year and place.

    Its publisher stores an embedding as signed bytes q, -128 where there is none, which stand for
    `sign(q) (|q| / divisor) ** power`. Cubes of embeddings hold these bytes: a quarter of float32
    and no loss beside the publisher's own.

    Attributes:
        name: in `embeddings` of a config, in paths and of its learner: a small letter, then small
            letters, digits or `_`.
        title: what a sentence calls it.
        collection: id of the image collection.
        bands: axes of the embedding, in order.
        zone: property of an image that names its UTM zone (`15N`): at the border of two zones the
            tile's own goes before the other.
        since: first year; one is added when a year is over.
        divisor, power: of the publisher's bytes.
        licence: under which it may be used.
        attribution: what its licence asks to be printed wherever it is used, word by word.
        page: where the product is described.
        colour: of its learners' curves, '#rrggbb', that no other learner has.
        order: in lists.
    """

    name: str
    title: str
    collection: str
    bands: tuple[str, ...]
    zone: str
    since: int
    divisor: float
    power: float
    licence: str
    attribution: str
    page: str
    colour: str
    order: int = 100

    def __post_init__(self) -> None:
        said = {
            "a name is a small letter, then small letters, digits or '_'": not re.fullmatch(
                r"[a-z][a-z0-9_]*", self.name
            ),
            "it names no band": not self.bands,
            "it names a band twice": len(set(self.bands)) < len(self.bands),
            "its licence asks for an attribution": not self.attribution.strip(),
            f"its colour {self.colour!r} is not '#rrggbb'": not re.fullmatch(
                "#[0-9a-f]{6}", self.colour
            ),
        }
        if problems := [text for text, wrong in said.items() if wrong]:
            raise SitsError(f"embedding product {self.name!r}: {'; '.join(problems)}")

    def no_year(self, year: int) -> str | None:
        """Why there can be no embedding of a year, in words; None where there may be one."""
        last = date.today().year - 1
        if self.since <= year <= last:
            return None
        return f"{self.title} has no year {year}: it has one a year from {self.since} to {last}"


def products() -> Mapping[str, EmbeddingProduct]:
    """Every product of embeddings by name."""
    return records("sitsformer.embeddings", EmbeddingProduct)
