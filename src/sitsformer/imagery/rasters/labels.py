"""Label rasters on any grid -> layers of codes on the tile's grid."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.classes import HIGHEST_CODE, NO_LABEL, Legend
from sitsformer.config import Area, LabelRaster, expand, is_address
from sitsformer.errors import SitsError
from sitsformer.grid import Tile, area_geometry
from sitsformer.imagery.rasters.pixels import Block, check, crs_of, on_grid
from sitsformer.imagery.rasters.values import known
from sitsformer.legends import load_legend

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

logger = logging.getLogger("sitsformer")


def read(label: LabelRaster, area: Area, tile: Tile, where: str) -> tuple[NDArray[Any], Legend]:
    """Read a label raster at the pixels of a tile, by nearest neighbour.

    Returns:
        (y, x) uint8 or uint16 codes, and the legend, whose `no_label` says which code is none.

    Raises:
        SitsError: the file cannot be read, has no such band, does not reach the area, or has codes
            that the legend lacks.
    """
    from rasterio.errors import RasterioError

    name = Path(label.path).name
    legend = load_legend(label.legend)
    block = Block(tile.epsg, tile.west, tile.north, tile.size, tile.size, tile.pixel)
    try:
        with open_raster(label, where) as dataset, on_grid(dataset, block) as view:
            values, seen = view.read((label.band,))
            own = dataset.nodatavals[label.band - 1]
            if not seen.any():
                _check_reach(dataset, area, where)
    except RasterioError as error:
        raise SitsError(f"{where}.path: {label.path} cannot be read: {error}") from None
    nodata = own if label.nodata is None else label.nodata
    codes = values[0]
    # The config goes before the file: there its value may be a code of the legend like any other.
    none = {nodata, own if own not in legend.codes else nodata}
    labelled = seen & known(codes, [float(value) for value in none if value is not None])
    if label.nodata is None and own in legend.codes and own != NO_LABEL and (codes == own).any():
        logger.warning(
            "%s: code %d is in the legend, and means no label since the file names it for that "
            "(its nodata value); set `nodata` if it is a class",
            where,
            own,
        )
    if nodata is not None and nodata != NO_LABEL:
        legend = legend.with_zero()
    if NO_LABEL not in legend.codes or legend.no_label == NO_LABEL:
        zero = labelled & (codes == NO_LABEL)
        if zero.any() and NO_LABEL in legend.codes and label.nodata is None:
            logger.warning(
                "%s: code 0 is in the legend, and means no label since the file names no other "
                "value for that; set `nodata` if 0 is a class",
                where,
            )
        labelled &= ~zero
    if not labelled.any():
        logger.warning("%s: %s has no label in tile %s", where, name, tile.name)
    _check_codes(codes[labelled], legend, name, where)
    dtype = legend.dtype
    layer = np.full(codes.shape, legend.no_label, dtype)
    layer[labelled] = codes[labelled].astype(dtype)
    return layer, legend


def glance(label: LabelRaster, where: str) -> None:
    """Check the header of a label raster and its legend.

    Raises:
        SitsError: as `read` does for them.
    """
    load_legend(label.legend)
    with open_raster(label, where) as dataset:
        check(dataset)


def open_raster(label: LabelRaster, where: str) -> DatasetReader:
    """Open the file of a label raster.

    Raises:
        SitsError: it is not a raster, or lacks the band.
        RasterioError: it is damaged.
    """
    import rasterio
    from rasterio.errors import RasterioError

    remote = is_address(label.path)
    path = label.path if remote else str(expand(label.path))
    name = Path(path).name
    try:
        dataset: DatasetReader = rasterio.open(f"/vsicurl/{path}" if remote else path)
    except RasterioError as error:
        if not remote and _is_vector(Path(path)):
            raise SitsError(
                f"{where}.path: {name} holds polygons or other vector data; make a raster of "
                f"their codes first, say with `gdal_rasterize -a code -tr 10 10 -ot UInt16 "
                f"{name} labels.tif` in metres of the area's UTM zone"
            ) from None
        raise SitsError(f"{where}.path: {path} cannot be read: {error}") from None
    if dataset.count == 0:
        dataset.close()
        raise SitsError(
            f"{where}.path: {name} has no band of its own, but several rasters inside; "
            "extract the one that holds the labels (gdal_translate)"
        )
    if label.band > dataset.count:
        count = dataset.count
        dataset.close()
        raise SitsError(f"{where}.band: {name} has {count} bands, not {label.band}")
    return dataset


def _is_vector(path: Path) -> bool:
    import geopandas

    try:
        return path.exists() and len(geopandas.list_layers(path)) > 0
    except Exception:  # whatever the reader says of it, it is not vector data
        return False


def _check_reach(dataset: DatasetReader, area: Area, where: str) -> None:
    """Refuse a raster that lies elsewhere than the whole area: its system or place is wrong."""
    from rasterio.warp import transform_bounds

    west, south, east, north = area_geometry(area).bounds
    left, bottom, right, top = transform_bounds(
        crs_of(dataset), "EPSG:4326", *dataset.bounds, densify_pts=21
    )
    if left > east or right < west or bottom > north or top < south:
        raise SitsError(
            f"{where}.path: {Path(dataset.name).name} does not reach the area: it covers "
            f"{left:.4f}, {bottom:.4f}, {right:.4f}, {top:.4f} degrees (west, south, east, north), "
            f"the area is {west:.4f}, {south:.4f}, {east:.4f}, {north:.4f}; check the file's "
            "coordinate reference system (gdalinfo) and the area's bounds"
        )


def _check_codes(codes: NDArray[Any], legend: Legend, name: str, where: str) -> None:
    found, counts = np.unique(codes, return_counts=True)
    lacking = ~np.isin(found, legend.codes)
    if lacking.any():
        shown = ", ".join(f"{code:.10g}" for code in found[lacking][:8].tolist())
        more = ", ..." if lacking.sum() > 8 else ""
        remedy = "add rows for them to the legend, or set `nodata`"
        if found[lacking].max() > HIGHEST_CODE:
            remedy = (
                f"layers hold codes up to {HIGHEST_CODE}: set `nodata` if they mean no label, "
                "number the classes anew in raster and legend, or give the polygons that the "
                "raster was made of as a survey, whose codes may be as large (docs/labels.md)"
            )
        raise SitsError(
            f"{where}.legend: {name} holds codes that the legend {legend.name} lacks: {shown}"
            f"{more}; {counts[lacking].sum()} of {codes.size} pixels have them; {remedy}"
        )
