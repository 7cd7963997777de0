"""Clear pixels: by a scene classification, a mask, cloud probabilities, or a test of two bands."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Clouds
from sitsformer.cube import CLEAR_MISSING
from sitsformer.errors import SitsError
from sitsformer.sensors import Sensor
from sitsformer.stored import MISSING, SCALE

logger = logging.getLogger("sitsformer")

CLEAR, CLOUDY = 100, 0
"""Scores of the cube contract: files say clear or cloudy, nothing in between."""


def needs_band(clouds: Clouds, sensor: Sensor, where: str) -> str | None:
    """Name or number of the band the chosen way needs; None where it needs none.

    Raises:
        SitsError: it needs one and none is set.
    """
    if clouds.by in ("simple", "none"):
        return None
    if clouds.by == "bits" and clouds.band is None and sensor.flags is not None:
        return sensor.flags.band
    if clouds.band is None:
        raise SitsError(
            f"{where}.clouds.band: clouds by {clouds.by!r} need the description or the number of "
            "the band; set it, or use `by: simple`"
        )
    return clouds.band


def none(missing: tuple[float, ...], clouds: Clouds) -> tuple[float, ...]:
    """Values of the cloud band that are none, of those that its file calls missing.

    0 of a band of bits says that none is set; a file of several bands calls it missing for the
    sake of the others.
    """
    return tuple(value for value in missing if value != 0 or clouds.by != "bits")


def score(
    reflectance: NDArray[np.uint16],
    flags: NDArray[Any] | None,
    known: NDArray[np.bool_] | None,
    clouds: Clouds,
    sensor: Sensor,
    where: str,
) -> NDArray[np.uint8]:
    """Clear-sky score of pixels.

    Args:
        reflectance: (band, y, x) stored values.
        flags: (y, x) values of the cloud band, where the way needs it.
        known: (y, x) whether they are values; where not, a pixel is not clear.
        clouds: the way, and its thresholds.
        sensor: whose bands these are.
        where: path of the config section, for messages.

    Returns:
        (y, x) uint8: 100 clear, 0 cloudy, 255 where a reflectance is missing.

    Raises:
        SitsError: the cloud band holds values that the chosen way does not know.
    """
    if flags is not None and known is not None:
        # What lies where there is no reflectance (often a fill of its own) decides nothing.
        counted = known & (reflectance != MISSING).any(0)
        _check(flags[counted], clouds, sensor, where)
        clear = counted & _clear(flags, clouds, sensor)
    elif clouds.by == "simple":
        names = sensor.called("blue", "swir16")
        blue, infrared = (reflectance[sensor.names.index(name)] * SCALE for name in names)
        clear = (blue <= clouds.blue_max) & (infrared >= clouds.swir_min)
    else:
        clear = np.ones(reflectance.shape[1:], bool)
    result = np.where(clear, np.uint8(CLEAR), np.uint8(CLOUDY))
    return np.where((reflectance == MISSING).any(0), np.uint8(CLEAR_MISSING), result)


def _clear(flags: NDArray[Any], clouds: Clouds, sensor: Sensor) -> NDArray[np.bool_]:
    if clouds.by == "bits":
        bits = clouds.bits or (() if sensor.flags is None else sensor.flags.hidden)
        none: NDArray[np.bool_] = (
            np.nan_to_num(flags).astype(np.int64) & sum(1 << bit for bit in bits) == 0
        )
        return none
    if clouds.by == "probability":
        low: NDArray[np.bool_] = flags <= clouds.probability_max
        return low
    if clouds.by == "scl":
        return np.isin(flags, clouds.scl_clear)
    return np.isin(flags, clouds.mask_clear or _usual(flags))


def _usual(flags: NDArray[Any]) -> tuple[int, ...]:
    """Which value of a mask means clear: 1, or the 255 of GDAL's masks where there is no 1."""
    return (1,) if (flags == 1).any() else (255,)


def _check(flags: NDArray[Any], clouds: Clouds, sensor: Sensor, where: str) -> None:
    """Refuse values that are no codes of the scene classification, and tell of a strange mask.

    Guessing would turn a whole season clear or cloudy without a word.
    """
    if clouds.by == "scl":
        strange = flags[~np.isin(flags, sensor.scene_codes)]
        remedy = (
            "the scene classification has the codes 0 to 11; for another mask use `by: mask` "
            "with `mask_clear`, or `by: simple`"
        )
    elif clouds.by == "bits":
        strange = flags[(flags < 0) | (flags != np.floor(flags))]
        remedy = "bits are read from whole numbers, 0 or more"
    elif clouds.by == "mask" and clouds.mask_clear is None:
        strange = flags[~np.isin(flags, (0, *_usual(flags)))]
        if strange.size:
            _tell(where, str(clouds.band), _shown(strange))
        return
    elif clouds.by == "probability" and clouds.probability_max <= 1:
        strange = flags[flags > 1]
        remedy = f"set `probability_max` in the unit of the band: {clouds.probability_max:g} is not"
    else:
        return
    if strange.size:
        raise SitsError(
            f"{where}.clouds: the {clouds.by} band {clouds.band!r} holds {_shown(strange)}; "
            f"{remedy}"
        )


def _shown(values: NDArray[Any]) -> str:
    """The commonest values, for a message."""
    found, counts = np.unique(values, return_counts=True)
    return ", ".join(f"{value:g}" for value in found[np.argsort(-counts)][:6].astype(float))


_told: set[tuple[str, str]] = set()
"""Masks that were warned of; their pixels are read date by date and block by block."""


def forget_warnings() -> None:
    """Warn of strange masks anew: of another cube."""
    _told.clear()


def _tell(where: str, band: str, shown: str) -> None:
    if (where, band) in _told:
        return
    _told.add((where, band))
    logger.warning(
        "%s.clouds: the mask band %r holds %s, which are taken as cloudy: a mask is 1 (or 255) "
        "where clear and 0 where not; set `mask_clear` to the values that mean clear, or use "
        "`by: probability` or `by: scl` if it is that",
        where,
        band,
        shown,
    )
