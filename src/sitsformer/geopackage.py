"""GeoPackages as bytes that depend on what is in them alone."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

LONG_AGO = "2000-01-01T00:00:00.000Z"
"""When a GeoPackage says it was changed: never the time it was written at."""


def geopackage(frame: GeoDataFrame, layer: str) -> bytes:
    """The file.

    Args:
        frame: features.
        layer: name of the only layer.
    """
    import pyogrio

    with TemporaryDirectory(prefix="sitsformer-") as folder:
        path = Path(folder) / "whole.gpkg"
        before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": LONG_AGO})
        try:
            frame.to_file(path, layer=layer, driver="GPKG", engine="pyogrio", index=False)
        finally:
            pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
        return path.read_bytes()
