"""Exporters of Earth Engine pixels, ours and peers: each returns what is to be timed.

Each is used in a process of its own. What it runs returns the number of dates in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONCURRENT = 40
START, END = "2021-03-01", "2021-11-30"
WEST, NORTH, EPSG = 522_000, 4_650_000, 32615
"""A corner in Iowa that one granule covers, so that every exporter sees one image a date."""

BANDS = ["B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12"]


@dataclass(frozen=True)
class Job:
    """What one process exports: one of `of` tiles beside each other."""

    url: str
    side: int
    number: int
    of: int

    @property
    def west(self) -> int:
        return WEST + 10 * self.side * self.number

    @property
    def concurrent(self) -> int:
        return CONCURRENT // self.of

    @property
    def tile(self) -> Any:
        from sitsformer.grid import Tile

        name = f"{EPSG}_{self.west}_{NORTH}"
        return Tile("iowa", name, EPSG, self.west, NORTH, self.side)


def ours(job: Job, folder: Path) -> Callable[[], int]:
    """`source: earthengine`, from the list of images to the arrays in memory."""
    from datetime import date

    from sitsformer.config import Area, EarthEngine
    from sitsformer.imagery.earthengine.session import connect
    from sitsformer.imagery.earthengine.source import EarthEngineSource

    settings = EarthEngine(
        url=job.url, project="proj-test", cache=str(folder), concurrent=job.concurrent, rate=100
    )
    area = Area(
        source="earthengine",
        bounds=(-92.7, 41.9, -92.6, 42.0),
        start=date.fromisoformat(START),
        end=date.fromisoformat(END),
        labels=("worldcover", "cdl"),
    )

    class Config:
        earthengine = settings

    connect(settings)
    source = EarthEngineSource(Config())  # type: ignore[arg-type]

    def run() -> int:
        found = source.cube("iowa", area, job.tile).load()
        return int(found.sizes["time"])

    return run


def xee(job: Job, folder: Path, *, dask: bool = False) -> Callable[[], int]:
    """As the README of xee shows, with as many workers as the quota allows."""
    import xarray as xr
    import xee as _  # noqa: F401 (registers the engine)

    _initialize(job)
    images, scores, worldcover, cdl = _collections(job)
    grid = {
        "engine": "ee",
        "crs": f"EPSG:{EPSG}",
        "crs_transform": (10, 0, job.west, 0, -10, NORTH),
        "shape_2d": (job.side, job.side),
        "executor_kwargs": {"max_workers": job.concurrent},
    }
    parts = [images.linkCollection(scores, ["cs_cdf"]), worldcover, cdl]

    def load(collection: Any) -> Any:
        if not dask:
            return xr.open_dataset(collection, **grid).load()
        lazy = xr.open_dataset(collection, chunks={}, **grid)
        return lazy.compute(scheduler="threads", num_workers=job.concurrent)

    def run() -> int:
        opened = [load(part) for part in parts]
        return int(opened[0].sizes["time"])

    return run


def xee_dask(job: Job, folder: Path) -> Callable[[], int]:
    """The same through Dask: all bands at once."""
    return xee(job, folder, dask=True)


def geedim(job: Job, folder: Path) -> Callable[[], int]:
    """Collections by `toXarray`; those of one type each, because it takes the widest for all."""
    from geedim.stac import STACClient

    _initialize(job)
    STACClient().get = lambda ee_id: None  # asked for elsewhere, once a collection
    kinds = ("uint16", "float32", "uint8", "uint8")

    def load(collection: Any, dtype: str) -> Any:
        prepared = collection.gd.prepareForExport(
            crs=f"EPSG:{EPSG}",
            crs_transform=(10, 0, job.west, 0, -10, NORTH),
            shape=(job.side, job.side),
            dtype=dtype,
        )
        return prepared.gd.toXarray(max_requests=job.concurrent)

    def run() -> int:
        parts = zip(_collections(job), kinds, strict=True)
        opened = [load(collection, dtype) for collection, dtype in parts]
        return int(opened[0].sizes["time"])

    return run


def geemap(job: Job, folder: Path) -> Callable[[], int]:
    """`ee_export_image_collection`: a zipped GeoTIFF an image; then their arrays."""
    import ee
    import geemap as package
    import rasterio

    _initialize(job)
    bounds = [job.west, NORTH - 10 * job.side, job.west + 10 * job.side, NORTH]

    def run() -> int:
        dates = 0
        for number, collection in enumerate(_collections(job)):
            target = folder / str(number)
            package.ee_export_image_collection(
                collection,
                str(target),
                crs=f"EPSG:{EPSG}",
                crs_transform=[10, 0, job.west, 0, -10, NORTH],
                region=ee.Geometry.Rectangle(bounds, f"EPSG:{EPSG}", False),
                verbose=False,
            )
            arrays = []
            for path in sorted(target.glob("*.tif")):
                with rasterio.open(path) as source:
                    arrays.append(source.read())
            dates = max(dates, len(arrays))
        return dates

    return run


def _collections(job: Job) -> list[Any]:
    """Reflectances, scores, WorldCover, CDL."""
    import ee

    place = ee.Geometry.Rectangle(
        [job.west, NORTH - 10 * job.side, job.west + 10 * job.side, NORTH], f"EPSG:{EPSG}", False
    )

    def season(name: str) -> Any:
        return ee.ImageCollection(name).filterDate(START, "2021-12-01").filterBounds(place)

    return [
        season("COPERNICUS/S2_SR_HARMONIZED").select(BANDS),
        season("GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED").select(["cs_cdf"]),
        ee.ImageCollection("ESA/WorldCover/v200"),
        ee.ImageCollection("USDA/NASS/CDL").filterDate("2021-01-01", "2022-01-01"),
    ]


def _initialize(job: Job) -> None:
    import ee
    from requests import Session
    from requests.adapters import HTTPAdapter

    ee.deprecation.deprecated_assets = {"": None}
    session = Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=job.concurrent))
    ee.data._get_state().requests_session = session  # the peers, too, get enough connections
    ee.Initialize(credentials=None, url=job.url, project="proj-test")


EXPORTERS = {
    "sitsformer": ours,
    "xee": xee,
    "xee_dask": xee_dask,
    "geedim": geedim,
    "geemap": geemap,
}
