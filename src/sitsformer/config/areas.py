"""Areas, and the settings of the sources that pixels come from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import PurePath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    ConfigDict,
    Field,
    field_validator,
    model_serializer,
    model_validator,
)

from sitsformer.config.base import Fraction, Name, OneOf, Section, Seed
from sitsformer.sensors import DEFAULT, SENTINEL2, sensors, unfit
from sitsformer.sources import sources


class Tiles(Section):
    """How an area is cut into tiles."""

    size: int = Field(126, ge=2, le=4998)
    """Side of a tile, pixels of the sensor; of Sentinel-2 a multiple of 6, so that 10, 20 and 60 m
    bands nest, of Landsat and HLS an even number."""
    count: Annotated[int, Field(ge=1)] | Literal["all"] = "all"
    """How many tiles: all that touch the area, or this many drawn at random."""
    seed: Seed = 0
    """Seed of the draw of tiles."""


class LabelRaster(Section):
    """A label raster of a `rasters` area."""

    path: str
    """GeoTIFF (or any raster GDAL reads) of class codes, on any grid. `$VAR` is expanded."""
    band: int = Field(1, ge=1)
    """Band of the file, counted from 1."""
    legend: str
    """A label product (`worldcover`, `cdl`), or the path of a CSV table `code,name,colour`
    (docs/rasters.md)."""
    nodata: int | None = None
    """Code that means no label; default: the file's own nodata value, else 0. Where it is not 0, a
    code 0 of the legend is a class."""


class Clouds(Section):
    """How `rasters` finds clear pixels."""

    by: Literal["scl", "bits", "mask", "probability", "simple", "none"] = "simple"
    """`scl`: a scene-classification band; `bits`: a band of bits that say what hides the ground,
    such as QA_PIXEL of Landsat and Fmask of HLS; `mask`: a band with 1 where clear (`mask_clear`);
    `probability`: a band of cloud probabilities (`probability_max`); `simple`: thresholds on the
    blue and short-wave infrared bands (docs/rasters.md); `none`: every valid pixel is clear."""
    band: str | None = None
    """Name or number of the SCL, bits, mask or probability band; needed by these four, but for the
    bits of a sensor whose products have such a band."""
    scl_clear: tuple[int, ...] = SENTINEL2.scene_clear
    """SCL codes taken as clear: vegetation, bare, water, unclassified."""
    bits: tuple[Annotated[int, Field(ge=0, le=31)], ...] | None = None
    """`bits`: bits, counted from 0, of which none is set where a pixel is clear; default: those of
    the sensor's own band."""
    mask_clear: tuple[int, ...] | None = None
    """`mask`: values that mean clear; default: 1, or 255 where the band has no 1."""
    probability_max: float = Field(40.0, gt=0, le=255, allow_inf_nan=False)
    """`probability`: highest value of a clear pixel, in the unit of the band: 40 for percent, 0.4
    for a band from 0 to 1."""
    blue_max: float = Field(0.18, gt=0, le=1)
    """`simple`: a pixel whose blue reflectance (B02) is above this is cloud."""
    swir_min: float = Field(0.0, ge=0, le=1)
    """`simple`: a pixel whose reflectance at 1.6 um (B11) is below this is shadow or water."""


class DatedOffset(Section):
    """An offset of the acquisitions of some dates."""

    model_config = ConfigDict(populate_by_name=True)

    before: date | None = None
    """The acquisitions before this day, which is not among them."""
    since: date | None = Field(None, alias="from")
    """The acquisitions from this day on."""
    value: float = Field(allow_inf_nan=False)
    """Their offset."""

    @model_validator(mode="after")
    def _check(self) -> DatedOffset:
        if self.before is None and self.since is None:
            raise ValueError("say for which dates the value is: `before`, `from`, or both")
        if self.before is not None and self.since is not None and self.before <= self.since:
            raise ValueError(f"no day is from {self.since} on and before {self.before}")
        return self

    @model_serializer
    def _plain(self) -> dict[str, Any]:
        return {"before": self.before, "from": self.since, "value": self.value}

    def holds(self, day: date) -> bool:
        """Whether the value is for a day."""
        late = self.since is None or self.since <= day
        return late and (self.before is None or day < self.before)


def _one_for_a_day(offset: object) -> object:
    """Refuse offsets of which two are for one day."""
    if not isinstance(offset, tuple):
        return offset
    if not offset:
        raise ValueError("an empty list; give a number, or `{before: ..., value: ...}`")
    ordered = sorted(offset, key=lambda part: part.since or date.min)
    for part, following in pairwise(ordered):
        if following.since is None or part.before is None or part.before > following.since:
            raise ValueError("two of its values are for the same dates")
    return offset


class Rasters(Section):
    """A folder of GeoTIFFs, or one NetCDF/Zarr cube."""

    path: str
    """Folder of GeoTIFFs, or one `.nc` / `.zarr` cube (a group of it: `cube.zarr/group`). `$VAR`
    is expanded."""
    pattern: str = "*.tif"
    """Which files of the folder are acquisitions, or bands of acquisitions."""
    date_pattern: str = (
        r"(?<!\d)(?P<date>\d{4}([-_.]?)\d{2}\2\d{2}|\d{4}-?\d{3})"
        r"(T?(?P<time>\d{6}|\d{2}[-_.]\d{2}[-_.]\d{2}))?(?!\d)"
    )
    """Regular expression that finds `(?P<date>...)` in the file name: YYYYMMDD, YYYY-MM-DD or year
    and day of year; optionally `(?P<time>...)` and, where each band is a file, `(?P<band>...)`."""
    date_format: str | None = None
    """How the date is written, in the letters of strptime (`%d%m%y`), where the forms above are
    not it."""
    bands: tuple[str, ...] | None = None
    """Band names in the order of the file's or the cube's bands; default: its own names."""
    scale: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Reflectance = stored value x scale + offset; default: what the file says, else what products
    of the sensor have: 0.0001, of Landsat 0.0000275 with the offset -0.2."""
    offset: Annotated[float, Field(allow_inf_nan=False)] | tuple[DatedOffset, ...] | None = None
    """See `scale`; -0.1 for products of baseline 04.00 or later that are not harmonised. By date:
    `[{before: 2022-01-25, value: 0}, {from: 2022-01-25, value: -0.1}]`. Default: what the file
    says, else 0."""
    nodata: float | None = None
    """Stored value of a missing pixel, beside what the file says; default: 0 if it says nothing."""
    on_broken: Literal["stop", "skip"] = "stop"
    """What to do with a file that cannot be read: it is named either way."""
    clouds: Clouds = Clouds()
    labels: dict[Name, LabelRaster] = {}
    """Label rasters by the name of the layer they become in the cube."""

    @field_validator("pattern")
    @classmethod
    def _lies_below(cls, pattern: str) -> str:
        parts = PurePath(pattern).parts
        mixed = [part for part in parts if "**" in part and part != "**"]
        if PurePath(pattern).is_absolute() or ".." in parts or mixed or not parts:
            raise ValueError(
                f"{pattern!r} does not tell files below `path`: write names with * and ?, such as "
                "*.tif, or **/*.tif with the folders in it"
            )
        return pattern

    @field_validator("date_pattern")
    @classmethod
    def _finds_a_date(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groupindex
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        if "date" not in groups:
            raise ValueError(f"{pattern!r} has no group (?P<date>...) that finds the date")
        return pattern

    @field_validator("date_format")
    @classmethod
    def _names_a_day(cls, form: str | None) -> str | None:
        day = datetime(2021, 11, 23)
        try:
            told = form is None or datetime.strptime(day.strftime(form), form) == day
        except ValueError:
            told = False
        if not told:
            raise ValueError(
                f"{form!r} does not tell a day: it needs a year (%Y or %y), and a month and day "
                "(%m%d) or the day of the year (%j)"
            )
        return form

    _one_for_a_day = field_validator("offset")(_one_for_a_day)


class ItemClouds(Clouds):
    """How `stac` finds clear pixels."""

    by: Literal["scl", "bits", "mask", "probability", "simple", "none"] = "scl"
    """As `rasters.clouds.by`; by default the scene classification of each item."""
    band: str | None = "SCL"
    """Key of the asset with the SCL, bits, mask or probabilities, in any case of letters."""

    @model_validator(mode="before")
    @classmethod
    def _own_band(cls, values: Any) -> Any:
        """Bits without a band are those of the sensor's own."""
        if isinstance(values, Mapping) and values.get("by") == "bits" and "band" not in values:
            return {**values, "band": None}
        return values


_RASTERS = (".tif", ".tiff", ".jp2", ".vrt", ".img", ".nc", ".zarr")
"""Endings of what is imagery, and no catalogue of it."""


class Stac(Section):
    """A SpatioTemporal Asset Catalog with the images of the area; see docs/stac.md."""

    url: str
    """Address of an API (`https://earth-search.aws.element84.com/v1`); or address or path of a
    static catalogue, a collection, or a file of items. `$VAR` is expanded."""
    collection: str | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Collection to look in, or several (`[hls2-l30, hls2-s30]`); an API needs it, a static
    catalogue is taken whole without it."""
    sign: Literal["none", "planetary_computer"] = "none"
    """How files are asked for: as they are listed, or with the signatures that the Planetary
    Computer of Microsoft gives to everyone."""
    max_cloud: float = Field(100.0, ge=0, le=100)
    """Items that say a larger `eo:cloud_cover`, percent, are left out."""
    exclude: tuple[str, ...] = ()
    """Ids of items that are left out."""
    assets: dict[str, str] = {}
    """Key of the asset of a band (`B05: red_edge_1`), where its key or its bands do not say it."""
    scale: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Reflectance = stored value x scale + offset; default: what the item says, else 0.0001."""
    offset: Annotated[float, Field(allow_inf_nan=False)] | tuple[DatedOffset, ...] | None = None
    """See `scale`; as `rasters.offset`. Default: by the item's metadata, so that all processing
    baselines have one scale (docs/stac.md)."""
    nodata: float | None = None
    """Stored value of a missing pixel, beside what item and file say; default: 0 if both say
    nothing."""
    on_broken: Literal["stop", "skip"] = "stop"
    """What to do with an item that lacks an asset or whose files cannot be read: it is named either
    way."""
    clouds: ItemClouds = ItemClouds()
    labels: dict[Name, LabelRaster] = {}
    """Label rasters by the name of the layer they become in the cube; a `path` may be an address
    (`https://...`), too."""
    cache: str = ".cache/stac"
    """Folder of the lists of items, so that a cube is made of the same items again."""
    concurrent: int = Field(16, ge=1, le=128)
    """Files of one export that are read at once."""
    attempts: int = Field(6, ge=1, le=20)
    """Tries of one request, with growing pauses, before the export fails."""
    timeout: float = Field(60.0, gt=0, le=3600)
    """Seconds after which one request is given up, and tried again."""

    _one_for_a_day = field_validator("offset")(_one_for_a_day)

    @field_validator("url")
    @classmethod
    def _no_raster(cls, url: str) -> str:
        """Refuse the address of one image before all of it is fetched to be read as JSON."""
        if PurePath(urlsplit(url).path.rstrip("/")).suffix.lower() in _RASTERS:
            raise ValueError(
                f"{url.partition('?')[0]} is a raster, not a catalogue; give the root of the "
                "catalogue that lists it, such as https://earth-search.aws.element84.com/v1, or "
                "read files of yours with `source: rasters`"
            )
        return url

    @model_validator(mode="after")
    def _surface_reflectance(self) -> Stac:
        if what := unfit(*self.collections):
            raise ValueError(f"collection: {what}")
        return self

    @property
    def collections(self) -> tuple[str, ...]:
        """Collections to look in; none: all there are."""
        named = self.collection or ()
        return (named,) if isinstance(named, str) else named


class Area(Section):
    """A region of the world and a season."""

    source: Annotated[str, OneOf("source", sources)]
    """Where pixels come from."""
    sensor: Annotated[str, OneOf("sensor", sensors)] = DEFAULT
    """Whose images they are: bands, pixel and scale (docs/sensors.md)."""
    bounds: tuple[float, float, float, float] | None = None
    """West, south, east, north in degrees (WGS 84). Either this or `geometry`."""
    geometry: str | None = None
    """GeoJSON or GeoPackage file with the area's polygons, in any coordinate system that the file
    names. Either this or `bounds`."""
    start: date
    """First day of the season."""
    end: date
    """Last day of the season (inclusive); the season may cross New Year."""
    labels: tuple[Name, ...] = ("worldcover",)
    """Label layers wanted in the cubes: label products (`worldcover`, `cdl`), or names under
    `rasters.labels` or `stac.labels`; default for these sources: all of these. Surveys under
    `labels` are in no cube."""
    tiles: Tiles = Tiles()
    rasters: Rasters | None = None
    """Where the files are; only for `source: rasters`."""
    stac: Stac | None = None
    """Where the catalogue is; only for `source: stac`."""

    @model_validator(mode="before")
    @classmethod
    def _own_labels(cls, values: Any) -> Any:
        """Files of the user have the label layers that their section names, and no others."""
        if not isinstance(values, Mapping) or "labels" in values:
            return values
        section = values.get(str(values.get("source")))
        if values.get("source") not in ("rasters", "stac") or not isinstance(section, Mapping):
            return values
        own = section.get("labels", {})
        return {**values, "labels": tuple(own) if isinstance(own, Mapping) else ()}

    @model_validator(mode="after")
    def _check(self) -> Area:
        if (self.bounds is None) == (self.geometry is None):
            raise ValueError("give either bounds or geometry, not both and not neither")
        if self.bounds is not None:
            _check_bounds(self.bounds)
        if self.end < self.start:
            raise ValueError(f"the season ends ({self.end}) before it starts ({self.start})")
        if (self.end - self.start).days > 731:
            raise ValueError(
                f"the season is {(self.end - self.start).days} days long; at most two years fit "
                "in one area: make several areas"
            )
        for name, item in sources().items():
            given = getattr(self, name, None) is not None
            if item.section == "area" and given != (name == self.source):
                raise ValueError(f"a `{name}` section belongs to `source: {name}`, and only to it")
        known = set(sources()[self.source].labels(self))
        unknown = [name for name in self.labels if name not in known]
        if unknown:
            raise ValueError(
                f"unknown label {unknown[0]!r}; this source has {sorted(known)} (surveys of the "
                "section `labels` are in no cube: only sets name them)"
            )
        return self

    @property
    def label_rasters(self) -> dict[str, LabelRaster]:
        """Label rasters of the section of its source, by the name of the layer."""
        section = self.rasters or self.stac
        return {} if section is None else section.labels

    @property
    def season_year(self) -> int:
        """The year that most days of the season lie in (the later one of two equals)."""
        days = Counter(
            (self.start + timedelta(days=day)).year
            for day in range((self.end - self.start).days + 1)
        )
        return max(days, key=lambda year: (days[year], year))


def _check_bounds(bounds: tuple[float, float, float, float]) -> None:
    west, south, east, north = bounds
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= 90 >= north >= -90):
        raise ValueError(f"bounds {bounds} are not degrees in the order west, south, east, north")
    if west >= east:
        raise ValueError(
            f"west ({west}) is not less than east ({east}): the order is west, south, east, "
            "north; an area across the antimeridian must be given as two areas"
        )
    if south >= north:
        raise ValueError(
            f"south ({south}) is not less than north ({north}): "
            "the order is west, south, east, north"
        )


class Synthetic(Section):
    """The embedded landscape; see docs/synthetic.md for what it is made of."""

    seed: Seed = 0
    """Seed of the landscape: parcels, crops, weather, clouds."""
    revisit: int = Field(5, ge=1, le=30)
    """Days between overpasses."""
    cloudiness: Fraction = 0.4
    """Mean share of the sky under cloud over the season."""
    label_error: Fraction = 0.08
    """Share of parcels whose land-cover and crop label is wrong."""
    parcel: float = Field(140.0, gt=20, le=10_000)
    """Typical side of a parcel, metres."""
