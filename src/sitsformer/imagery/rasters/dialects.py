"""NetCDF and Zarr as different tools write them: dates, axes, coordinate system."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sitsformer.errors import SitsError
from sitsformer.imagery.rasters.series import Season

logger = logging.getLogger("sitsformer")

STORES = (".nc", ".nc4", ".netcdf", ".cdf", ".zarr")
"""Endings of a path that is one cube; anything else is a folder."""

_TIMES = ("time", "t", "date", "dates", "datetime", "valid_time", "phenomenon_time", "acquired")
_ROWS = ("y", "lat", "latitude", "northing", "northings", "yc", "y_coord")
_COLUMNS = ("x", "lon", "long", "longitude", "easting", "eastings", "xc", "x_coord")
_DEGREES = ("lat", "latitude", "lon", "long", "longitude")
ROUNDING = {4: 0.1, 8: 0.01}
"""How far coordinates may be from evenly spaced ones, share of a step, by their bytes. The float32
nearest to a northing of 5,600 km is up to 0.25 m away."""


@dataclass(frozen=True)
class Grid:
    """Regular grid of a store: CRS (WKT), first centre, step and count along rows and columns."""

    crs: str
    rows: tuple[float, float, int]
    columns: tuple[float, float, int]


def split(path: Path) -> tuple[Path, str | None] | None:
    """A path as a cube and the group in it (`cube.zarr/r10m`); None where it is no cube."""
    for i, part in enumerate(path.parts, start=1):
        if Path(part).suffix.lower() in STORES:
            return Path(*path.parts[:i]), "/".join(path.parts[i:]) or None
    return None


def open_store(path: Path, group: str | None) -> xr.Dataset:
    """Open a cube lazily, with stored values and the attributes that tell how they are packed.

    Raises:
        SitsError: it cannot be opened, or holds groups alone.
    """
    if not path.exists():
        raise SitsError(f"{path} cannot be read as a NetCDF or Zarr cube: it does not exist")
    engine = "zarr" if path.suffix.lower() == ".zarr" else None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Failed to open Zarr store")
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            dataset = xr.open_dataset(
                path,
                engine=engine,
                group=group,
                mask_and_scale=False,
                decode_times=False,
                decode_coords="all",
                chunks={},
            )
    except Exception as error:  # each library has errors of its own for a damaged file
        raise SitsError(
            f"{path} cannot be read as a NetCDF or Zarr cube: {_first_line(error)}; check the path"
            f"{f' and the group {group}' if group else ''}"
        ) from None
    if not dataset.data_vars and (groups := _groups(path, engine)):
        raise SitsError(
            f"{path}{f'/{group}' if group else ''} holds no variables but groups: "
            f"{', '.join(groups)}; add the group to the path ({path.name}/{groups[0]})"
        )
    return dataset


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _groups(path: Path, engine: str | None) -> list[str]:
    """Groups of a store that hold variables."""
    try:
        tree = xr.open_datatree(path, engine=engine, decode_times=False, mask_and_scale=False)
    except Exception:  # only a hint is lost
        return []
    return [node.path.strip("/") for node in tree.subtree if node.data_vars][:6]


def with_time(dataset: xr.Dataset, season: Season, where: str) -> xr.Dataset:
    """The dates of the season along a dimension `time`, sorted.

    Raises:
        SitsError: there are no dates, not of the ordinary calendar, twice, or none of the season.
    """
    name = _time_name(dataset, where)
    times = _moments(dataset[name], where)
    if name not in dataset.dims:
        dataset = dataset.expand_dims(name)
        times = np.atleast_1d(times)
    dataset = dataset.drop_vars(name)
    if name != "time":
        dataset = dataset.drop_vars("time", errors="ignore").rename({name: "time"})
    dataset = dataset.assign_coords(time=times)
    first, last = (np.datetime64(day, "D") for day in season)
    days = times.astype("datetime64[D]")
    if not days.size:
        raise SitsError(f"{where}: the cube has no dates; its dimension `{name}` is empty")
    inside = (days >= first) & (days <= last)
    if not inside.any():
        raise SitsError(
            f"{where}: none of the {len(days)} dates is of the season {first} to {last}; "
            f"they are from {days.min()} to {days.max()}"
        )
    chosen = dataset.isel(time=inside).sortby("time")
    seconds = chosen.time.values.astype("datetime64[s]")
    twice = np.flatnonzero(np.diff(seconds) == np.timedelta64(0))
    if twice.size:
        raise SitsError(
            f"{where}: the date {seconds[twice[0]]} is there twice; "
            "merge the two images or give them different times of day"
        )
    return chosen


def _time_name(dataset: xr.Dataset, where: str) -> str:
    """Dimension (or single coordinate) that holds the dates, by CF attributes, then by name."""
    own = {name: v for name, v in dataset.variables.items() if v.dims in ((name,), ())}
    told = [str(name) for name, v in own.items() if _is_time(v)]
    named = [name for name in _TIMES if name in own]
    along = [name for name in dict.fromkeys([*told, *named]) if own[name].dims]
    found = along or list(dict.fromkeys([*told, *named]))
    if not found:
        raise SitsError(
            f"{where}: the cube has no dimension `time` of dates; it has the dimensions "
            f"{', '.join(map(str, dataset.sizes))} (xarray: `rename(...)`, or `assign_coords`)"
        )
    if len(along) > 1 and "time" not in along:
        raise SitsError(
            f"{where}: several dimensions of the cube may be its dates: {', '.join(along)}; call "
            "the right one `time`"
        )
    return "time" if "time" in found else found[0]


def _is_time(variable: xr.Variable) -> bool:
    attrs = variable.attrs
    units = str(attrs.get("units", ""))
    return (
        variable.dtype.kind == "M"
        or " since " in units
        or attrs.get("standard_name") == "time"
        or str(attrs.get("axis", "")).upper() == "T"
    ) and "timedelta" not in str(attrs.get("dtype", ""))


def _moments(array: xr.DataArray, where: str) -> NDArray[np.datetime64]:
    """Dates as datetime64[ns], UTC.

    Raises:
        SitsError: they are not dates of the ordinary calendar.
    """
    import pandas as pd

    name = array.name
    try:
        if array.dtype.kind in "iuf" and " since " in str(array.attrs.get("units", "")):
            decoded = xr.decode_cf(array.rename("dates").to_dataset(), decode_coords=False)
            array = decoded["dates"]
        if array.dtype.kind in "OUSM":
            text = array.values.astype(str) if array.dtype.kind == "S" else array.values
            moments = pd.DatetimeIndex(
                pd.to_datetime(
                    np.atleast_1d(text),
                    utc=True,
                    format="ISO8601" if array.dtype.kind != "M" else None,
                )
            )
            if moments.hasnans:
                raise SitsError(f"{where}: a date of `{name}` is missing (NaT)")
            return moments.tz_localize(None).values.astype("datetime64[ns]")
    except (ValueError, TypeError, ImportError, OverflowError) as error:
        raise SitsError(
            f"{where}: `{name}` of the cube does not hold dates of the ordinary calendar "
            f"(calendar {array.attrs.get('calendar', 'standard')!r}, units "
            f"{array.attrs.get('units', 'none')!r}): {str(error).splitlines()[0]}; write it as "
            "datetime64"
        ) from None
    raise SitsError(
        f"{where}: `{name}` of the cube is {array.dtype} without units of time; write it as "
        "datetime64 (xarray), or with units such as `days since 2021-01-01`"
    )


def dimensions(dataset: xr.Dataset, where: str) -> tuple[str, str]:
    """Names of the dimensions along rows and columns, by CF attributes, then by name.

    Raises:
        SitsError: there are none with coordinates.
    """
    found = [
        name
        for axis, word, names in (("Y", "latitude", _ROWS), ("X", "longitude", _COLUMNS))
        if (name := _axis(dataset, axis, word, names)) is not None
    ]
    if len(found) < 2:
        raise SitsError(
            f"{where}: the cube has no coordinates `y` and `x`; it has the dimensions "
            f"{', '.join(map(str, dataset.sizes))}, and coordinates for "
            f"{', '.join(str(n) for n in dataset.indexes) or 'none of them'}"
        )
    return found[0], found[1]


def _axis(dataset: xr.Dataset, axis: str, word: str, names: tuple[str, ...]) -> str | None:
    """The dimension of an axis, by its standard name, its `axis`, or its name; None without."""
    own = {str(name): v.attrs for name, v in dataset.coords.items() if v.dims == (name,)}
    standard = (f"projection_{axis.lower()}_coordinate", word)
    fitting = [name for name, attrs in own.items() if attrs.get("standard_name") in standard]
    fitting += [name for name, attrs in own.items() if str(attrs.get("axis")).upper() == axis]
    fitting += [name for name in own if name.lower() in names]
    return fitting[0] if fitting else None


def grid(dataset: xr.Dataset, where: str) -> Grid:
    """The grid of a cube.

    Raises:
        SitsError: its coordinates are not evenly spaced, or nothing tells their system.
    """
    rows, columns = dimensions(dataset, where)
    down, right = _regular(dataset[rows], where), _regular(dataset[columns], where)
    degrees = rows.lower() in _DEGREES or dataset[rows].attrs.get("standard_name") == "latitude"
    crs = next(_systems(dataset, where), None)
    if crs is None and degrees:
        crs = "EPSG:4326"  # coordinates called latitude and longitude say so themselves
    if crs is None:
        raise SitsError(
            f"{where}: the cube has no coordinate reference system; write one "
            "(rioxarray's `rio.write_crs`)"
        )
    if _of_corners(dataset, down, right):
        logger.info(
            "%s: the coordinates of the cube are those of the upper left corners of its pixels, as "
            "its transform says",
            where,
        )
        down, right = ((first + step / 2, step, count) for first, step, count in (down, right))
    if degrees and right[0] > 180:  # longitudes from 0 to 360
        right = (right[0] - 360, *right[1:])
    return Grid(crs, down, right)


def _of_corners(
    dataset: xr.Dataset, down: tuple[float, float, int], right: tuple[float, float, int]
) -> bool:
    """Whether coordinates are of corners rather than centres, as those of stackstac are.

    The affine transform that a cube keeps tells it: of corners are those a whole number of pixels
    away from its own (the cube may be a part of what the transform was made for).
    """
    for a, c, e, f in _transforms(dataset):
        steps = np.array([right[1] / a, down[1] / e]) if a and e else np.zeros(2)
        if np.abs(steps - 1).max() > 1e-6:
            continue
        away = np.array([(right[0] - c) / a, (down[0] - f) / e])
        return bool(np.abs(away - np.round(away)).max() < 0.01)
    return False


def _transforms(dataset: xr.Dataset) -> Iterator[tuple[float, float, float, float]]:
    """Transforms that a cube holds: step and first edge along columns, and along rows."""
    variables = [v.attrs for v in dataset.variables.values()]
    for attrs in (dataset.attrs, *variables):
        for key, places in (("GeoTransform", (1, 0, 5, 3)), ("transform", (0, 2, 4, 5))):
            found = re.findall(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?", str(attrs.get(key, "")))
            if len(found) in (6, 9):
                a, c, e, f = (float(found[place]) for place in places)
                yield a, c, e, f


def _systems(dataset: xr.Dataset, where: str) -> Iterator[str]:
    """Coordinate systems (WKT) that a cube names, the most certain first."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    scalars = {str(name): v for name, v in dataset.variables.items() if v.size == 1}
    # The variable that a grid_mapping names, then any that describes a system.
    mapped = {
        str(source["grid_mapping"]).split(":")[0]
        for array in dataset.data_vars.values()
        for source in (array.encoding, array.attrs)
        if "grid_mapping" in source
    }
    ordered = sorted(scalars, key=lambda name: name not in mapped)
    attributes: list[Mapping[Any, Any]] = [scalars[name].attrs for name in ordered]
    attributes += [dataset.attrs, *(array.attrs for array in dataset.data_vars.values())]
    for attrs in attributes:
        for key in ("crs_wkt", "spatial_ref", "epsg_code", "crs", "epsg", "proj:epsg", "proj4"):
            if str(attrs.get(key, "")).strip() and not isinstance(attrs[key], dict):
                yield _wkt(attrs[key], where)
        if "grid_mapping_name" in attrs:
            try:
                yield CRS.from_cf(dict(attrs)).to_wkt()
            except (CRSError, KeyError):
                continue
    for name in ("epsg", "proj:epsg", "proj_epsg", "crs", "spatial_ref"):
        if name in scalars:
            value = np.ravel(scalars[name].values)[0]
            if (isinstance(value, (str, bytes)) and value) or int(value or 0) > 1000:
                yield _wkt(value, where)


def _wkt(value: Any, where: str) -> str:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    text = value.decode() if isinstance(value, bytes) else str(value)
    text = text.removeprefix("+init=").strip()
    try:
        return CRS.from_user_input(int(text) if text.isdigit() else text).to_wkt()
    except CRSError:
        raise SitsError(
            f"{where}: the coordinate reference system of the cube cannot be read: {text[:80]!r}; "
            "write it again (rioxarray's `rio.write_crs`)"
        ) from None


def _regular(axis: xr.DataArray, where: str) -> tuple[float, float, int]:
    """First centre, step and count of coordinates; the line that fits them best."""
    values = axis.values.astype(np.float64)
    count = len(values)
    if count < 2 or not np.isfinite(values).all():
        raise SitsError(
            f"{where}: the coordinate `{axis.name}` of the cube has {count} values; it needs two "
            "or more, all of them numbers"
        )
    position = np.arange(count) - (count - 1) / 2
    step = float(position @ (values - values.mean()) / (position @ position))
    off = np.abs(values - values.mean() - step * position).max()
    if step == 0 or off > ROUNDING.get(axis.dtype.itemsize, 0.01) * abs(step):
        raise SitsError(f"{where}: the coordinate `{axis.name}` of the cube is not evenly spaced")
    return float(values.mean() + step * position[0]), step, count
