"""The accuracy of a map and the areas of its classes, by an independent sample of its ground.

The sample is the user's: points with a class, or a raster that has one where somebody looked. How
it was drawn only its maker knows: at random within each class of the map (`stratified`), or at
random (`simple`). A simple random sample is stratified by map class afterwards, which is at least
as exact, since the size of each mapped class is known (Olofsson et al. 2014, section 3.2).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from sitsformer.errors import SitsError
from sitsformer.evaluation import areas
from sitsformer.maps.codes import MapCodes, read_codes
from sitsformer.maps.mosaic import count
from sitsformer.maps.reference import values_at

logger = logging.getLogger("sitsformer")

Design = Literal["stratified", "simple"]

DRAWN: Mapping[Design, str] = {
    "stratified": "drawn at random within each mapped class",
    "simple": "drawn at random, stratified by mapped class afterwards",
}

COLUMNS = ("class", "label", "code", "reference")
"""Columns that are looked for where nobody says which one holds the class."""

RASTERS = (".tif", ".tiff", ".vrt", ".img")
"""Endings of references that are rasters."""


@dataclass(frozen=True)
class Sample:
    """A reference sample on a map.

    Attributes:
        mapped: (N,) class of the map.
        truth: (N,) true class.
        names, codes: of the classes of the map, and behind them those that only the sample has.
        outside: how many of its units lie where the map has no class.
    """

    mapped: areas.Ints
    truth: areas.Ints
    names: tuple[str, ...]
    codes: tuple[int, ...]
    outside: int


def assess(
    raster: Path,
    reference: Path,
    *,
    design: Design,
    column: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Areas of the classes of a map and its accuracy, with intervals.

    Args:
        raster: map of classes.
        reference: points (any vector file, or CSV with `lon` and `lat`), or a raster of codes.
        design: how it was drawn.
        column: of points, which holds the class: its name, or its code.
        level: of the intervals.

    Returns:
        See `evaluation.areas.table`.

    Raises:
        SitsError: a file cannot be used, or no unit lies on the map.
    """
    import rasterio

    codes = read_codes(raster)
    if reference.suffix.lower() in RASTERS:
        x, y, values = _of_raster(raster, reference)
    else:
        x, y, values = _of_points(raster, reference, column)
    sample = _on_map(raster, codes, x, y, values)
    if not len(sample.mapped):
        raise SitsError(
            f"no unit of {reference} lies on a pixel of {raster} with a class: check the "
            "coordinate systems of both"
        )
    pixels = np.zeros(len(sample.names), np.int64)
    known = len(codes.values)
    pixels[:known] = count(raster, max(*codes.values, codes.nodata))[list(codes.values)]
    drawn = np.bincount(sample.mapped, minlength=len(pixels))
    missed = [name for name, n, p in zip(sample.names, drawn, pixels, strict=True) if p and n < 2]
    if missed:
        logger.warning(
            "fewer than two units lie in the mapped classes %s: of these nothing is known, and the "
            "intervals are as wide as that makes them", ", ".join(missed),
        )  # fmt: skip
    with rasterio.open(raster) as source:
        hectares = abs(source.transform.a * source.transform.e) / 10_000
    outside = f"; {sample.outside} more lie where the map has no class" if sample.outside else ""
    basis = f"{len(sample.mapped)} units of {reference.name}, {DRAWN[design]}{outside}"
    drawn_units = areas.Reference.plain(sample.mapped, sample.truth)
    return areas.table(pixels, sample.names, sample.codes, drawn_units, level, basis, hectares)


def _on_map(
    raster: Path, codes: MapCodes, x: areas.Floats, y: areas.Floats, values: Sequence[Any]
) -> Sample:
    """The units that lie on a pixel with a class; classes that only they have come last."""
    position = {name: k for k, name in enumerate(codes.classes.names)}
    position |= {
        str(code): k for k, gathered in enumerate(codes.classes.codes) for code in gathered
    }
    mapped = codes.decode(values_at(raster, x, y, codes.nodata)).astype(np.int64) - 1
    there = np.flatnonzero(mapped >= 0).tolist()
    texts = [_text(values[k]) for k in there]
    names, numbers = list(codes.classes.names), list(codes.values)
    for text in sorted({text for text in texts if text not in position}):
        position[text] = len(names)
        names.append(text)
        numbers.append(int(text) if text.isdecimal() else -1)
    if len(names) > len(codes.classes.names):
        logger.warning(
            "the reference has classes that the map has not: %s; each pixel of them is an error of "
            "the map (classes of the map: %s)",
            ", ".join(names[len(codes.classes.names) :]), ", ".join(codes.classes.names),
        )  # fmt: skip
    truth = np.array([position[text] for text in texts], np.int64)
    return Sample(mapped[there], truth, tuple(names), tuple(numbers), int(len(x) - len(there)))


def _text(value: Any) -> str:
    """A class as it is compared: whole numbers without a point."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


Places = tuple[areas.Floats, areas.Floats, list[Any]]


def _of_points(raster: Path, path: Path, column: str | None) -> Places:
    """Places in the system of the map, and classes of points."""
    import geopandas
    import rasterio

    try:
        if path.suffix.lower() == ".csv":
            table = pd.read_csv(path)
            lacking = {"lon", "lat"} - set(table.columns)
            if lacking:
                raise SitsError(
                    f"{path} has no column {' and no '.join(sorted(lacking))} (degrees)"
                )
            places = geopandas.points_from_xy(table.lon, table.lat, crs=4326)
            frame = geopandas.GeoDataFrame(table, geometry=places)
        else:
            frame = geopandas.read_file(path)
    except SitsError:
        raise
    except Exception as error:
        raise SitsError(f"{path} cannot be read as points: {error}") from None
    if len(frame) == 0 or set(frame.geom_type) - {"Point"}:
        found = ", ".join(sorted(set(frame.geom_type.dropna()))) or "nothing"
        raise SitsError(f"{path} holds {found}: give points, one a sampled pixel")
    if frame.crs is None:
        raise SitsError(f"{path} names no coordinate system: give it one")
    chosen = _column(path, frame, column)
    known = frame[chosen].notna()
    with rasterio.open(raster) as source:
        placed = frame[known].to_crs(source.crs)
    x, y = placed.geometry.x.to_numpy(float), placed.geometry.y.to_numpy(float)
    return x, y, placed[chosen].tolist()


def _column(path: Path, frame: Any, column: str | None) -> str:
    there = [name for name in frame.columns if name != "geometry"]
    if column is not None:
        if column not in there:
            raise SitsError(f"{path} has no column {column!r}; it has {there}")
        return column
    found = [name for name in COLUMNS if name in there]
    if not found:
        raise SitsError(
            f"{path} has none of the columns {', '.join(COLUMNS)}; say with --column which of "
            f"{there} holds the class"
        )
    return found[0]


def _of_raster(raster: Path, path: Path) -> Places:
    """Pixels of the map that a raster has a code for, by nearest neighbour."""
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.errors import RasterioError
    from rasterio.vrt import WarpedVRT

    try:
        with rasterio.open(raster) as source, rasterio.open(path) as other:
            if other.crs is None:
                raise SitsError(f"{path} names no coordinate system: give it one")
            nothing = 0 if other.nodata is None else other.nodata
            with WarpedVRT(
                other, crs=source.crs, transform=source.transform, width=source.width,
                height=source.height, resampling=Resampling.nearest, src_nodata=nothing,
                nodata=nothing,
            ) as view:  # fmt: skip
                return _labelled_pixels(view, source, nothing)
    except RasterioError as error:
        raise SitsError(f"{path} cannot be read as a raster of codes: {error}") from None


def _labelled_pixels(view: Any, source: Any, nothing: float) -> Places:
    """Centres and codes of the pixels that have one, block by block."""
    x: list[npt.NDArray[np.float64]] = []
    y: list[npt.NDArray[np.float64]] = []
    values: list[Any] = []
    for _, window in source.block_windows(1):
        codes = view.read(1, window=window)
        row, column = np.nonzero(codes != nothing)
        across, down = column + window.col_off + 0.5, row + window.row_off + 0.5
        x.append(source.transform.c + across * source.transform.a)
        y.append(source.transform.f + down * source.transform.e)
        values += codes[row, column].tolist()
    return np.concatenate(x), np.concatenate(y), values
