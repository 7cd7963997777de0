"""What stored values mean: scale, offset, and which of them are none, by file and by config.

What a file says of its values counts; a key that the config gives goes before it. Values that
either calls missing are missing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Rasters, Stac
from sitsformer.errors import SitsError
from sitsformer.sensors import Sensor
from sitsformer.stored import MISSING, SCALE

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

logger = logging.getLogger("sitsformer")

FILLS = (-9999.0, -32768.0, -32767.0, -28672.0, -999.0, float(MISSING))
"""What stands for nothing in files that do not say so, where it could be no reflectance."""
LOWEST, HIGHEST = -0.5, 6.0
"""Beyond these a fill is no reflectance."""
ABSURD = 1e20
"""No value of any kind, such as the fill of netCDF (9.97e36) or the lowest float32."""
_BASELINE = re.compile(r"(?:^|_)N(\d{4})(?:_|\.|$)")


@dataclass(frozen=True)
class Tags:
    """What a file says of the values of a band.

    Attributes:
        scale: None where it says nothing, or 1: that is what tools leave on plain integers.
        offset: in unpacked units; None where it says nothing, or 0.
        missing: stored values that are none.
        low: smallest stored value that is one.
        high: largest.
    """

    scale: float | None = None
    offset: float | None = None
    missing: tuple[float, ...] = ()
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True)
class Packing:
    """Reflectance of a band = stored value x scale + offset; `tags` say which values are none."""

    scale: float
    offset: float
    missing: tuple[float, ...]
    low: float
    high: float


def of_geotiff(dataset: DatasetReader, band: int) -> Tags:
    """Tags of a band, counted from 1, of an open raster."""
    scale, offset = float(dataset.scales[band - 1]), float(dataset.offsets[band - 1])
    nodata = dataset.nodatavals[band - 1]
    return Tags(
        None if scale in (0.0, 1.0) else scale,
        None if offset == 0 else offset,
        () if nodata is None else (float(nodata),),
    )


def of_attributes(attrs: Mapping[str, Any], dtype: np.dtype[Any]) -> Tags:
    """Tags of a variable of NetCDF or Zarr by its CF attributes (CF 1.11, 2.5.1 and 8.1).

    `dtype` is that of the stored values after `_Unsigned`.
    """
    scale = float(np.ravel(attrs.get("scale_factor", 1.0))[0])
    offset = float(np.ravel(attrs.get("add_offset", 0.0))[0])
    missing = [
        _in_dtype(value, dtype)
        # The last two are of odc-stac and rioxarray.
        for key in ("_FillValue", "missing_value", "nodata", "nodatavals")
        for value in np.ravel(attrs.get(key, ()))
        if value is not None
    ]
    span = np.ravel(attrs.get("valid_range", (-np.inf, np.inf)))
    limits = [
        np.ravel(attrs.get("valid_min", span[0]))[0],
        np.ravel(attrs.get("valid_max", span[-1]))[0],
    ]
    low, high = (_stored(limit, dtype, scale, offset) for limit in limits)
    return Tags(
        None if scale in (0.0, 1.0) else scale,
        None if offset == 0 else offset,
        tuple(dict.fromkeys(missing)),
        low,
        high,
    )


def packing(
    tags: Tags, settings: Rasters | Stac, sensor: Sensor, day: date, name: str, where: str
) -> Packing:
    """What the values of a band of an acquisition mean, by what the file says and the config.

    The name of the file of a product tells its processing baseline.

    Raises:
        SitsError: no part of `offset` is for the day.
    """
    scale = settings.scale or tags.scale or sensor.scale
    offset = offset_on(settings, sensor, day, name, where)
    if offset is None and settings.scale is tags.scale is tags.offset is None:
        # Nobody says anything: these are the numbers of the sensor's products.
        offset = sensor.offset if sensor.offset_since is None else 0.0
    elif offset is None:
        offset = tags.offset or 0.0
        # Without a scale of its own, what a file unpacks to are still the integers of `scale`.
        offset *= 1.0 if tags.scale else scale
    missing = tags.missing + (() if settings.nodata is None else (settings.nodata,))
    fills = (value for value in FILLS if not LOWEST < value * scale + offset < HIGHEST)
    return Packing(scale, offset, (*(missing or (0.0,)), *fills), tags.low, tags.high)


def offset_on(
    settings: Rasters | Stac, sensor: Sensor, day: date, name: str, where: str
) -> float | None:
    """The offset that the config gives for a day; None where it gives none at all.

    Raises:
        SitsError: it has a list, and no part of it is for the day.
    """
    if settings.offset is None:
        return None
    if isinstance(settings.offset, tuple):
        for part in settings.offset:
            if part.holds(day):
                return part.value
        raise SitsError(
            f"{where}.offset: no part of it is for {day}; add `before` or `from` with that day"
        )
    if without_offset(settings, sensor, name):
        return 0.0
    return settings.offset


def without_offset(settings: Rasters | Stac, sensor: Sensor, name: str) -> bool:
    """Whether `offset: -0.1` is not for a file: its name says a baseline before 04.00."""
    return settings.offset == sensor.offset and is_late(sensor, name) is False


def is_late(sensor: Sensor, name: str) -> bool | None:
    """Whether a file's name says a processing baseline with an offset; None where it says none."""
    baseline = _BASELINE.search(name)
    if baseline is None or sensor.offset_baseline is None:
        return None
    return int(baseline[1]) >= sensor.offset_baseline


def tell(tags: Iterable[tuple[str, Tags]], settings: Rasters | Stac, where: str) -> None:
    """Say in one line each what the files say and the config overrules, or the files alone say."""
    told: dict[str, None] = {}
    for name, own in tags:
        for key, value in (("scale", own.scale), ("offset", own.offset)):
            given = getattr(settings, key)
            if value is None or told.get(key, "") is None:
                continue
            if given is not None and given != value:
                told[key] = None
                logger.warning(
                    "%s.%s: %s of the config is used, not %g that %s says of itself",
                    where,
                    key,
                    f"{given:g}" if isinstance(given, float) else "the list",
                    value,
                    name,
                )
            elif given is None:
                told[key] = None
                logger.info("%s: %s %g is taken from %s", where, key, value, name)


def known(values: NDArray[Any], missing: Sequence[float]) -> NDArray[np.bool_]:
    """Whether each value is one: not NaN or absurd, and none of those that mean missing."""
    valid = np.ones(values.shape, bool)
    if values.dtype.kind == "f":
        valid &= np.abs(values) < ABSURD
    span = np.iinfo(values.dtype) if values.dtype.kind in "ui" else None
    for value in missing:
        if not np.isnan(value) and (span is None or span.min <= value <= span.max):
            # A float32 file holds the float32 that is nearest to its nodata value.
            valid &= values != (values.dtype.type(value) if values.dtype.kind == "f" else value)
    return valid


def to_stored(
    values: NDArray[Any], inside: NDArray[np.bool_], packings: Sequence[Packing]
) -> NDArray[np.uint16]:
    """Values of a file -> stored values of a cube; MISSING where there are none.

    Integers in the cube's own scale pass unchanged. Reflectances below 0 become 0 and those that
    would collide with MISSING stay one below it.

    Args:
        values: (band, y, x) of the file.
        inside: (band, y, x) or (y, x), whether the file reaches there.
        packings: of the bands.
    """
    result = np.full(values.shape, MISSING, np.uint16)
    reaches = np.broadcast_to(inside, values.shape)
    for band, (pixels, own) in enumerate(zip(values, packings, strict=True)):
        valid = reaches[band] & known(pixels, own.missing)
        if np.isfinite(own.low) or np.isfinite(own.high):
            valid &= (pixels >= own.low) & (pixels <= own.high)
        if own.scale == SCALE and own.offset == 0 and pixels.dtype.kind in "ui":
            scaled = pixels
        else:
            real = np.where(valid, pixels, 0).astype(np.float64)
            scaled = np.round((real * own.scale + own.offset) / SCALE)
        stored = np.clip(scaled, 0, MISSING - 1).astype(np.uint16)
        result[band] = np.where(valid, stored, np.uint16(MISSING))
    return result


def _in_dtype(value: Any, dtype: np.dtype[Any]) -> float:
    """A fill value as the stored dtype has it: -1 of `_Unsigned` int16 is 65535."""
    if dtype.kind == "u" and float(value) < 0:
        return float(np.asarray(int(value)).astype(dtype))
    return float(value)


def _stored(limit: Any, dtype: np.dtype[Any], scale: float, offset: float) -> float:
    """A limit in stored values; limits of another kind of number than these are unpacked ones."""
    number = float(limit)
    if not np.isfinite(number):
        return number
    packed = scale not in (0.0, 1.0) or offset != 0
    if packed and dtype.kind in "iu" and np.asarray(limit).dtype.kind == "f":
        return (number - offset) / scale
    return number


def unpack(flags: NDArray[Any], tags: Tags, *, alone: bool) -> NDArray[Any]:
    """Values of a cloud band, unpacked where its scale and offset are its own (`alone`)."""
    if not alone or (tags.scale is None and tags.offset is None):
        return flags
    real = flags.astype(np.float64) * (tags.scale or 1.0) + (tags.offset or 0.0)
    near = np.round(real)
    return np.where(np.abs(real - near) < 1e-6, near, real)
