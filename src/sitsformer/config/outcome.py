"""Evaluation and maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sitsformer.config.base import AdaptationName, Init, Name, Section, Shots

AUTO = "auto"
"""Learner of the maps that validation chooses."""


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
    learner: str | None = Field(None, pattern=r"[a-z][a-z0-9_+-]*")
    """Who draws the maps: `auto`, whichever learner of the sweep the validation blocks prefer at
    `shots`, or the name of one: `random_forest`, `dual-probe`, `random_forest-dual` (with the land
    cover of `dual`), `satellite_embedding`, `dual+satellite_embedding` (docs/embeddings.md).
    Default: `auto`, unless `init` or `adaptation` is given (docs/evaluation.md, Maps)."""
    init: Init = "dual"
    """Without `learner`: what the network of the maps starts from (its first pretraining seed)."""
    adaptation: AdaptationName = "full"
    """Without `learner`: how it learns crops (`fewshot.adaptations`)."""
    shots: Shots = "all"
    """Labelled samples a class that who draws the maps learns from."""
    batch_size: int = Field(1024, ge=1)
    """Pixels predicted at once."""
    precision: Literal["float32", "bf16"] = "float32"
    """Of a network's matrix products: `bf16` is 1.2 (hidden 64) to 1.8 times (hidden 256) as fast
    on processors that multiply it (AMD since Zen 4, Intel since Sapphire Rapids; refused by
    others), and changes the class of some pixels in a hundred or fewer (docs/model.md)."""
    mask: Literal["none", "cropland"] | MaskRaster = "none"
    """`cropland`: map only where a label product that knows cropland (`worldcover`) says so; or a
    raster of yours: `{path: crops.tif, values: [1]}`, with `band` (default 1) and `values`
    (default: all but 0 and nodata)."""
    within: Literal["tiles", "area"] = "tiles"
    """What is mapped: every pixel of the mapped tiles, or (`area`) only those whose centre lies in
    the outline of their area, so that its crops are counted in it and not around it."""
    layers: tuple[Literal["probabilities", "embeddings"], ...] = ()
    """Layers of a map beside classes, confidence, margin and dates, as half floats."""
    check_values: bool = True
    """Refuse a tile whose reflectances look as if they had another scale, offset or order of bands
    than those the model learned from; `false` where they are right."""
    visits: int = Field(30, ge=1, le=10_000)
    """Places to visit next that are suggested of an area, by margin and distance."""
    parcels: str | None = None
    """Polygons of fields (any file GDAL reads, one layer): each gets the class that most of its
    pixels have, as a GeoPackage of the area. `$VAR` is expanded."""

    @property
    def products(self) -> tuple[str, ...]:
        """Products that are made because they are asked for."""
        return (*self.layers, *(() if self.parcels is None else ("fields",)))

    @model_validator(mode="before")
    @classmethod
    def _chosen(cls, values: Any) -> Any:
        """Validation chooses the learner where the config says nothing of it."""
        said = {"learner", "model", "init", "adaptation"}
        if isinstance(values, Mapping) and not said & set(values):
            return {**values, "learner": AUTO}
        return values

    @model_validator(mode="after")
    def _check(self) -> Maps:
        fields = type(self).model_fields
        own = [k for k in ("init", "adaptation") if getattr(self, k) != fields[k].default]
        if self.learner is not None and own:
            raise ValueError(
                f"{', '.join(own)}: no effect beside `learner`; write `learner: "
                f"{self.init}-{self.adaptation}`, or leave the one or the other out"
            )
        idle = [*own, *(["shots"] if self.shots != fields["shots"].default else [])]
        idle += ["learner"] if self.learner is not None else []
        if self.model is not None and idle:
            raise ValueError(
                f"{', '.join(idle)}: no effect beside `model`, which draws the maps as it "
                "is; leave out the one or the other"
            )
        return self
