"""The units of a reference sample: where they lie on a map, and the class that each has there.

A unit of a raster is one of its own pixels, as large as somebody looked: of one that is coarser
than the map the middle counts, once, and of several that lie on one pixel of the map the one next
to its middle. A raster that covers more than half of the map is no sample but a second map: it
gives each pixel of the map the class of its nearest neighbour.
"""

from __future__ import annotations

from collections import Counter
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
"""Share of the units with another one beside them, beyond what chance gives, above which they were
not drawn one by one."""

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


@dataclass(frozen=True)
class Cover:
    """A second map of the same ground, as counts of pixels.

    Attributes:
        value: (N,) of the map.
        texts: (T,) different classes, as they are compared.
        text: (N,) which of these the other has there; -1 none.
        pixels: (N,) with both.
    """

    value: Ints
    texts: tuple[str, ...]
    text: Ints
    pixels: Ints


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


def of_raster(raster: Path, path: Path, band: int | None, nodata: int) -> Units | Cover:
    """Units of a raster of codes, or what covers the map; see the head of this file.

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
            cover = _cover(source, other, band or 1, nothing)
            mapped = cover.value != nodata
            both = cover.pixels[mapped & (cover.text >= 0)].sum()
            if both > COVER * cover.pixels[mapped].sum():
                return cover
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


def _cover(source: Any, other: Any, band: int, nothing: float) -> Cover:
    """How often each value of the map and each code of its nearest neighbour meet."""
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    met: Counter[tuple[int, Any]] = Counter()
    with WarpedVRT(
        other, crs=source.crs, transform=source.transform, width=source.width,
        height=source.height, resampling=Resampling.nearest, src_nodata=nothing, nodata=nothing,
    ) as view:  # fmt: skip
        for _, window in source.block_windows(1):
            codes, values = view.read(band, window=window), source.read(1, window=window)
            there = _looked_at(codes, nothing)
            kinds, kind = np.unique(codes[there], return_inverse=True)
            here = np.zeros(codes.shape, np.int64)
            here[there] = kind + 1
            pairs = values.astype(np.int64) * (len(kinds) + 1) + here
            for pair, n in zip(*np.unique(pairs, return_counts=True), strict=True):
                value, k = divmod(int(pair), len(kinds) + 1)
                met[value, kinds[k - 1].item() if k else None] += int(n)
    texts = sorted({as_text(code) for _, code in met} - {""})
    place = {text: k for k, text in enumerate(texts)}
    return Cover(
        np.array([value for value, _ in met], np.int64),
        tuple(texts),
        np.array([place.get(as_text(code), -1) for _, code in met], np.int64),
        np.array(list(met.values()), np.int64),
    )


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
    """Whether far more pixels have another one to the right or the left than chance gives them."""
    if not len(row):
        return False
    width, height = int(np.ptp(column)) + 1, int(np.ptp(row)) + 1
    place = (row - row.min()) * (width + 2) + (column - column.min()) + 1
    beside = np.isin(place + 1, place) | np.isin(place - 1, place)
    chance = 1 - (1 - len(row) / (width * height)) ** 2
    return float(beside.mean()) > chance + BESIDE * (1 - chance)
