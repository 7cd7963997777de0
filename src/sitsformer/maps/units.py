"""The units of a reference sample: where they lie on a map, and the class that each has there.

A unit of a raster is one of its own pixels, as large as somebody looked: of one that is coarser
than the map the middle counts, once, and of several that lie on one pixel of the map the one next
to its middle. A raster that covers more than half of the map is no sample but a second map: it
gives each pixel of the map the class of its nearest neighbour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer.errors import SitsError

COVER = 0.5
"""Share of the map's pixels above which a raster is a second map of them."""

BESIDE = 0.5
"""Share of the units with another one beside them above which they were not drawn one by one."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Units:
    """Places on a map with what stands there in words.

    Attributes:
        x, y: (N,) in the system of the map.
        texts: (T,) different classes, as they are compared.
        text: (N,) which of these a unit has; -1 none.
        patches: whether most of them lie side by side.
    """

    x: Floats
    y: Floats
    texts: tuple[str, ...]
    text: Ints
    patches: bool = False


def of_values(x: Floats, y: Floats, values: Sequence[Any], patches: bool = False) -> Units:
    """Units of places and names or codes (N,)."""
    said = np.array([as_text(value) for value in values], object)
    texts, text = np.unique(said, return_inverse=True)
    empty = texts == ""
    place = np.where(empty, -1, np.cumsum(~empty) - 1)
    return Units(x, y, tuple(texts[~empty].tolist()), place[text].astype(np.int64), patches)


def as_text(value: Any) -> str:
    """A class as it is compared: whole numbers without a point; empty for none."""
    if value is None or value != value:
        return ""
    text = str(value).strip()
    try:
        return str(int(float(text))) if float(text).is_integer() else text
    except ValueError:
        return text


def of_raster(raster: Path, path: Path, band: int | None, nodata: int) -> Units:
    """Units of a raster of codes; see the head of this file.

    Args:
        raster: map of classes.
        path: raster of codes; nodata, or 0 without one, is where nobody looked.
        band: from 1; None: its only one.
        nodata: of the map.

    Raises:
        SitsError: it cannot be read, has no system, several bands and nobody says which.
    """
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(raster) as source, rasterio.open(path) as other:
            if other.crs is None:
                raise SitsError(f"{path} names no coordinate system: give it one")
            if band is None and other.count > 1:
                raise SitsError(f"{path} has {other.count} bands: say with --band which one")
            if not 1 <= (band or 1) <= other.count:
                raise SitsError(f"{path} has no band {band}: it has {other.count}")
            nothing = 0 if other.nodata is None else other.nodata
            row, column, codes, share = _nearest(source, other, band or 1, nothing, nodata)
            if share > COVER:
                return _units(source, row, column, codes, False)
            row, column, codes, own = _own_pixels(source, other, band or 1, nothing)
            return _units(source, row, column, codes, _side_by_side(*own))
    except RasterioError as error:
        raise SitsError(f"{path} cannot be read as a raster of codes: {error}") from None


def _units(source: Any, row: Ints, column: Ints, codes: npt.NDArray[Any], patches: bool) -> Units:
    """Units at the middle of pixels of the map."""
    kinds, text = np.unique(codes, return_inverse=True)
    shift = source.transform
    return Units(
        shift.c + (column + 0.5) * shift.a,
        shift.f + (row + 0.5) * shift.e,
        tuple(as_text(kind) for kind in kinds.tolist()),
        text.astype(np.int64),
        patches,
    )


def _nearest(
    source: Any, other: Any, band: int, nothing: float, nodata: int
) -> tuple[Ints, Ints, npt.NDArray[Any], float]:
    """Pixels of the map that the raster has a code for, and their share of those with a class."""
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    found: list[tuple[Ints, Ints, npt.NDArray[Any]]] = []
    mapped = both = 0
    with WarpedVRT(
        other, crs=source.crs, transform=source.transform, width=source.width,
        height=source.height, resampling=Resampling.nearest, src_nodata=nothing, nodata=nothing,
    ) as view:  # fmt: skip
        for _, window in source.block_windows(1):
            codes, known = view.read(band, window=window), source.read(1, window=window) != nodata
            there = _looked_at(codes, nothing)
            row, column = np.nonzero(there)
            found.append((row + window.row_off, column + window.col_off, codes[there]))
            mapped, both = mapped + int(known.sum()), both + int((known & there).sum())
    row, column, values = (np.concatenate(part) for part in zip(*found, strict=True))
    return row, column, values, both / max(mapped, 1)


def _own_pixels(
    source: Any, other: Any, band: int, nothing: float
) -> tuple[Ints, Ints, npt.NDArray[Any], tuple[Ints, Ints]]:
    """Pixels of the map on which the middle of a pixel of the raster lies, each once.

    Returns:
        Row and column in the map, code, and row and column where units are told apart: in the
        coarser one of both.
    """
    from rasterio.warp import transform

    parts = zip(*_blocks(other, band, nothing), strict=True)
    rows, columns, codes = (np.concatenate(part) for part in parts)
    middle = other.transform @ (columns + 0.5, rows + 0.5)
    x, y = map(np.asarray, transform(other.crs, source.crs, *middle)) if len(rows) else middle
    column, row = ~source.transform @ (x, y)
    at_row, at_column = np.floor(row).astype(np.int64), np.floor(column).astype(np.int64)
    far = (row - at_row - 0.5) ** 2 + (column - at_column - 0.5) ** 2
    order = np.lexsort((far, at_column, at_row))
    pixel = np.stack([at_row, at_column])[:, order]
    first = order[np.append(True, (np.diff(pixel) != 0).any(0))[: len(order)]]
    coarse = len(first) == len(order)
    own = (rows[first], columns[first]) if coarse else (at_row[first], at_column[first])
    return at_row[first], at_column[first], codes[first], own


def _blocks(other: Any, band: int, nothing: float) -> Iterator[tuple[Ints, Ints, npt.NDArray[Any]]]:
    """Row, column and code of the pixels of a raster that have one."""
    for _, window in other.block_windows(band):
        codes = other.read(band, window=window)
        there = _looked_at(codes, nothing)
        row, column = np.nonzero(there)
        yield row + window.row_off, column + window.col_off, codes[there]


def _looked_at(codes: npt.NDArray[Any], nothing: float) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (codes != nothing) & (codes == codes)  # not NaN
    return found


def _side_by_side(row: Ints, column: Ints) -> bool:
    """Whether most pixels have another one to the right or the left of them."""
    if not len(row):
        return False
    width = int(column.max() - column.min()) + 3
    place = (row - row.min()) * width + (column - column.min()) + 1
    beside = np.isin(place + 1, place) | np.isin(place - 1, place)
    return float(beside.mean()) > BESIDE
