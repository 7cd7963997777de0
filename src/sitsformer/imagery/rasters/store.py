"""One NetCDF or Zarr cube -> reflectance and clear-sky score on the tile's grid.

Two layouts are read: a variable (time, band, y, x), or a variable (time, y, x) for each band.
dialects.py knows how their dates, axes and coordinate systems may be called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sitsformer.config import Rasters
from sitsformer.cube import CLEAR_MISSING
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.imagery.rasters import bands, clouds, dialects, values
from sitsformer.imagery.rasters.dialects import Grid
from sitsformer.imagery.rasters.files import gathered
from sitsformer.imagery.rasters.pixels import Block, blocks_of, centres_in
from sitsformer.imagery.rasters.series import Acquisitions, Season
from sitsformer.sensors import Sensor
from sitsformer.stored import MISSING

TIMES_AT_ONCE = 8
"""Dates of the store that are read together."""


@dataclass(frozen=True)
class Meaning:
    """What the values of a stack mean.

    Attributes:
        packings: of the bands; their offsets are those of each date.
        flags: tags of the cloud band.
        flags_alone: whether its scale is its own, and not that of the reflectances.
        settings: of the area.
        sensor: of the area.
        where: path of the config section, for messages.
    """

    packings: tuple[values.Packing, ...]
    flags: values.Tags
    flags_alone: bool
    settings: Rasters
    sensor: Sensor
    where: str


@dataclass(frozen=True)
class _Band:
    """A band of a store: (time, row, column), and what the variable says of its values."""

    array: xr.DataArray
    tags: values.Tags


def read(
    path: Path, settings: Rasters, sensor: Sensor, season: Season, tile: Tile, where: str
) -> Acquisitions:
    """Acquisitions of a tile and season from one cube.

    Raises:
        SitsError: it cannot be opened, lacks a band, dates, a grid or a coordinate system, or does
            not reach the tile or the season.
    """
    import dask.array as da

    file, group = dialects.split(path) or (path, None)
    bands.refuse_other_product(file, file, sensor, where)
    dataset = dialects.with_time(dialects.open_store(file, group), season, where)
    stack, offsets, meaning = _stack(dataset, settings, sensor, file.name, where)
    grid = dialects.grid(dataset, where)
    parts = [
        [_of_block(stack, offsets, block, grid, meaning) for block in line]
        for line in blocks_of(tile)
    ]
    if not any(reached for line in parts for _, reached in line):
        (top, down, rows), (left, right, columns) = grid.rows, grid.columns
        raise SitsError(
            f"{where}: {path.name} does not reach tile {tile.name}; its pixel centres run from "
            f"{left:g} to {left + right * (columns - 1):g} and from {top:g} to "
            f"{top + down * (rows - 1):g} in its coordinate system; check the area's bounds"
        )
    times = dataset.time.values.astype("datetime64[s]")
    exact = times != times.astype("datetime64[D]")
    datatakes = gathered([*zip(times, exact.tolist(), strict=True)])
    whole = _mosaics(da.block([[part for part, _ in line] for line in parts]), datatakes)
    return Acquisitions(
        times[[members[0] for members in datatakes]],
        whole[:, :-1],
        whole[:, -1].astype(np.uint8),
        {"source": "raster cube", "files": [path.name]},
    )


def glance(path: Path, settings: Rasters, sensor: Sensor, season: Season, where: str) -> None:
    """Check the variables and coordinates of a cube.

    Raises:
        SitsError: as `read` does for them.
    """
    file, group = dialects.split(path) or (path, None)
    bands.refuse_other_product(file, file, sensor, where)
    dataset = dialects.with_time(dialects.open_store(file, group), season, where)
    _stack(dataset, settings, sensor, file.name, where)
    dialects.grid(dataset, where)


def convert(
    window: NDArray[Any],
    offsets: NDArray[np.float64],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    inside: NDArray[np.bool_],
    meaning: Meaning,
) -> NDArray[np.uint16]:
    """Values of a window of the store -> reflectance and score at the pixels of a block.

    Args:
        window: (time, band, row, column); after the bands the cloud band, where there is one.
        offsets: (time, band, 1, 1), of the reflectances.
        row: (y, x) index into the window, where `inside`.
        column: likewise.
        inside: (y, x) whether the store reaches there.
        meaning: of the values.

    Returns:
        (time, band + 1, y, x): stored values of the bands, then the score.
    """
    count = len(meaning.sensor.bands)
    result = np.empty((len(window), count + 1, *inside.shape), np.uint16)
    picked = window[:, :, np.where(inside, row, 0), np.where(inside, column, 0)]
    for date, pixels in enumerate(picked):
        packings = [
            values.Packing(own.scale, float(offset), own.missing, own.low, own.high)
            for own, offset in zip(meaning.packings, offsets[date, :, 0, 0], strict=True)
        ]
        stored = values.to_stored(pixels[:count], inside, packings)
        flags = known = None
        if len(pixels) > count:
            flags = values.unpack(pixels[count], meaning.flags, alone=meaning.flags_alone)
            missing = clouds.none(meaning.flags.missing, meaning.settings.clouds)
            known = inside & values.known(pixels[count], missing)
        result[date, :count] = stored
        result[date, count] = clouds.score(
            stored, flags, known, meaning.settings.clouds, meaning.sensor, meaning.where
        )
    return result


def _stack(
    dataset: xr.Dataset, settings: Rasters, sensor: Sensor, file: str, where: str
) -> tuple[Any, Any, Meaning]:
    """Bands, and the cloud band after them, as a dask array (time, band, row, column).

    Also the offsets (time, band, 1, 1), chunked along time like it, and what values mean.
    """
    import dask.array as da

    rows, columns = dialects.dimensions(dataset, where)
    found = _bands(dataset, (rows, columns), settings, sensor, file, where)
    names = [name for name, _ in found]
    chosen = [found[i][1] for i in bands.positions(names, sensor, file, where)]
    wanted = clouds.needs_band(settings.clouds, sensor, where)
    flags = values.Tags()
    arrays = [band.array for band in chosen]
    if wanted is not None:
        cloud = found[bands.extra(wanted, names, sensor, file, where)][1]
        flags = cloud.tags
        arrays.append(cloud.array)
    values.tell(((f"{file}:{b.array.name}", b.tags) for b in chosen), settings, where)
    days = dataset.time.values.astype("datetime64[D]").tolist()
    packings = [
        tuple(values.packing(band.tags, settings, sensor, day, file, where) for band in chosen)
        for day in days
    ]
    ordered = [array.transpose("time", rows, columns).data for array in arrays]
    stack = da.stack(ordered, axis=1).rechunk({0: TIMES_AT_ONCE, 1: -1})
    offsets = np.array([[own.offset for own in date] for date in packings])[:, :, None, None]
    alone = flags.scale != chosen[0].tags.scale
    return (
        stack,
        da.from_array(offsets, chunks=(stack.chunks[0], -1, -1, -1)),
        Meaning(packings[0], flags, alone, settings, sensor, where),
    )


def _bands(
    dataset: xr.Dataset,
    axes: tuple[str, str],
    settings: Rasters,
    sensor: Sensor,
    file: str,
    where: str,
) -> list[tuple[str, _Band]]:
    """Named bands, whichever layout the cube has.

    `bands` of the config names those of the dimension of bands, or else the variables, in order.
    """
    layered, single = [], []
    for name, array in dataset.data_vars.items():
        if not {"time", *axes} <= set(array.dims) or array.dtype.kind not in "uifb":
            continue
        rest = [str(dim) for dim in array.dims if dim not in ("time", *axes)]
        if len(rest) > 1:  # a dimension of one entry says nothing
            rest = [dim for dim in rest if array.sizes[dim] > 1]
            array = array.squeeze([d for d in array.dims if d not in ("time", *axes, *rest)])
        if not rest:
            single.append((str(name), array))
        elif len(rest) == 1:
            layered.append((rest[0], array))
    if not layered and not single:
        shapes = ", ".join(f"{name} {array.dims}" for name, array in dataset.data_vars.items())
        raise SitsError(
            f"{where}: {file} has no variable of numbers along time, {axes[0]} and {axes[1]}; "
            f"it has "
            f"{shapes or 'none'}"
        )
    found: list[tuple[str, _Band]] = []
    for dim, array in layered:
        slices = [array.isel({dim: i}) for i in range(array.sizes[dim])]
        names = bands.in_order(_own_names(array, dim), settings, sensor, file, where)
        found += zip(names, (_band(one, where) for one in slices), strict=False)
    given = settings if not layered else settings.model_copy(update={"bands": None})
    names = bands.in_order([name for name, _ in single], given, sensor, file, where)
    found += zip(names, (_band(array, where) for _, array in single), strict=False)
    return found


def _own_names(array: xr.DataArray, dim: str) -> list[Any]:
    """Names along a dimension of bands; empty texts where nothing names them."""
    names = list(array[dim].values) if dim in array.coords else [""] * array.sizes[dim]
    long = array.attrs.get("long_name")
    # rioxarray numbers the bands and keeps their descriptions in this attribute.
    if isinstance(long, (list, tuple, np.ndarray)) and len(long) == len(names):
        names = list(long)
    return [name.decode() if isinstance(name, bytes) else name for name in names]


def _band(array: xr.DataArray, where: str) -> _Band:
    attrs, dtype = {**array.encoding, **array.attrs}, array.dtype
    unsigned = str(attrs.get("_Unsigned", "")).lower()
    if dtype.kind == "i" and unsigned == "true":
        dtype = np.dtype(f"u{dtype.itemsize}")
    elif dtype.kind == "u" and unsigned == "false":
        dtype = np.dtype(f"i{dtype.itemsize}")
    elif dtype.kind == "b":
        dtype = np.dtype(np.uint8)
    try:
        return _Band(array.astype(dtype), values.of_attributes(array.attrs, dtype))
    except (ValueError, TypeError, IndexError) as error:
        raise SitsError(
            f"{where}: the attributes of `{array.name}` that tell its packing or missing values "
            f"cannot be read: {error}; correct them in the cube"
        ) from None


def _of_block(
    stack: Any, offsets: Any, block: Block, grid: Grid, meaning: Meaning
) -> tuple[Any, bool]:
    """Lazy (time, band + 1, y, x) of a block, and whether the store reaches it."""
    import dask.array as da

    x, y = centres_in(block, grid.crs)
    inside = np.isfinite(x) & np.isfinite(y)
    indices = []
    for axis, (start, step, count) in ((y, grid.rows), (x, grid.columns)):
        # Half a step before a centre its pixel begins.
        index = np.floor(np.where(inside, (axis - start) / step + 0.5, -1)).astype(np.int64)
        inside &= (index >= 0) & (index < count)
        indices.append(index)
    if not inside.any():
        return _missing(stack, block, meaning.sensor), False
    row, column = indices
    top, left = row[inside].min(), column[inside].min()
    window = stack[:, :, top : row[inside].max() + 1, left : column[inside].max() + 1]
    window = window.rechunk({2: -1, 3: -1})
    function = partial(convert, row=row - top, column=column - left, inside=inside, meaning=meaning)
    shape = (window.chunks[0], (len(meaning.sensor.bands) + 1,), (block.rows,), (block.columns,))
    found = da.map_blocks(
        function, window, offsets, dtype=np.uint16, chunks=shape, meta=np.empty((0,) * 4, "u2")
    )
    return found, True


def _mosaics(whole: Any, datatakes: Sequence[Sequence[int]]) -> Any:
    """Lazy (time, band + 1, y, x) of all dates -> of datatakes, which are runs of dates."""
    import dask.array as da

    if len(datatakes) == len(whole):
        return whole
    parts = []
    for members in datatakes:
        part = whole[members[0] : members[-1] + 1]
        if len(members) > 1:
            part = part.rechunk({0: -1, 1: -1})
            part = part.map_blocks(first_seen, chunks=((1,), *part.chunks[1:]), dtype=part.dtype)
        parts.append(part)
    return da.concatenate(parts)


def first_seen(images: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The first of some images (image, band + 1, y, x) that has a pixel gives it: one of them."""
    result = images[:1].copy()
    for image in images[1:]:
        empty = (result[0, :-1] == MISSING).all(0)
        result[0][:, empty] = image[:, empty]
    return result


def _missing(stack: Any, block: Block, sensor: Sensor) -> Any:
    """A block that the store does not reach, (time, band + 1, y, x)."""
    import dask.array as da

    size = (block.rows, block.columns)
    chunks = (stack.chunks[0], -1, -1, -1)
    shape = (stack.shape[0], len(sensor.bands), *size)
    pixels = da.full(shape, MISSING, dtype=np.uint16, chunks=chunks)
    score = da.full((stack.shape[0], 1, *size), CLEAR_MISSING, dtype=np.uint16, chunks=chunks)
    return da.concatenate([pixels, score], axis=1).rechunk({1: -1})
