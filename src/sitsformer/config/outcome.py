"""Evaluation and maps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sitsformer.config.base import AdaptationName, Init, Name, Section, Shots


class Evaluation(Section):
    """Intervals and calibration."""

    level: float = Field(0.95, gt=0, lt=1)
    """Level of every interval."""
    bootstrap: int = Field(1000, ge=10)
    """Resamples of spatial blocks."""
    bins: int = Field(10, ge=2)
    """Bins of the reliability curve."""
    miscoverage: float = Field(0.1, gt=0, lt=1)
    """Conformal prediction sets miss the truth at most this often."""


class Maps(Section):
    """Wall-to-wall maps."""

    tiles: dict[Name, tuple[str, ...] | Annotated[int, Field(ge=1)] | Literal["all"]] = {}
    """Area -> names of tiles, the first so many of its tiles, or `all`."""
    init: Init = "dual"
    """What the model of the maps starts from (its first pretraining seed)."""
    adaptation: AdaptationName = "full"
    """How it learns crops (`fewshot.adaptations`)."""
    shots: Shots = "all"
    """Labelled samples a class it is fine-tuned on."""
    batch_size: int = Field(1024, ge=1)
    """Pixels predicted at once."""
    mask: Literal["none", "cropland"] = "none"
    """`cropland`: map only where a label product that knows cropland (`worldcover`) says so."""
