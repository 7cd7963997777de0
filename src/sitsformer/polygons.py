"""Polygons of a user's vector file: of an area, or of splits.

Files hold what people draw: rings that cross themselves, features without a shape, a CRS that does
not belong to the coordinates. What can be mended is; anything else is refused with the number of
the feature, counted from 1 in the order of the file.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sitsformer.config import ConfigError

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from shapely.geometry.base import BaseGeometry

logger = logging.getLogger("sitsformer")

POLYGON, MULTIPOLYGON = 3, 6
"""Numbers of the types of shapes (OGC Simple Features)."""

GEOJSON = " (a GeoJSON file without one is taken to be in degrees)"

FAR, FAR_OF_ZONE = 2.0, 12.0
"""Degrees beyond the area of use of a CRS from which on coordinates are taken for those of
another; east and west of a zone, which one country may use for all of its width."""


def read(path: Path, what: str) -> GeoDataFrame:
    """Read the polygons of a vector file, whole and in its own CRS.

    Returns:
        All features and columns; the index counts features from 1. Shapes are yet to be checked,
        by `mended`.

    Raises:
        ConfigError: the file cannot be read, or has no shapes, several layers or no CRS.
    """
    import geopandas

    where = f"{what} {path}"
    try:
        frame = geopandas.read_file(path, layer=layer_of(path, where))
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{where} cannot be read: {error}") from None
    if not isinstance(frame, geopandas.GeoDataFrame) or frame.empty:
        raise ConfigError(f"{where} holds no polygons; draw some")
    if frame.crs is None:
        raise ConfigError(f"{where} has no coordinate reference system; set the one it is in")
    frame.index = frame.index + 1
    return frame


def layer_of(
    path: Path,
    where: str,
    asked: str | None = None,
    remedy: str = "save the one that is meant as a file of its own",
) -> str | None:
    """The layer with shapes: the one asked for, or the only one.

    A GeoPackage may hold tables of styles beside it.

    Args:
        path: of the file.
        where: it, for messages.
        asked: name of the layer; None: the only one.
        remedy: what to do about several.

    Raises:
        ConfigError: there is no such layer, or there are several.
    """
    import geopandas

    found = geopandas.list_layers(path)
    layers = [str(name) for name in found.name[found.geometry_type.notna()]]
    if asked is not None:
        if asked not in layers:
            raise ConfigError(f"{where} has no layer {asked!r}; it has {', '.join(layers)}")
        return asked
    if len(layers) > 1:
        raise ConfigError(f"{where} holds several layers, {', '.join(layers)}; {remedy}")
    return layers[0] if layers else None


def mended(frame: GeoDataFrame, where: str) -> GeoDataFrame:
    """The same features with valid polygons, nothing but polygons.

    Raises:
        ConfigError: a feature without a polygon, or with coordinates that its CRS cannot have.
    """
    from shapely import area, force_2d, get_type_id, is_valid

    shapes = force_2d(frame.geometry.to_numpy())
    whole = is_valid(shapes) & np.isin(get_type_id(shapes), (POLYGON, MULTIPOLYGON))
    for position in np.flatnonzero(~(whole & (area(shapes) > 0))):
        here = f"{where}: feature {frame.index[position]}"
        shapes[position] = _mend(shapes[position], here)
    frame = frame.set_geometry(shapes, crs=frame.crs)
    check_place(frame, where)
    return frame


def _mend(shape: BaseGeometry | None, here: str) -> BaseGeometry:
    """A shape that is no valid polygon as one."""
    from shapely import get_coordinates, is_valid_reason

    if shape is None or shape.is_empty:
        raise ConfigError(f"{here} has no shape; draw it, or delete the feature")
    if not np.isfinite(get_coordinates(shape)).all():
        raise ConfigError(f"{here} has coordinates that are no numbers; draw it again")
    polygons = only_polygons(shape)
    if polygons.area == 0:
        raise ConfigError(
            f"{here} is a {shape.geom_type} without an area; draw a polygon, or delete it"
        )
    if not shape.is_valid:
        logger.warning("%s was mended: %s", here, is_valid_reason(shape))
    return polygons


def only_polygons(shape: BaseGeometry) -> BaseGeometry:
    """The valid polygons of a shape, without points and lines."""
    from shapely import get_parts, make_valid, union_all

    valid = shape if shape.is_valid else make_valid(shape, method="structure", keep_collapsed=False)
    if valid.geom_type in ("Polygon", "MultiPolygon"):
        return valid
    parts = get_parts(valid)
    if valid.geom_type == "GeometryCollection":
        parts = np.concatenate([get_parts(part) for part in parts] or [parts])
    found: BaseGeometry = union_all([p for p in parts if p.geom_type == "Polygon"])
    return found


def _strangers(frame: GeoDataFrame) -> str:
    """Which features have no coordinates in degrees, where most of them do."""
    boxes = frame.bounds.to_numpy()
    with np.errstate(invalid="ignore"):
        wrong = (np.abs(boxes[:, [0, 2]]) > 180).any(1) | (np.abs(boxes[:, [1, 3]]) > 90).any(1)
    if 2 * wrong.sum() >= np.isfinite(boxes).all(1).sum():
        return ""
    first = int(wrong.argmax())
    x, y = boxes[first, :2]
    return (
        f"{int(wrong.sum())} of {len(frame)} features are not in the system of the others, feature "
        f"{frame.index[first]} ({x:.9g}, {y:.9g}) the first of them; correct these, or split the "
        "file by system"
    )


def check_place(frame: GeoDataFrame, where: str) -> None:
    """Refuse coordinates that are not of the CRS that the file names."""
    west, south, east, north = frame.total_bounds
    crs = frame.crs
    remedy = "set the coordinate reference system that the coordinates are in"
    if crs.is_geographic and (west < -180 or east > 180 or south < -90 or north > 90):
        raise ConfigError(
            f"{where} says {crs.name}, but its coordinates, {west:.9g} to {east:.9g} and "
            f"{south:.9g} to {north:.9g}, are no longitudes and latitudes: "
            f"{_strangers(frame) or remedy + GEOJSON}"
        )
    try:
        west, south, east, north = frame.to_crs(4326).total_bounds
    except Exception as error:
        raise ConfigError(f"{where}: {crs.name} is no place on Earth: {error}; {remedy}") from None
    if not np.isfinite([west, south, east, north]).all():
        raise ConfigError(f"{where}: coordinates that {crs.name} does not have; {remedy}")
    use = crs.area_of_use
    if use is None or use.west > use.east:
        return
    operation = crs.coordinate_operation
    zone = operation is not None and operation.method_name == "Transverse Mercator"
    aside = FAR_OF_ZONE if zone else FAR
    if (
        east < use.west - aside
        or west > use.east + aside
        or north < use.south - FAR
        or south > use.north + FAR
    ):
        raise ConfigError(
            f"{where} says {crs.name}, which is used at {use.west:g} to {use.east:g} degrees "
            f"east and {use.south:g} to {use.north:g} north; its coordinates would lie at "
            f"{west:.3f} to {east:.3f} and {south:.3f} to {north:.3f}: {remedy}"
        )


def project(shapes: Any, source: Any, epsg: int) -> Any:
    """Shapes (an array of them or one) -> a UTM zone.

    Lines that are straight in one CRS are curved in another: vertices are added first, every 0.02
    degrees or 2 km.
    """
    from pyproj import Transformer
    from shapely import segmentize, transform

    if source.to_epsg() == epsg:
        return shapes
    dense = segmentize(shapes, 0.02 if source.is_geographic else 2000 / metres(source))
    move = Transformer.from_crs(source, epsg, always_xy=True).transform
    return transform(dense, lambda points: np.column_stack(move(points[:, 0], points[:, 1])))


def metres(crs: Any) -> float:
    """Length of the unit of a projected CRS."""
    return float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0
