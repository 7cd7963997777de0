"""Grids, pixel types, masks and nearest-neighbour sampling, as Earth Engine has them.

An image is a list of bands; a band is evaluated lazily on whatever grid a request asks for. The
values of a masked pixel are 0 once they leave the server.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from shapely.geometry import Polygon

Pixels = tuple[NDArray[Any], NDArray[np.bool_]]
"""Values (y, x) and mask (y, x), True = valid."""


class EarthEngineError(Exception):
    """An error that the service reports with an HTTP status and a message."""

    def __init__(self, message: str, status: int = 400, code: str = "INVALID_ARGUMENT") -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Grid:
    """A pixel grid: CRS, affine transform (scale x, shear x, x0, shear y, scale y, y0), size."""

    crs: str
    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coordinates of the pixel centres in the grid's CRS; they broadcast to (y, x)."""
        a, b, c, d, e, f = self.transform
        column = np.arange(self.width)[None, :] + 0.5
        row = np.arange(self.height)[:, None] + 0.5
        if b == d == 0:
            return a * column + c, e * row + f
        return a * column + b * row + c, d * column + e * row + f


@lru_cache(maxsize=256)
def known_crs(code: str) -> str:
    """The CRS, where Earth Engine would know it: a code, or WKT; PROJ strings it refuses."""
    try:
        if not code.startswith("+"):
            CRS.from_user_input(code)
            return code
    except CRSError:
        pass
    raise EarthEngineError("Projection: The CRS of a map projection could not be parsed.")


@lru_cache(maxsize=64)
def transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


@lru_cache(maxsize=256)
def locate(
    grid: Grid, native: Grid
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Column and row of the native pixel under each pixel centre of `grid`, and which exist."""
    x, y = grid.centres()
    if grid.crs != native.crs:
        x, y = transformer(grid.crs, native.crs).transform(*np.broadcast_arrays(x, y))
    if native.crs == "EPSG:4326":
        x = np.where(np.abs(x) > 180, (x + 180) % 360 - 180, x)
    a, _, c, _, e, f = native.transform
    column = np.floor((x - c) / a).astype(np.int64)
    row = np.floor((y - f) / e).astype(np.int64)
    inside = (column >= 0) & (column < native.width) & (row >= 0) & (row < native.height)
    return column, row, inside


@dataclass(frozen=True)
class PixelType:
    """`int` with a range, `float` or `double`."""

    precision: str
    low: float = float("-inf")
    high: float = float("inf")

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy type that pixels of this type leave the server in."""
        if self.precision == "float":
            return np.dtype("<f4")
        if self.precision == "double":
            return np.dtype("<f8")
        for name in ("u1", "i1", "<u2", "<i2", "<i4", "<u4"):
            info = np.iinfo(name)
            if info.min <= self.low and self.high <= info.max:
                return np.dtype(name)
        return np.dtype("<i8")

    def union(self, other: PixelType) -> PixelType:
        """The smallest type that holds both."""
        for precision in ("double", "float"):
            if precision in (self.precision, other.precision):
                return PixelType(precision)
        return PixelType("int", min(self.low, other.low), max(self.high, other.high))

    def info(self) -> dict[str, Any]:
        """As value:compute describes it."""
        found: dict[str, Any] = {"type": "PixelType", "precision": self.precision}
        if self.precision == "int":
            found.update(min=self.low, max=self.high)
        return found


UINT8 = PixelType("int", 0, 255)
UINT16 = PixelType("int", 0, 65535)
DOUBLE = PixelType("double")


@dataclass(frozen=True)
class Band:
    """A band: its type, its native grid, and its pixels on any grid."""

    name: str
    type: PixelType
    native: Grid
    read: Callable[[Grid], Pixels]
    footprint: Callable[[Grid], NDArray[np.bool_]] | None = None
    """Where the image exists at all, for unmask with sameFootprint."""

    def within(self, grid: Grid) -> NDArray[np.bool_]:
        if self.footprint is None:
            return np.ones((grid.height, grid.width), bool)
        return self.footprint(grid)


WORLD = Grid("EPSG:4326", (1.0, 0.0, -180.0, 0.0, -1.0, 90.0), 360, 180)
"""Default projection of computed images: EPSG:4326 at one degree."""


@dataclass(frozen=True)
class Image:
    """Bands with properties."""

    bands: tuple[Band, ...]
    properties: dict[str, Any] = field(default_factory=dict)
    id: str | None = None

    def with_bands(self, bands: list[Band]) -> Image:
        return replace(self, bands=tuple(bands))

    def names(self) -> list[str]:
        return [band.name for band in self.bands]

    def info(self) -> dict[str, Any]:
        """As value:compute describes it."""
        found: dict[str, Any] = {
            "type": "Image",
            "bands": [
                {
                    "id": band.name,
                    "data_type": band.type.info(),
                    "dimensions": [band.native.width, band.native.height],
                    "crs": band.native.crs,
                    "crs_transform": list(band.native.transform),
                }
                for band in self.bands
            ],
            "properties": {k: v for k, v in self.properties.items() if k != "system:footprint"},
        }
        if self.id is not None:
            found["id"] = self.id
        return found


def raster(
    name: str,
    type_: PixelType,
    native: Grid,
    pixels: Callable[[NDArray[np.int64], NDArray[np.int64]], Pixels],
) -> Band:
    """A band stored on a native grid; `pixels` gives values and mask by column and row."""

    def read(grid: Grid) -> Pixels:
        column, row, inside = locate(grid, native)
        values, mask = pixels(column, row)
        values, mask = np.broadcast_arrays(values.astype(type_.dtype, copy=False), mask & inside)
        return values, mask

    return Band(name, type_, native, read, lambda grid: locate(grid, native)[2])


def constant(value: float) -> Band:
    """A constant image's band: an integer is its own range."""
    integer = float(value).is_integer() and abs(value) < 2**53
    kind = PixelType("int", int(value), int(value)) if integer else DOUBLE

    def read(grid: Grid) -> Pixels:
        shape = (grid.height, grid.width)
        return np.full(shape, value, kind.dtype), np.ones(shape, bool)

    return Band("constant", kind, WORLD, read)


def cast(band: Band, kind: PixelType) -> Band:
    """Cast as toUint8 and the like: clamp to the range, cut the fraction off."""

    def read(grid: Grid) -> Pixels:
        values, mask = band.read(grid)
        if kind.precision == "int" and not (
            band.type.precision == "int"
            and kind.low <= band.type.low <= band.type.high <= kind.high
        ):
            values = np.trunc(np.clip(values, kind.low, kind.high))
        return values.astype(kind.dtype, copy=False), mask

    return replace(band, type=kind, read=read)


def unmask(band: Band, value: Band, same_footprint: bool) -> Band:
    """Fill masked pixels; with `same_footprint` only where the image exists. The type widens."""
    kind = band.type.union(value.type)

    def read(grid: Grid) -> Pixels:
        values, mask = band.read(grid)
        fill, fill_mask = value.read(grid)
        filled = np.where(mask, values, fill).astype(kind.dtype)
        valid = mask | (fill_mask & band.within(grid) if same_footprint else fill_mask)
        return filled, valid

    return replace(band, type=kind, read=read)


def reproject(band: Band, crs: str, transform: tuple[float, ...]) -> Band:
    """The pixels of another lattice, each the nearest of the band; without bounds until clipped."""
    a, b, c, d, e, f = transform
    if b or d:
        raise EarthEngineError("Image.reproject: no rotated transforms here.")
    native = Grid(known_crs(crs), (a, b, c, d, e, f), 2**31, 2**31)

    def read(grid: Grid) -> Pixels:
        x, y = grid.centres()
        if grid.crs != crs:
            x, y = transformer(grid.crs, crs).transform(*np.broadcast_arrays(x, y))
        column = np.floor((x - c) / a).astype(np.int64)
        row = np.floor((y - f) / e).astype(np.int64)
        left, top = int(column.min()), int(row.min())
        size = int(column.max()) - left + 1, int(row.max()) - top + 1
        values, mask = band.read(Grid(crs, (a, 0.0, c + left * a, 0.0, e, f + top * e), *size))
        return values[row - top, column - left], mask[row - top, column - left]

    return replace(band, native=native, read=read)


def clip(band: Band, ring: Polygon, width: int | None, height: int | None) -> Band:
    """Masked outside the bounding box of a ring, in whole pixels of the band; its size is known.

    With a width and height the box must be as many pixels already: nothing is scaled here.
    """
    a, b, c, d, e, f = band.native.transform
    lon, lat = np.array(ring.exterior.coords).T
    x, y = transformer("EPSG:4326", band.native.crs).transform(lon, lat)
    column, row = (np.asarray(x) - c) / a, (np.asarray(y) - f) / e
    left, top = math.floor(column.min() + 1e-4), math.floor(row.min() + 1e-4)
    size = math.ceil(column.max() - 1e-4) - left, math.ceil(row.max() - 1e-4) - top
    if (width or size[0], height or size[1]) != size:
        raise EarthEngineError("Image.clipToBoundsAndScale: scaling is not simulated.")
    native = Grid(band.native.crs, (a, b, c + left * a, d, e, f + top * e), *size)

    def read(grid: Grid) -> Pixels:
        values, mask = band.read(grid)
        return values, mask & locate(grid, native)[2]

    return replace(band, native=native, read=read)


def masked_by(band: Band, other: Band) -> Band:
    """updateMask: valid where both the band is valid and the other is valid and not 0."""

    def read(grid: Grid) -> Pixels:
        values, mask = band.read(grid)
        test, test_mask = other.read(grid)
        return values, mask & test_mask & (test != 0)

    return replace(band, read=read)


def remasked(band: Band, mask: Band) -> Band:
    """Image.mask with a mask: valid where the mask is not 0, whatever the band's own mask."""

    def read(grid: Grid) -> Pixels:
        test, test_mask = mask.read(grid)
        return band.read(grid)[0], test_mask & (test != 0)

    return replace(band, read=read)


def mask_of(band: Band) -> Band:
    """The mask as a band of 0 and 1."""

    def read(grid: Grid) -> Pixels:
        _, mask = band.read(grid)
        return mask.astype(np.uint8), np.ones_like(mask)

    return replace(band, type=PixelType("int", 0, 1), read=read)


def mosaic(bands: list[Band]) -> Band:
    """Last valid pixel on top."""
    kind = bands[0].type
    for band in bands[1:]:
        kind = kind.union(band.type)

    def read(grid: Grid) -> Pixels:
        values = np.zeros((grid.height, grid.width), kind.dtype)
        mask = np.zeros(values.shape, bool)
        for band in bands:
            over, over_mask = band.read(grid)
            values[over_mask] = over[over_mask]
            mask |= over_mask
        return values, mask

    def within(grid: Grid) -> NDArray[np.bool_]:
        return np.logical_or.reduce([band.within(grid) for band in bands])

    return Band(bands[0].name, kind, WORLD, read, within)


def median(bands: list[Band]) -> Band:
    """Median of the valid pixels of a stack."""

    def read(grid: Grid) -> Pixels:
        read_ = [band.read(grid) for band in bands]
        values = np.ma.array([v for v, _ in read_], mask=[~m for _, m in read_], dtype=float)
        found = np.ma.median(values, axis=0)
        return np.ma.filled(found, 0.0), ~np.ma.getmaskarray(found)

    return Band(bands[0].name, DOUBLE, WORLD, read)


def mode(bands: list[Band]) -> Band:
    """Most frequent of the valid pixels of a stack; of several the smallest."""

    def read(grid: Grid) -> Pixels:
        read_ = [band.read(grid) for band in bands]
        stack = np.array([np.where(m, v, -1) for v, m in read_], np.int64)
        codes = np.unique(stack[stack >= 0])
        counts = np.array([(stack == code).sum(axis=0) for code in codes])
        seen = (stack >= 0).any(axis=0)
        return np.where(seen, codes[counts.argmax(axis=0)], 0).astype(float), seen

    return Band(bands[0].name, DOUBLE, WORLD, read)


def remap(band: Band, codes: list[float], targets: list[float]) -> Band:
    """Replace codes; others are masked."""

    def read(grid: Grid) -> Pixels:
        values, mask = band.read(grid)
        out, known = np.zeros(values.shape, np.int32), np.zeros(values.shape, bool)
        for code, target in zip(codes, targets, strict=True):
            out[values == code] = target
            known |= values == code
        return out, mask & known

    return Band("remapped", PixelType("int", min(targets), max(targets)), WORLD, read)


def calculate(
    first: Band,
    second: Band | None,
    kind: PixelType,
    formula: Callable[..., NDArray[Any]],
) -> Band:
    """A pixel formula; valid where all inputs are."""

    def read(grid: Grid) -> Pixels:
        values, mask = first.read(grid)
        if second is None:
            return formula(values).astype(kind.dtype), mask
        others, other_mask = second.read(grid)
        return formula(values, others).astype(kind.dtype), mask & other_mask

    return replace(first, type=kind, read=read)
