"""Areas, and the settings of the sources that pixels come from."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sitsformer.config.base import TILE_STEP, Fraction, Name, Section


class Tiles(Section):
    """How an area is cut into tiles."""

    size: int = Field(126, ge=TILE_STEP, le=4998, multiple_of=TILE_STEP)
    """Side of a tile, pixels of 10 m; a multiple of 6, so that 10, 20 and 60 m bands nest."""
    count: Annotated[int, Field(ge=1)] | Literal["all"] = "all"
    """How many tiles: all that touch the area, or this many drawn at random."""
    seed: int = Field(0, ge=0)
    """Seed of the draw of tiles."""


class LabelRaster(Section):
    """A label raster of a `rasters` area."""

    path: str
    """GeoTIFF (or any raster GDAL reads) of class codes, on any grid. `$VAR` is expanded."""
    band: int = Field(1, ge=1)
    """Band of the file, counted from 1."""
    legend: str
    """`worldcover`, `cdl`, or the path of a CSV table `code,name,colour` (docs/rasters.md)."""
    nodata: int | None = None
    """Code that means no label; default: the file's own nodata value, else 0."""


class Clouds(Section):
    """How `rasters` finds clear pixels."""

    by: Literal["scl", "mask", "simple", "none"] = "simple"
    """`scl`: a scene-classification band; `mask`: a 0/1 band, 1 = clear; `simple`: thresholds on
    the blue and short-wave infrared bands (docs/rasters.md); `none`: every valid pixel is clear."""
    band: str | None = None
    """Description or number of the SCL or mask band in each file; needed by `scl` and `mask`."""
    scl_clear: tuple[int, ...] = (4, 5, 6, 7)
    """SCL codes taken as clear: vegetation, bare, water, unclassified."""
    blue_max: float = Field(0.18, gt=0, le=1)
    """`simple`: a pixel whose blue (B02) reflectance is above this is cloud."""
    swir_min: float = Field(0.0, ge=0, le=1)
    """`simple`: a pixel whose B11 reflectance is below this is shadow or water."""


class Rasters(Section):
    """A folder of GeoTIFFs, one acquisition a file, or one NetCDF/Zarr cube."""

    path: str
    """Folder of GeoTIFFs, or one `.nc` / `.zarr` cube. `$VAR` is expanded."""
    pattern: str = "*.tif"
    """Which files of the folder are acquisitions."""
    date_pattern: str = r"(?P<date>\d{8})(T(?P<time>\d{6}))?"
    """Regular expression that finds the date (YYYYMMDD, optionally a time) in the file name."""
    bands: tuple[str, ...] | None = None
    """Band names in the order of the file's bands; default: the file's band descriptions."""
    scale: float = Field(1e-4, gt=0)
    """Reflectance = stored value x scale + offset."""
    offset: float = 0.0
    """See `scale`; -0.1 for products of baseline 04.00 or later that are not harmonised."""
    nodata: int | None = None
    """Stored value of a missing pixel; default: the file's own, else 0."""
    on_broken: Literal["stop", "skip"] = "stop"
    """What to do with a file that cannot be read: it is named either way."""
    clouds: Clouds = Clouds()
    labels: dict[Name, LabelRaster] = {}
    """Label rasters by the name of the layer they become in the cube."""


class Area(Section):
    """A region of the world and a season."""

    source: Literal["synthetic", "rasters", "earthengine"]
    """Where pixels come from."""
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
    """Label layers wanted in the cubes: `worldcover`, `cdl`, or names under `rasters.labels`."""
    tiles: Tiles = Tiles()
    rasters: Rasters | None = None
    """Where the files are; only for `source: rasters`."""

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
        if (self.source == "rasters") != (self.rasters is not None):
            raise ValueError("a `rasters` section belongs to `source: rasters`, and only to it")
        known = set(self.rasters.labels) if self.rasters is not None else {"worldcover", "cdl"}
        unknown = [name for name in self.labels if name not in known]
        if unknown:
            raise ValueError(f"unknown label {unknown[0]!r}; this source has {sorted(known)}")
        return self


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

    seed: int = Field(0, ge=0)
    """Seed of the landscape: parcels, crops, weather, clouds."""
    revisit: int = Field(5, ge=1, le=30)
    """Days between overpasses."""
    cloudiness: Fraction = 0.55
    """Mean share of the sky under cloud over the season."""
    label_error: Fraction = 0.08
    """Share of parcels whose land-cover and crop label is wrong."""
    parcel: float = Field(140.0, gt=20)
    """Typical side of a parcel, metres."""


class EarthEngine(Section):
    """How Earth Engine is asked; see docs/earthengine.md."""

    project: str | None = None
    """Cloud project; default: the environment variable EARTHENGINE_PROJECT."""
    service_account_key: str | None = None
    """Path of a service-account key file; default: the ordinary Earth Engine credentials."""
    url: str = "https://earthengine-highvolume.googleapis.com"
    """Endpoint; the high-volume one by default."""
    export: Literal["direct", "batch"] = "direct"
    """`direct`: computePixels requests; `batch`: Export tasks to `bucket` or `drive_folder`."""
    bucket: str | None = None
    """`batch`: Google Cloud Storage bucket."""
    drive_folder: str | None = None
    """`batch`: Google Drive folder, read back from `drive_path`."""
    drive_path: str | None = None
    """`batch`: local folder where the Drive folder is mounted or synchronised."""
    batch_timeout: float = Field(24.0, gt=0)
    """`batch`: hours to wait for the tasks."""
    concurrent: int = Field(20, ge=1, le=40)
    """Requests under way at once."""
    rate: float = Field(40.0, gt=0, le=100)
    """Requests started per second."""
    deadline: float = Field(120.0, gt=0)
    """Seconds after which one request is given up (and tried again or split)."""
    attempts: int = Field(8, ge=1, le=20)
    """Tries of one request before the export fails."""
    min_clear: Fraction = 0.05
    """Dates with a smaller clear share of the tile are left out before their pixels are fetched."""
    clear_score: int = Field(60, ge=0, le=100)
    """`min_clear` counts pixels whose cloud score is at least this."""
    cloud_score: Literal["cs", "cs_cdf"] = "cs_cdf"
    """Cloud Score+ band that becomes `clear`."""
    cache: str = ".cache/earthengine"
    """Folder of finished requests; `sitsformer cache` shows and empties it."""
    cache_gb: float = Field(20.0, ge=0)
    """Size the cache is kept under, GB."""

    @model_validator(mode="after")
    def _check(self) -> EarthEngine:
        if self.export == "batch" and (self.bucket is None) == (self.drive_folder is None):
            raise ValueError("export: batch needs either a `bucket` or a `drive_folder`")
        if self.drive_folder is not None and self.drive_path is None:
            raise ValueError(
                "drive_folder needs drive_path, the local folder where Drive is mounted"
            )
        return self
