"""What the workflow knows of a label product: one record, which everything else reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from sitsformer.errors import SitsError
from sitsformer.registry import records

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees (WGS 84); west > east where it crosses 180 degrees."""

TAKEN = {
    *("reflectance", "clear", "time", "band", "wavelength", "y", "x", "spatial_ref"),
    *("images", "scores"),
}
"""Names in a cube, and in the listing of a tile, that a product cannot have."""

LARGEST = {"uint8": 255, "uint16": 65_535}
"""Largest code of each type of layer."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelProduct:
    """A label product of Earth Engine, and of the embedded landscape where that draws it.

    Codes are those of the product; `no_label` stands where the product has no pixel.

    Attributes:
        name: in `labels` of an area and in cubes: a letter, then letters, digits or `_`.
        title: what a sentence calls it, with its article.
        legend: CSV table `code,name,colour` beside the module.
        collection: of images, one or more a year; or year -> a collection (or image) of its own.
        images: the ids of `collection`, given by year, are those of single images.
        where: properties that images of `collection` must have, for one that holds several maps.
        band: that holds the codes.
        combine: how the images of a year become one map: `mosaic`, the last on top, or `mode`, the
            code that a pixel has most often.
        no_label: code where there is no label; another one than 0 where 0 is a class.
        dtype: of the layer: `uint16` if there are codes above 255.
        years: that there are maps of; None: Earth Engine is asked beside the list of images.
        since: first year of a product that has gone on to this year, in place of `years`.
        rule: which year a season takes: its `own` (that most of its days lie in) or the `nearest`.
        coverage: the box in which there are labels, generously; None: the world.
        extent: what a sentence calls `coverage`.
        complete: each pixel within has a code: a tile without any lies outside.
        confidence: band of the confidence in percent, which becomes a layer where a year has it.
        cropland: codes that are cropland, for a product that can mask maps.
        landscape: the embedded landscape draws it (`DRAWN` in imagery/synthetic/labelling.py).
        licence: and whom to name when its labels are used.
        order: of layers in cubes and requests; records with one order are sorted by name.
    """

    name: str
    title: str
    legend: Path
    collection: str | Mapping[int, str]
    images: bool = False
    where: Mapping[str, str] = field(default_factory=dict)
    band: str
    combine: Literal["mosaic", "mode"] = "mosaic"
    no_label: int = 0
    dtype: Literal["uint8", "uint16"] = "uint8"
    years: tuple[int, ...] | None = None
    since: int | None = None
    rule: Literal["own", "nearest"]
    coverage: Box | None = None
    extent: str = "the world"
    complete: bool = False
    confidence: str | None = None
    cropland: tuple[int, ...] = ()
    landscape: bool = False
    licence: str
    order: int = 100

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise SitsError(f"label product {self.name!r}: {'; '.join(problems)}")

    def _problems(self) -> list[str]:
        by_year = not isinstance(self.collection, str)
        said = {
            f"its name is one of {sorted(TAKEN)}": self.name in TAKEN,
            "a name is a letter, then letters, digits or '_'": not re.fullmatch(
                r"[A-Za-z][A-Za-z0-9_]*", self.name
            ),
            f"its legend {self.legend!r} is no Path of a file": (
                not isinstance(self.legend, Path) or not self.legend.is_file()
            ),
            f"its dtype {self.dtype!r} is none of {sorted(LARGEST)}": self.dtype not in LARGEST,
            "the rule 'nearest' needs `years`": self.rule == "nearest" and not self.maps,
            f"its rule {self.rule!r} is neither 'own' nor 'nearest'": (
                self.rule not in ("own", "nearest")
            ),
            "`years` are the keys of `collection`": by_year and self.years is not None,
            "`since` stands in place of `years`, for one collection": (
                self.since is not None and (by_year or self.years is not None)
            ),
            f"its way to combine images, {self.combine!r}, is neither 'mosaic' nor 'mode'": (
                self.combine not in ("mosaic", "mode")
            ),
            f"its no_label {self.no_label} is no code of {self.dtype}": (
                not 0 <= self.no_label <= LARGEST.get(self.dtype, 0)
            ),
            "`images` needs a `collection` by year": self.images and not by_year,
            "`coverage` needs an `extent`": bool(self.coverage) and self.extent == "the world",
            f"its coverage {self.coverage} is not west, south, east, north in degrees": (
                self.coverage is not None and not _is_box(self.coverage)
            ),
        }
        return [text for text, wrong in said.items() if wrong]

    @property
    def maps(self) -> tuple[int, ...] | None:
        """The years that there are maps of, sorted; None where only Earth Engine knows."""
        years = self.years if isinstance(self.collection, str) else self.collection
        if self.since is not None:
            years = tuple(range(self.since, date.today().year + 1))
        return None if years is None else tuple(sorted(years))

    @property
    def looked_up(self) -> bool:
        """Whether Earth Engine is asked for the bands of a year before it is taken as there."""
        return self.maps is None or self.confidence is not None

    @property
    def confidence_layer(self) -> str | None:
        """Layer of the confidence in cubes: percent, 255 missing."""
        return None if self.confidence is None else f"{self.name}_confidence"

    @property
    def ids(self) -> tuple[str, ...]:
        """The collections (or images) by year, each once."""
        if isinstance(self.collection, str):
            return (self.collection,)
        return tuple(dict.fromkeys(self.collection.values()))

    def year(self, season: int) -> int:
        """Year of the map for the year of a season; of two equally near ones the later."""
        if self.rule == "own" or not self.maps:
            return season
        return min(self.maps, key=lambda year: (abs(year - season), -year))

    def said(self, season: int) -> str:
        """Which map the year of a season takes, in words."""
        year = self.year(season)
        found = f"{self.name}: {self.title}, map of {year}"
        return found if year == season else f"{found}, the nearest to the season's year {season}"

    def source(self, year: int) -> tuple[str, int | None]:
        """Collection of a year's map, and the year to choose within it (None: all of it)."""
        if isinstance(self.collection, str):
            return self.collection, year
        return self.collection[year], None

    def covers(self, west: float, south: float, east: float, north: float) -> bool:
        """Whether some of a box in degrees lies within the coverage."""
        if self.coverage is None:
            return True
        left, low, right, high = self.coverage
        right += 360 * (right < left)
        east += 360 * (east < west)
        beside = any(west + turn <= right and east + turn >= left for turn in (-360, 0, 360))
        return beside and south <= high and north >= low


def _is_box(values: tuple[float, ...]) -> bool:
    if len(values) != 4:
        return False
    west, south, east, north = values
    return -180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90


def products() -> Mapping[str, LabelProduct]:
    """Every label product by name, in the order of layers in cubes."""
    return records("sitsformer.labels", LabelProduct)


def confidence_layers() -> tuple[str, ...]:
    """Layers of cubes that hold the confidence of a label, and no label."""
    found = (product.confidence_layer for product in products().values())
    return tuple(layer for layer in found if layer is not None)
