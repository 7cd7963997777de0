"""Evaluation and maps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

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


class MaskRaster(Section):
    """A raster of the user's that says which pixels are mapped."""

    path: str
    """GeoTIFF (or any raster GDAL reads), on any grid. `$VAR` is expanded."""
    band: int = Field(1, ge=1)
    """Band of the file, counted from 1."""
    values: tuple[int, ...] | None = Field(None, min_length=1)
    """Values that are mapped; default: all but 0 and the file's nodata value."""


class Maps(Section):
    """Wall-to-wall maps."""

    tiles: dict[Name, tuple[str, ...] | Annotated[int, Field(ge=1)] | Literal["all"]] = {}
    """Area -> names of tiles, the first so many of its tiles, or `all`."""
    model: str | None = None
    """A fine-tuned model (folder) that draws the maps; default: one is fine-tuned as below. With
    it, a config may consist of areas and maps alone (docs/reuse.md). `$VAR` is expanded."""
    init: Init = "dual"
    """What the model of the maps starts from (its first pretraining seed)."""
    adaptation: AdaptationName = "full"
    """How it learns crops (`fewshot.adaptations`)."""
    shots: Shots = "all"
    """Labelled samples a class it is fine-tuned on."""
    batch_size: int = Field(1024, ge=1)
    """Pixels predicted at once."""
    mask: Literal["none", "cropland"] | MaskRaster = "none"
    """`cropland`: map only where a label product that knows cropland (`worldcover`) says so; or a
    raster of yours: `{path: crops.tif, values: [1]}`, with `band` (default 1) and `values`
    (default: all but 0 and nodata)."""
    layers: tuple[Literal["probabilities", "embeddings"], ...] = ()
    """Layers of a map beside classes, confidence, margin and dates, as half floats."""

    @model_validator(mode="after")
    def _check(self) -> Maps:
        fields = type(self).model_fields
        idle = [k for k in ("init", "adaptation", "shots") if getattr(self, k) != fields[k].default]
        if self.model is not None and idle:
            raise ValueError(
                f"{', '.join(idle)}: no effect beside `model`, which draws the maps as it "
                "is; leave out the one or the other"
            )
        return self
