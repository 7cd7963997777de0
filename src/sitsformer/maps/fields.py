"""Parcels with what most of their pixels are mapped as."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sitsformer.errors import SitsError
from sitsformer.maps.codes import MapCodes
from sitsformer.maps.tile import UNKNOWN
from sitsformer.polygons import mended, project, read

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

STRIP = 512
"""Rows that are read together."""

COLUMNS = ("map_class", "map_code", "map_share", "map_pixels", "map_confidence", "map_margin")
"""What is added to a parcel."""


def majority(
    raster: Path, confidence: Path, margin: Path, codes: MapCodes, parcels: Path
) -> GeoDataFrame:
    """The parcels that touch a map, each with the class that most of its pixels have.

    A pixel belongs to the parcel that its centre lies in; where parcels overlap, to the later one
    of the file. Of classes with as many pixels the first of the map counts.

    Args:
        raster: map of classes.
        confidence: of the same pixels, percent.
        margin: of them, percent.
        codes: of the map.
        parcels: vector file of polygons.

    Returns:
        Features and columns of the file, in its own system, with `map_class`, `map_code` (-1 where
        no pixel of a parcel has a class), `map_share` of its classified pixels that are of it,
        `map_pixels` (classified ones), and the mean `map_confidence` and `map_margin` of these.

    Raises:
        SitsError: the file cannot be read, or has such columns already.
    """
    import rasterio

    frame = read(parcels, "maps.parcels:")
    refuse_columns(parcels, frame.columns)
    frame = mended(frame, f"maps.parcels: {parcels}")
    with rasterio.open(raster) as source:
        shapes = project(frame.geometry.to_numpy(), frame.crs, int(source.crs.to_epsg()))
        near = _near(shapes, source.bounds)
        frame, shapes = frame.iloc[near], shapes[near]
        counts, sums = _counted(source, confidence, margin, codes, shapes)
    total, best = counts.sum(1), counts.argmax(1)
    seen = total > 0
    whole = np.maximum(total, 1)
    names, values = np.array(codes.classes.names, object), np.array(codes.values)
    return frame.assign(
        map_class=np.where(seen, names[best], None),
        map_code=np.where(seen, values[best], -1),
        map_share=np.where(seen, counts.max(1) / whole, np.nan),
        map_pixels=total,
        map_confidence=np.where(seen, sums[:, 0] / whole, np.nan),
        map_margin=np.where(seen, sums[:, 1] / whole, np.nan),
    )


def refuse_columns(parcels: Path, columns: Iterable[object]) -> None:
    """Refuse parcels with columns that the map would add.

    Raises:
        SitsError: naming them.
    """
    taken = sorted({str(name).lower() for name in columns} & set(COLUMNS))
    if taken:
        raise SitsError(
            f"maps.parcels: {parcels} has the columns {', '.join(taken)} already, which the map "
            "would add: rename them, or give the file as it was before a map"
        )


def _near(shapes: npt.NDArray[Any], bounds: Any) -> npt.NDArray[np.int64]:
    """Positions of the shapes that touch the frame of a map."""
    from shapely import box, intersects

    return np.flatnonzero(intersects(shapes, box(*bounds)))


def _counted(
    source: Any, confidence: Path, margin: Path, codes: MapCodes, shapes: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Pixels (parcel, class) of each class, and sums (parcel, 2) of confidence and margin."""
    import rasterio
    from rasterio.features import rasterize
    from rasterio.windows import Window
    from shapely import STRtree, box

    classes = len(codes.values)
    counts = np.zeros((len(shapes), classes), np.int64)
    sums = np.zeros((len(shapes), 2))
    if not len(shapes):
        return counts, sums
    tree = STRtree(shapes)
    with rasterio.open(confidence) as sure, rasterio.open(margin) as apart:
        for top in range(0, source.height, STRIP):
            window = Window(0, top, source.width, min(STRIP, source.height - top))
            inside = np.sort(tree.query(box(*source.window_bounds(window)), "intersects"))
            if not len(inside):
                continue
            number = rasterize(
                ((shapes[k], k + 1) for k in inside.tolist()),
                (window.height, window.width),
                transform=source.window_transform(window),
                dtype="int32",
            ).astype(np.int64)
            known = codes.decode(source.read(1, window=window)).astype(np.int64)
            here = (number > 0) & (known > 0)
            parcel, mapped = number[here] - 1, known[here] - 1
            np.add.at(counts, (parcel, mapped), 1)
            beyond = apart.read(1, window=window)[here].astype(np.float64)
            beyond[beyond == UNKNOWN] = 0
            values = np.column_stack([sure.read(1, window=window)[here], beyond])
            np.add.at(sums, parcel, values)
    return counts, sums
