"""One NetCDF or Zarr cube -> reflectance and clear-sky score on the tile's grid.

Two layouts are read: a variable (time, band, y, x) with a coordinate `band`, or a variable
(time, y, x) for each band. The coordinate system comes from CF grid-mapping attributes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sitsformer.config import BANDS, Rasters
from sitsformer.cube import CLEAR_MISSING, MISSING
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.sources.rasters import clouds
from sitsformer.sources.rasters.pixels import Block, blocks_of, centres_in, known
from sitsformer.sources.rasters.series import Season, Series, to_stored

TIMES_AT_ONCE = 8
"""Dates of the store that are read together."""
AXES = (("y", "x"), ("lat", "lon"), ("latitude", "longitude"))
"""Names that the two spatial dimensions may have."""


@dataclass(frozen=True)
class Grid:
    """Regular grid of a store: CRS (WKT), first centre, step and count along rows and columns."""

    crs: str
    rows: tuple[float, float, int]
    columns: tuple[float, float, int]


def read(path: Path, settings: Rasters, season: Season, tile: Tile, where: str) -> Series:
    """Series of a tile and season from one cube.

    Raises:
        SitsError: it cannot be opened, lacks a band, dates, a grid or a coordinate system, or does
            not reach the tile or the season.
    """
    import dask.array as da

    dataset = _of_season(_open(path), season, where)
    stack, nodata, settings = _stack(dataset, settings, where)
    grid = _grid(dataset, where)
    parts = [
        [_of_block(stack, block, grid, nodata, settings) for block in line]
        for line in blocks_of(tile)
    ]
    if all(part is None for line in parts for part in line):
        (top, down, rows), (left, right, columns) = grid.rows, grid.columns
        raise SitsError(
            f"{where}: {path.name} does not reach tile {tile.name}; its pixel centres run from "
            f"{left:g} to {left + right * (columns - 1):g} and from {top:g} to "
            f"{top + down * (rows - 1):g} in its coordinate system; check the area's bounds"
        )
    filled = [
        [
            _missing(stack, block) if part is None else part
            for part, block in zip(*line, strict=True)
        ]
        for line in zip(parts, blocks_of(tile), strict=True)
    ]
    whole = da.block(filled)
    return Series(
        dataset.time.values.astype("datetime64[s]"),
        whole[:, : len(BANDS)],
        whole[:, len(BANDS)].astype(np.uint8),
        {"source": "raster cube", "files": [path.name]},
    )


def convert(
    values: NDArray[Any],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    inside: NDArray[np.bool_],
    nodata: float | None,
    settings: Rasters,
) -> NDArray[np.uint16]:
    """Values of a window of the store -> reflectance and score at the pixels of a block.

    Args:
        values: (time, band, row, column); after the ten bands the cloud band, where there is one.
        row: (y, x) index into the window, where `inside`.
        column: likewise.
        inside: (y, x) whether the store reaches there.
        nodata: value that means missing.
        settings: scale, offset, clouds.

    Returns:
        (time, 11, y, x): stored values of the ten bands, then the score.
    """
    result = np.empty((len(values), len(BANDS) + 1, *inside.shape), np.uint16)
    picked = values[:, :, np.where(inside, row, 0), np.where(inside, column, 0)]
    for date, pixels in enumerate(picked):
        bands = pixels[: len(BANDS)]
        stored = to_stored(bands, known(bands, nodata) & inside, settings)
        flags = pixels[len(BANDS)] if len(pixels) > len(BANDS) else None
        result[date, : len(BANDS)] = stored
        result[date, len(BANDS)] = clouds.score(stored, flags, settings.clouds)
    return result


def _open(path: Path) -> xr.Dataset:
    try:
        engine = "zarr" if path.suffix.lower() == ".zarr" else None
        return xr.open_dataset(
            path, engine=engine, mask_and_scale=False, decode_coords="all", chunks={}
        )
    except (OSError, ValueError, KeyError) as error:
        raise SitsError(
            f"{path} cannot be read as a NetCDF or Zarr cube: {error}; check the path"
        ) from None


def _of_season(dataset: xr.Dataset, season: Season, where: str) -> xr.Dataset:
    """Dates of the season, sorted."""
    if "time" not in dataset.dims or dataset.time.dtype.kind != "M":
        raise SitsError(f"{where}: the cube has no dimension `time` of dates")
    first, last = (np.datetime64(day, "D") for day in season)
    days = dataset.time.values.astype("datetime64[D]")
    inside = (days >= first) & (days <= last)
    if not inside.any():
        raise SitsError(
            f"{where}: none of the {len(days)} dates is of the season {first} to {last}; "
            f"they are from {days.min()} to {days.max()}"
        )
    chosen = dataset.isel(time=inside).sortby("time")
    twice = np.flatnonzero(np.diff(chosen.time.values) == np.timedelta64(0))
    if twice.size:
        raise SitsError(
            f"{where}: the date {chosen.time.values[twice[0]]} is there twice; "
            "merge the two images or give them different times of day"
        )
    return chosen


def _stack(dataset: xr.Dataset, settings: Rasters, where: str) -> tuple[Any, float | None, Rasters]:
    """Bands, and the cloud band after them, as (time, band, row, column) dask array.

    Also the value that means missing, and the settings with the scale that the cube itself gives.
    """
    import dask.array as da

    rows, columns = _dimensions(dataset, where)
    named = _by_name(dataset, (rows, columns))
    absent = [band for band in BANDS if band not in named]
    if absent:
        raise SitsError(
            f"{where}: the cube lacks {', '.join(absent)}; it has {', '.join(sorted(named))}; "
            "it needs a coordinate `band` or a variable for each band, named B02 and so on"
        )
    arrays = [named[band] for band in BANDS]
    wanted = clouds.needs_band(settings.clouds, where)
    if wanted is not None:
        if wanted.upper() not in named:
            raise SitsError(
                f"{where}.clouds.band: the cube has no {wanted!r}; it has "
                f"{', '.join(sorted(named))}"
            )
        arrays.append(named[wanted.upper()])
    attrs = arrays[0].attrs
    fill = attrs.get("_FillValue", attrs.get("missing_value", 0))
    nodata = float(fill) if settings.nodata is None else settings.nodata
    if "scale_factor" in attrs:
        scaling = {"scale": float(attrs["scale_factor"]), "offset": attrs.get("add_offset", 0.0)}
        settings = settings.model_copy(update=scaling)
    ordered = [array.transpose("time", rows, columns).data for array in arrays]
    stack = da.stack(ordered, axis=1)
    return stack.rechunk({0: TIMES_AT_ONCE, 1: -1}), nodata, settings


def _by_name(dataset: xr.Dataset, axes: tuple[str, str]) -> dict[str, xr.DataArray]:
    """Images (time, row, column) by upper-case name, whichever layout the cube has."""
    named: dict[str, xr.DataArray] = {}
    for name, array in dataset.data_vars.items():
        dims = set(array.dims)
        if dims == {"time", *axes}:
            named[_band_name(name)] = array
        elif dims == {"time", "band", *axes} and "band" in array.coords:
            for band in array.band.values:
                named[_band_name(band)] = array.sel(band=band)
    return named


def _band_name(name: Any) -> str:
    return re.sub(r"^B(\d)$", r"B0\1", str(name).strip().upper())


def _dimensions(dataset: xr.Dataset, where: str) -> tuple[str, str]:
    for rows, columns in AXES:
        if {rows, columns} <= set(dataset.dims) & set(dataset.coords):
            return rows, columns
    raise SitsError(f"{where}: the cube has no coordinates `y` and `x`; it has {set(dataset.dims)}")


def _grid(dataset: xr.Dataset, where: str) -> Grid:
    import rioxarray  # noqa: F401  (registers `rio`)

    rows, columns = _dimensions(dataset, where)
    crs = dataset.rio.crs
    if crs is None and rows != "y":
        crs = "EPSG:4326"  # coordinates called latitude and longitude say so themselves
    if crs is None:
        raise SitsError(
            f"{where}: the cube has no coordinate reference system; write one "
            "(rioxarray's `rio.write_crs`)"
        )
    wkt = crs if isinstance(crs, str) else crs.to_wkt()
    return Grid(wkt, _regular(dataset[rows], where), _regular(dataset[columns], where))


def _regular(axis: xr.DataArray, where: str) -> tuple[float, float, int]:
    values = axis.values.astype(np.float64)
    steps = np.diff(values)
    if len(values) < 2 or not np.allclose(steps, steps[0], rtol=1e-3, atol=0):
        raise SitsError(f"{where}: the coordinate `{axis.name}` of the cube is not evenly spaced")
    return float(values[0]), float((values[-1] - values[0]) / (len(values) - 1)), len(values)


def _of_block(
    stack: Any, block: Block, grid: Grid, nodata: float | None, settings: Rasters
) -> Any | None:
    """Lazy (time, 11, y, x) of a block; None where the store does not reach it."""
    x, y = centres_in(block, grid.crs)
    inside = np.isfinite(x) & np.isfinite(y)
    indices = []
    for axis, (start, step, count) in ((y, grid.rows), (x, grid.columns)):
        # Half a step before a centre its pixel begins.
        index = np.floor(np.where(inside, (axis - start) / step + 0.5, -1)).astype(np.int64)
        inside &= (index >= 0) & (index < count)
        indices.append(index)
    if not inside.any():
        return None
    row, column = indices
    top, left = row[inside].min(), column[inside].min()
    window = stack[:, :, top : row[inside].max() + 1, left : column[inside].max() + 1]
    window = window.rechunk({2: -1, 3: -1})
    function = partial(
        convert,
        row=row - top,
        column=column - left,
        inside=inside,
        nodata=nodata,
        settings=settings,
    )
    shape = (window.chunks[0], (len(BANDS) + 1,), (block.rows,), (block.columns,))
    return window.map_blocks(function, dtype=np.uint16, chunks=shape, meta=np.empty((0,) * 4, "u2"))


def _missing(stack: Any, block: Block) -> Any:
    """A block that the store does not reach, (time, 11, y, x)."""
    import dask.array as da

    size = (block.rows, block.columns)
    chunks = (stack.chunks[0], -1, -1, -1)
    bands = da.full((stack.shape[0], len(BANDS), *size), MISSING, dtype=np.uint16, chunks=chunks)
    score = da.full((stack.shape[0], 1, *size), CLEAR_MISSING, dtype=np.uint16, chunks=chunks)
    return da.concatenate([bands, score], axis=1).rechunk({1: -1})
