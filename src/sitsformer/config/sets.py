"""Samples: what one looks like, which are drawn, how they are kept apart."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from sitsformer.config.base import Fraction, Name, PatchSize, Section, Seed, Split

BLOCK_STEP = 10
"""Metres that sides of blocks are multiples of."""

_ADDRESS = re.compile(r"([a-z+-]+://)?[^\s/]+:\d+")


class Patches(Section):
    """Patch time series: what a sample looks like."""

    size: PatchSize = 5
    """Side of a patch, pixels."""
    max_length: int = Field(50, ge=2, le=366)
    """Time steps of a sample; longer series are thinned, by a rule of dates and place."""
    clear_score: int = Field(60, ge=0, le=100)
    """A pixel is clear when its cloud score is at least this."""
    clear_share: Fraction = 1.0
    """A date is kept when at least this share of the patch is clear."""
    min_dates: int = Field(5, ge=1)
    """Samples with fewer clear dates are dropped (and counted)."""
    memory_gb: float = Field(1.0, gt=0, le=100_000)
    """Memory that the cutting of one tile may take, GB."""
    scheduler: str | None = None
    """Address of a running Dask scheduler, `tcp://host:8786`; default: threads in the job."""

    @field_validator("scheduler")
    @classmethod
    def _has_a_port(cls, address: str | None) -> str | None:
        if address is not None and not _ADDRESS.fullmatch(address):
            raise ValueError(f"{address!r} is no address; write it as tcp://host:8786")
        return address

    @model_validator(mode="after")
    def _check(self) -> Patches:
        if self.min_dates > self.max_length:
            raise ValueError(
                f"min_dates {self.min_dates} is more than max_length {self.max_length}: no sample "
                "could be kept; lower the one or raise the other"
            )
        return self


PARTS: tuple[Split, Split, Split] = ("train", "validation", "test")
Entries = tuple[Annotated[str, Field(coerce_numbers_to_str=True)], ...]
"""Names of areas, or years, which YAML reads as numbers."""


class SplitBy(Section):
    """How samples are kept apart."""

    by: Literal["block", "group", "area", "year", "polygons"] = "block"
    """What is never shared by two splits. `group`: fields or groups of a survey (`labels`), with
    those whose patches overlap; nothing is lost to the split."""
    block: float = Field(640.0, gt=0)
    """Side of a block, metres of the UTM grid (a multiple of 10)."""
    fractions: tuple[Fraction, Fraction, Fraction] = (0.6, 0.2, 0.2)
    """`block`, `group`: shares of train, validation, test."""
    train: Entries = ()
    """`area`: names of areas; `year`: years (the season's start)."""
    validation: Entries = ()
    """See `train`."""
    test: Entries = ()
    """See `train`."""
    polygons: str | None = None
    """`polygons`: vector file with a column `split`: `train`, `validation` or `test`."""
    seed: Seed = 0
    """Seed of the assignment of blocks or groups."""

    @model_validator(mode="after")
    def _check(self) -> SplitBy:
        if abs(sum(self.fractions) - 1) > 1e-6:
            raise ValueError(f"fractions {self.fractions} must sum to 1")
        if self.block % BLOCK_STEP:
            raise ValueError(f"block side {self.block} m must be a multiple of {BLOCK_STEP} m")
        if self.by in ("area", "year"):
            self._check_lists()
        elif any(getattr(self, part) for part in PARTS):
            raise ValueError(
                f"the lists train, validation, test have no effect in a split by {self.by}: "
                "leave them out, or say by: area or by: year"
            )
        if (self.by == "polygons") != (self.polygons is not None):
            raise ValueError(
                "split by polygons needs the file `polygons`"
                if self.by == "polygons"
                else f"the file `polygons` has no effect in a split by {self.by}: leave it out, "
                "or say by: polygons"
            )
        return self

    def _check_lists(self) -> None:
        if not (self.train and self.test):
            raise ValueError(f"split by {self.by} needs `train` and `test` lists")
        for first, second in combinations(PARTS, 2):
            both = [name for name in getattr(self, first) if name in getattr(self, second)]
            if both:
                raise ValueError(f"{both[0]!r} is listed in both {first} and {second}")

    def has(self, part: Split) -> bool:
        """Whether a split asks for samples in train, validation or test; polygons may hold any."""
        if self.by in ("block", "group"):
            return self.fractions[PARTS.index(part)] > 0
        return self.by == "polygons" or bool(getattr(self, part))


class SampleSet(Section):
    """A set of samples: which areas, which labels, how many, split how."""

    areas: tuple[Name, ...] = ()
    """Areas the samples come from. Either this or `store`."""
    store: str | None = None
    """An existing sample store, used as it is, without any other key of the set. `$VAR` is
    expanded."""
    label: Name | None = None
    """Label layer of the cubes, or survey under `labels`, that becomes `label` of the samples;
    needed with `areas`."""
    classes: dict[str, tuple[int | str, ...]] | None = Field(None, min_length=1)
    """Class name -> codes of the legend, or names in it; what is not listed is dropped. Default: a
    class for each code."""
    per_tile: Annotated[int, Field(ge=1)] | Literal["all"] = 1000
    """Samples drawn from a tile at most; default for surveys: all."""
    quota: Literal["balanced", "proportional"] = "balanced"
    """How a tile's draw is shared among its classes."""
    purity: Literal[1, 3, 5, 7, 9] = 1
    """The label must be the same in a window of this side around the centre, pixels."""
    unlabelled: Literal["drop", "keep"] = "drop"
    """`keep`: pixels without a label are samples too, with label -1 (for reconstruction)."""
    confidence: int = Field(0, ge=0, le=100)
    """Least confidence of the label, percent; needs a layer of it (`cdl_confidence`) in the cubes
    when above 0."""
    split: SplitBy = SplitBy()
    seed: Seed = 0
    """Seed of the draw of samples."""

    @model_validator(mode="after")
    def _check(self) -> SampleSet:
        if bool(self.areas) == (self.store is not None):
            raise ValueError("give either areas or store, not both and not neither")
        if self.areas and self.label is None:
            raise ValueError("a set made from areas needs the name of a label layer: `label`")
        if self.store is not None:
            idle = [
                name
                for name, field in type(self).model_fields.items()
                if name != "store" and getattr(self, name) != field.get_default()
            ]
            if idle:
                raise ValueError(
                    f"{', '.join(idle)}: no effect beside `store`, whose samples are used as they "
                    "are; leave out the one or the other"
                )
        return self
