"""The forms of files that surveys come in -> features with shapes and a coordinate system."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sitsformer.config import ConfigError, Survey
from sitsformer.polygons import layer_of
from sitsformer.surveys import tables

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pyproj import CRS

logger = logging.getLogger("sitsformer")

PARQUET = (".parquet", ".geoparquet", ".pq")

FOREIGN = {
    (".xlsx", ".xls", ".ods"): "a workbook of a spreadsheet; save the sheet as CSV (UTF-8)",
    (".tif", ".tiff", ".vrt", ".nc"): (
        "a raster is no survey; it is a label under `rasters.labels` of an area (docs/rasters.md)"
    ),
}
"""Endings of files that hold no features -> what to do with them."""


def features(path: Path, survey: Survey, where: str) -> GeoDataFrame:
    """Features of a file in any of the forms, with a CRS; numbered from 1.

    Args:
        path: of the file.
        survey: its section of the config.
        where: the layer and its file, for messages.

    Raises:
        ConfigError: it cannot be read, holds no features, or nobody says where they are.
    """
    import geopandas

    suffix = path.suffix.lower()
    for endings, remedy in FOREIGN.items():
        if suffix in endings:
            raise ConfigError(f"{where}: {remedy}")
    asked = _asked(survey, where)
    try:
        if suffix in tables.ENDINGS:
            if survey.kind != "points":
                raise ConfigError(f"{where}: a table holds points; say `kind: points`")
            frame = tables.read(path, survey, asked, where)
        elif suffix in PARQUET:
            frame = _parquet(path, where)
        else:
            frame = _layer(path, survey, where)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{where} cannot be read: {error}") from None
    if not isinstance(frame, geopandas.GeoDataFrame):
        raise ConfigError(f"{where} is a table without shapes; save it as CSV with lon and lat")
    if frame.empty:
        raise ConfigError(f"{where} holds no features")
    frame.index = np.arange(1, len(frame) + 1)
    return _placed(frame, asked, survey, where)


def _parquet(path: Path, where: str) -> GeoDataFrame:
    import geopandas
    from pyarrow.parquet import read_schema

    if b"geo" not in (read_schema(path).metadata or {}):
        raise ConfigError(
            f"{where} is a table without shapes, not a GeoParquet; save it as CSV with lon and lat"
        )
    return geopandas.read_parquet(path)


def _layer(path: Path, survey: Survey, where: str) -> GeoDataFrame:
    """A layer of a file that GDAL reads; names of a Shapefile are made legible."""
    import geopandas

    if path.suffix.lower() == ".shp":
        there = {one.suffix.lower() for one in path.parent.glob(f"{path.stem}.*")}
        if lacking := sorted({".shx", ".dbf"} - there):
            raise ConfigError(
                f"{where} lacks {' and '.join(path.stem + one for one in lacking)} beside it: a "
                "Shapefile is four files, .shp, .shx, .dbf and .prj"
            )
    layer = layer_of(path, where, survey.layer, "name the one that is meant with `layer`")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", RuntimeWarning)
        frame = geopandas.read_file(path, layer=layer)
        if path.suffix.lower() == ".shp" and _is_utf8(frame, survey.column):
            logger.warning(
                "%s: its names are UTF-8, which it does not say (a .cpg file would)", where
            )
            frame = geopandas.read_file(path, layer=layer, encoding="UTF-8")
    for text in dict.fromkeys(str(one.message) for one in told):
        logger.warning("%s: %s", where, text)
    return frame


def _is_utf8(frame: GeoDataFrame, column: str) -> bool:
    """Whether names that were read as Latin-1 are UTF-8: nobody writes `maÃ¯s`."""
    if column not in frame.columns:
        return False
    names = {str(cell) for cell in frame[column] if not str(cell).isascii()}
    try:
        return bool(names) and all(name.encode("latin-1").decode("utf-8") for name in names)
    except UnicodeError:
        return False


def _asked(survey: Survey, where: str) -> CRS | None:
    """The CRS that the config names."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    if survey.crs is None:
        return None
    try:
        return CRS.from_user_input(survey.crs)
    except CRSError as error:
        raise ConfigError(
            f"{where}: {survey.crs!r} (`crs`) is no coordinate reference system: {error}; "
            "write its code, as EPSG:31370"
        ) from None


def _placed(frame: GeoDataFrame, asked: CRS | None, survey: Survey, where: str) -> GeoDataFrame:
    """The features with the CRS that the file or the config names."""
    if frame.crs is None and asked is None:
        raise ConfigError(
            f"{where} has no coordinate reference system; name the one it is in with `crs`"
        )
    if frame.crs is None:
        return frame.set_crs(asked)
    if asked is not None and frame.crs != asked:
        raise ConfigError(
            f"{where} says {frame.crs.name}, and `crs` {survey.crs}; leave `crs` out, or correct "
            "the file"
        )
    return frame
