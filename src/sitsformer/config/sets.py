"""Samples: what one looks like, which are drawn, how they are kept apart."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sitsformer.config.base import PIXEL, Fraction, Name, PatchSize, Section


class Patches(Section):
    """Patch time series: what a sample looks like."""

    size: PatchSize = 5
    """Side of a patch, pixels."""
    max_length: int = Field(50, ge=2, le=366)
    """Time steps of a sample; longer series are thinned by a seeded rule."""
    clear_score: int = Field(60, ge=0, le=100)
    """A pixel is clear when its cloud score is at least this."""
    clear_share: Fraction = 1.0
    """A date is kept when at least this share of the patch is clear."""
    min_dates: int = Field(5, ge=1)
    """Samples with fewer clear dates are dropped (and counted)."""
    memory_gb: float = Field(1.0, gt=0)
    """Memory that the cutting of one tile may take, GB."""
    scheduler: str | None = None
    """Address of a running Dask scheduler; default: threads in the job."""


class SplitBy(Section):
    """How samples are kept apart."""

    by: Literal["block", "area", "year", "polygons"] = "block"
    """What is never shared by two splits."""
    block: float = Field(640.0, gt=0)
    """Side of a block, metres of the UTM grid (a multiple of 10)."""
    fractions: tuple[Fraction, Fraction, Fraction] = (0.6, 0.2, 0.2)
    """`block`: shares of train, validation, test."""
    train: tuple[str, ...] = ()
    """`area`: names of areas; `year`: years (the season's start)."""
    validation: tuple[str, ...] = ()
    """See `train`."""
    test: tuple[str, ...] = ()
    """See `train`."""
    polygons: str | None = None
    """`polygons`: vector file with a column `split`: `train`, `validation` or `test`."""
    seed: int = Field(0, ge=0)
    """Seed of the assignment of blocks."""

    @model_validator(mode="after")
    def _check(self) -> SplitBy:
        if abs(sum(self.fractions) - 1) > 1e-6:
            raise ValueError(f"fractions {self.fractions} must sum to 1")
        if self.block % PIXEL:
            raise ValueError(f"block side {self.block} m must be a multiple of {PIXEL} m")
        if self.by in ("area", "year") and not (self.train and self.test):
            raise ValueError(f"split by {self.by} needs `train` and `test` lists")
        if self.by == "polygons" and self.polygons is None:
            raise ValueError("split by polygons needs the file `polygons`")
        return self


class SampleSet(Section):
    """A set of samples: which areas, which labels, how many, split how."""

    areas: tuple[Name, ...] = ()
    """Areas the samples come from. Either this or `store`."""
    store: str | None = None
    """An existing sample store, used as it is; the other keys of the set then have no effect.
    `$VAR` is expanded."""
    label: Name | None = None
    """Label layer of the cubes that becomes `label` of the samples; needed with `areas`."""
    classes: dict[str, tuple[int, ...]] | None = None
    """Class name -> legend codes; codes not listed are dropped. Default: a class for each code."""
    per_tile: Annotated[int, Field(ge=1)] | Literal["all"] = 1000
    """Samples drawn from a tile at most."""
    quota: Literal["balanced", "proportional"] = "balanced"
    """How a tile's draw is shared among its classes."""
    purity: Literal[1, 3, 5, 7, 9] = 1
    """The label must be the same in a window of this side around the centre, pixels."""
    unlabelled: Literal["drop", "keep"] = "drop"
    """`keep`: pixels without a label are samples too, with label -1 (for reconstruction)."""
    confidence: int = Field(0, ge=0, le=100)
    """Least CDL confidence, percent; needs the layer `cdl_confidence` in the cubes when above 0."""
    split: SplitBy = SplitBy()
    seed: int = Field(0, ge=0)
    """Seed of the draw of samples."""

    @model_validator(mode="after")
    def _check(self) -> SampleSet:
        if bool(self.areas) == (self.store is not None):
            raise ValueError("give either areas or store, not both and not neither")
        if self.areas and self.label is None:
            raise ValueError("a set made from areas needs the name of a label layer: `label`")
        return self
