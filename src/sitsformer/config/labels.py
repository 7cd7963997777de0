"""Labels of the user's own: points and polygons, apart from the imagery."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sitsformer.config.base import OneOf, Section
from sitsformer.labels import kinds

KindName = Annotated[str, OneOf("kind of labels", kinds)]
Column = Annotated[str, Field(min_length=1)]


class Survey(Section):
    """A file of labelled points or polygons; see docs/labels.md."""

    kind: KindName
    """What the file holds: `points` or `polygons`."""
    path: str
    """GeoPackage, GeoJSON, GeoParquet, Shapefile (or anything GDAL reads), or a CSV table with
    columns of longitude and latitude; in any coordinate system. `$VAR` is expanded."""
    layer: str | None = None
    """Layer of the file, where it has several."""
    column: Column
    """Column of the class: names, or whole numbers (codes). Empty cells have no class."""
    legend: str | None = None
    """A label product (`cdl`) or a CSV table `code,name,colour` that the column's codes or names
    are of; default: a class for each entry of the column, with colours made."""
    date: Column | None = None
    """Column that says when a label holds: a date (2018-06-30), a year (2018), or a season
    (2017/2018). Features of other seasons than the area's are dropped and counted."""
    weight: Column | None = None
    """Column of weights, 0 or more: how much a sample counts in training beside others of its
    class. Of features with different classes in one pixel the heaviest one counts; those of weight
    0 are left out."""
    group: Column | None = None
    """Column of groups (farms, villages, field campaigns) that are never on both sides of a split;
    default: each feature is a group of its own."""
    crs: str | None = None
    """Coordinate system (`EPSG:31370`) of a file that names none; default: for CSV tables degrees
    (WGS 84), for others the file is refused."""
    lon: Column | None = None
    """CSV: column of longitude (or easting); default: `lon`, `longitude`, `long` or `x`."""
    lat: Column | None = None
    """CSV: column of latitude (or northing); default: `lat`, `latitude` or `y`."""
    erode: float | None = Field(None, ge=0, le=1000)
    """`polygons`: metres that polygons are made smaller all around, so that no pixel is of two
    fields; default: a pixel of the area's sensor (10, of Landsat and HLS 30)."""
    per_polygon: Annotated[int, Field(ge=1)] | Literal["all"] = 20
    """`polygons`: pixels of a polygon that become samples at most, drawn at random."""
    min_samples: int = Field(10, ge=1)
    """Classes with fewer samples in a set are dropped from it, with a warning."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of the draw of pixels within polygons."""

    @model_validator(mode="after")
    def _check(self) -> Survey:
        for name, kind in kinds().items():
            idle = [key for key in kind.keys if self._given(key)]
            if name != self.kind and idle:
                raise ValueError(f"{', '.join(idle)}: for `kind: {name}` alone; leave it out")
        columns = [c for c in (self.column, self.date, self.weight, self.group) if c is not None]
        twice = next((c for i, c in enumerate(columns) if c in columns[:i]), None)
        if twice is not None and {self.column, self.group} != {twice}:
            raise ValueError(f"the column {twice!r} is named for two things")
        return self

    def _given(self, key: str) -> bool:
        default: Any = type(self).model_fields[key].default
        return bool(getattr(self, key) != default)
