"""Whether the values of a series can be reflectances: a look at a few dates before it is written.

A wrong scale or offset gives a cube that is whole and useless. What cannot be is refused, what is
only strange (bright snow, dark water, deserts) is a warning; both name the key to set.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Rasters, Stac
from sitsformer.errors import SitsError
from sitsformer.imagery.rasters import values
from sitsformer.imagery.rasters.series import Acquisitions
from sitsformer.sensors import Sensor
from sitsformer.stored import MISSING, SCALE

logger = logging.getLogger("sitsformer")

DATES = 8
"""Dates that are looked at; of a season across the day from which products have an offset, half of
them on either side."""
OF_A_FORM = 2
"""Dates that are looked at besides, of each form in which files of a folder hold values: one file
in another unit is as good as lost among many."""
STRIDE = 4
"""Every so manieth row and column of large blocks is counted."""
LARGEST = 1.6
"""Reflectances of clouds and snow reach a little less."""
SMALLEST = 0.005
"""The brightest of an image is above this, even over deep water."""
FLOOR = 0.085
"""The darkest values of land without snow are well below this; those with the offset above."""


@dataclass(frozen=True)
class Look:
    """Figures of one date, of the pixels that are not missing.

    Attributes:
        time: datetime64[s].
        late: whether its products are of a processing baseline with an offset.
        floor: 2 % quantile of the darkest band.
        top: 99 % quantile of all bands.
        zero: share of values that are 0 (or were below).
        blue_zero: the same of the blue band.
        high: share of values above LARGEST.
    """

    time: np.datetime64
    late: bool
    floor: float
    top: float
    zero: float
    blue_zero: float
    high: float


def check(series: Acquisitions, settings: Rasters | Stac, sensor: Sensor, where: str) -> None:
    """Look at a few dates of a series.

    Raises:
        SitsError: the values cannot be reflectances, and which key makes them so.
    """
    looks = _looks(series, sensor, where)
    if not looks:
        return  # nothing but missing pixels: the stages after say what is lost
    for problem in _impossible(looks, settings, sensor, where):
        raise SitsError(f"{where}: {problem}")
    for line in _strange(looks, settings, sensor, where):
        logger.warning("%s: %s", where, line)


def _first_day(sensor: Sensor) -> np.datetime64:
    """From this day on products are of a processing baseline with an offset; NaT: none is.

    Names may say that older ones were processed anew.
    """
    return np.datetime64(sensor.offset_since or "NaT", "s")


def _late(series: Acquisitions, sensor: Sensor) -> NDArray[np.bool_]:
    """Whether the products of each date are of a processing baseline with an offset."""
    files = series.attrs.get("files", ())
    names = files if len(files) == len(series.times) else [""] * len(series.times)
    told = [values.is_late(sensor, name) for name in names]
    by_day = series.times >= _first_day(sensor)
    return np.array([d if t is None else t for t, d in zip(told, by_day, strict=True)], bool)


def _chosen(late: NDArray[np.bool_], forms: Sequence[str]) -> list[int]:
    """Positions of the dates to look at."""
    sides = [np.flatnonzero(~late), np.flatnonzero(late)]
    counts = [DATES if side.size == late.size else DATES // 2 for side in sides]
    spread = [
        side[np.unique(np.linspace(0, side.size - 1, count).round().astype(int))]
        for side, count in zip(sides, counts, strict=True)
        if side.size
    ]
    chosen = [int(at) for side in spread for at in side]
    for form in dict.fromkeys(forms):
        own = [at for at, other in enumerate(forms) if other == form]
        if len({*own} & {*chosen}) < min(OF_A_FORM, len(own)):
            chosen += [own[0], own[-1]]
    return list(dict.fromkeys(chosen))


def _looks(series: Acquisitions, sensor: Sensor, where: str) -> list[Look]:
    """Figures of the chosen dates, each of its first block that has pixels, the middle one first.

    The dates of a block are read together: those of a store lie in the same chunks.
    """
    import dask.array as da

    rows, columns = series.reflectance.numblocks[2:]
    order = sorted(
        np.ndindex(rows, columns),
        key=lambda place: abs(place[0] - (rows - 1) / 2) + abs(place[1] - (columns - 1) / 2),
    )
    found: dict[int, Look] = {}
    late = _late(series, sensor)
    blue = sensor.names.index(sensor.called("blue")[0])
    chosen = _chosen(late, series.forms)
    for row, column in order[:4]:
        left = [at for at in chosen if at not in found]
        blocks = [series.reflectance[at].blocks[:, row, column] for at in left]
        thinned = [block[:, :: (stride := _stride(block.shape[-1])), ::stride] for block in blocks]
        try:
            read = da.compute(*thinned)
        except (OSError, RuntimeError, ValueError) as error:
            raise SitsError(
                f"{where}: pixels cannot be read: {error}; get the file again"
            ) from None
        for at, pixels in zip(left, read, strict=True):
            if (pixels != MISSING).any():
                found[at] = _figures(series.times[at], bool(late[at]), pixels, blue)
        if len(found) == len(chosen):
            break
    return [found[at] for at in sorted(found)]


def _stride(size: int) -> int:
    return STRIDE if size >= 32 * STRIDE else 1


def _figures(time: np.datetime64, late: bool, pixels: NDArray[np.uint16], first: int) -> Look:
    there = pixels != MISSING
    stored = pixels[there]
    floors = [
        float(np.quantile(band[seen], 0.02))
        for band, seen in zip(pixels, there, strict=True)
        if seen.any()
    ]
    blue = pixels[first][there[first]]
    return Look(
        time,
        late,
        min(floors) * SCALE,
        float(np.quantile(stored, 0.99)) * SCALE,
        float((stored == 0).mean()),
        float((blue == 0).mean()) if blue.size else 0.0,
        float((stored > LARGEST / SCALE).mean()),
    )


def _impossible(
    looks: Sequence[Look], settings: Rasters | Stac, sensor: Sensor, where: str
) -> Iterator[str]:
    high = float(np.mean([look.high for look in looks]))
    if high > 0.2:
        top = max(look.top for look in looks)
        yield (
            f"{high:.0%} of the reflectances are above {LARGEST} (up to {top:.4g}), so scale or "
            f"offset are wrong; set {where}.scale so that stored value x scale is a reflectance "
            "(0.0001 for integers of 10,000 x reflectance, 1.0 for values from 0 to 1, 0.01 for "
            f"percent{_own(sensor)}){_now(settings)}"
        )
    empty = [look for look in looks if look.top == 0]
    if len(empty) == len(looks):
        yield (
            f"every reflectance is 0 or less than 0.0001; set {where}.scale: 1.0 if the files hold "
            f"reflectances from 0 to 1, or {where}.nodata: 0 if 0 means missing, or change "
            f"{where}.offset{_products(settings, sensor)}{_now(settings)}"
        )
    yield from _two_units(looks)
    for look in looks:
        if 0 < look.top < SMALLEST:
            yield (
                f"the reflectances of {_day(look)} are 0 to {look.top:.2g}, so the scale is wrong; "
                f"set {where}.scale: 1.0 if the files hold reflectances from 0 to 1, or 0.01 for "
                f"percent{_products(settings, sensor)}{_now(settings)}"
            )
    clipped = [look for look in looks if look.blue_zero > 0.5 and look.top > 0]
    if clipped and settings.offset is not None and 2 * len(clipped) > len(looks):
        yield (
            f"more than half of the blue ({sensor.called('blue')[0]}) reflectances of "
            f"{_day(clipped[0])} are 0 or less with the offset {_shown(settings.offset)}: these "
            f"values are harmonised already; leave {where}.offset out or set it to 0"
        )
    elif clipped and _products(settings, sensor) and 2 * len(clipped) > len(looks):
        yield (
            f"more than half of the blue ({sensor.called('blue')[0]}) reflectances of "
            f"{_day(clipped[0])} are 0 or less{_products(settings, sensor)}; set {where}.scale: "
            "0.0001 if the files hold integers of 10,000 x reflectance, or 1.0 for values from 0 "
            "to 1"
        )
    if sensor.offset_since is not None:
        yield from _jump(looks, settings, sensor, where)
        if isinstance(settings, Rasters):  # items of a catalogue say their offsets themselves
            yield from _lifted(looks, settings, sensor, where)


def _two_units(looks: Sequence[Look]) -> Iterator[str]:
    """Dates that are near 0 or far too large throughout, where others are reflectances."""
    odd = [look for look in looks if look.top < SMALLEST or look.high > 0.9]
    sound = [look for look in looks if look.top >= SMALLEST and look.high < 0.1]
    if odd and sound:
        yield (
            f"the reflectances of {_day(odd[0])} reach {odd[0].top:.2g}, and those of "
            f"{_day(sound[0])} {sound[0].top:.2g}: the images are in two units; write them all in "
            "one, as integers of 10,000 x reflectance (or take out what is empty)"
        )


def _own(sensor: Sensor) -> str:
    """What products of a sensor have, where it is none of the usual scales."""
    if sensor.offset == 0 or sensor.offset_since is not None:
        return ""
    return f", {sensor.scale:g} with `offset: {sensor.offset:g}` for products of {sensor.title}"


def _products(settings: Rasters | Stac, sensor: Sensor) -> str:
    """What was taken for granted where neither a file nor the config says a scale."""
    if settings.scale is not None or settings.offset is not None or not _own(sensor):
        return ""
    return (
        f" (without a scale in the files, values are read as those of {sensor.title}'s products, "
        f"{sensor.scale:g} x value {sensor.offset:+g})"
    )


def _jump(
    looks: Sequence[Look], settings: Rasters | Stac, sensor: Sensor, where: str
) -> Iterator[str]:
    """A step at the change of baseline: one side is offset against the other."""
    before = [look for look in looks if not look.late and look.top > 0]
    after = [look for look in looks if look.late and look.top > 0]
    if not before or not after:
        return
    if all((look.time >= _first_day(sensor)) == look.late for look in looks):
        step = f"at {sensor.offset_since}, where {_baseline(sensor)} begins,"
        remedy = (
            f"{where}.offset: [{{before: {sensor.offset_since}, value: 0}}, "
            f"{{from: {sensor.offset_since}, value: {sensor.offset:g}}}]"
        )
    else:
        step = f"where names say {_baseline(sensor)} or later,"
        remedy = f"{where}.offset: {sensor.offset} (names of an earlier baseline are spared)"
    low, high = (min(look.floor for look in side) for side in (before, after))
    if settings.offset is None and high > FLOOR and 0.06 < high - low < 0.15:
        yield (
            f"the darkest reflectances step from {low:.3f} to {high:.3f} {step} which comes "
            f"with an offset of {-sensor.offset:g}; set {remedy}, or offset: 0 if the step is real"
        )
    if isinstance(settings.offset, float) and settings.offset < 0:
        zeros = [float(np.mean([look.zero for look in side])) for side in (before, after)]
        if zeros[0] > 0.1 and zeros[1] < 0.2 * zeros[0]:
            yield (
                f"{zeros[0]:.0%} of the reflectances before {sensor.offset_since} are 0 or less "
                f"with the offset {settings.offset:g}, and {zeros[1]:.0%} from then on: products "
                f"before {_baseline(sensor)} have no offset; set {remedy}"
            )


def _lifted(
    looks: Sequence[Look], settings: Rasters | Stac, sensor: Sensor, where: str
) -> Iterator[str]:
    """A series wholly of products with an offset, that nobody takes off.

    Nothing else would tell: a network learns lifted reflectances as well, and fails on others.
    """
    floors = [look.floor for look in looks if look.top > 0]
    late = all(look.late for look in looks)
    if settings.offset is None and late and floors and FLOOR < min(floors) < 0.2:
        yield (
            f"no reflectance looked at is below {min(floors):.2f}, and all are of {sensor.title} "
            f"products from {sensor.offset_since} on (or of {_baseline(sensor)} or later, as names "
            f"say), which come with an offset of {-sensor.offset:g}; set {where}.offset: "
            f"{sensor.offset:g}, or {where}.offset: 0 if they were harmonised and the ground is "
            "that bright"
        )


def _baseline(sensor: Sensor) -> str:
    number = sensor.offset_baseline or 0
    return f"processing baseline {number // 100:02}.{number % 100:02} of {sensor.title}"


def _strange(
    looks: Sequence[Look], settings: Rasters | Stac, sensor: Sensor, where: str
) -> Iterator[str]:
    high = float(np.mean([look.high for look in looks]))
    if high > 0.02:
        yield f"{high:.0%} of the reflectances are above {LARGEST}: snow, or a wrong `scale`"
    zero = float(np.mean([look.zero for look in looks]))
    if zero > 0.05:
        yield (
            f"{zero:.0%} of the reflectances looked at are 0 or less: water, a wrong `offset`, or "
            "missing pixels stored as 0 (`nodata: 0`)"
        )
    if isinstance(settings, Stac) and sensor.offset_since is not None:
        yield from _lifted(looks, settings, sensor, where)


def _now(settings: Rasters | Stac) -> str:
    given = [
        f"{key} is {_shown(getattr(settings, key))}"
        for key in ("scale", "offset")
        if getattr(settings, key) is not None
    ]
    return f" (now {' and '.join(given)})" if given else ""


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "by date"


def _day(look: Look) -> str:
    return str(look.time)[:10]
