"""A folder of GeoTIFFs, or one NetCDF or Zarr cube, as a source of cubes; see docs/rasters.md."""

from sitsformer.imagery.rasters.source import (
    RasterSource,
    open_source,
    problems,
)

__all__ = [
    "RasterSource",
    "open_source",
    "problems",
]
