"""Clear pixels: by a scene classification, a mask band, or a simple test of two bands."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import BANDS, Clouds
from sitsformer.cube import CLEAR_MISSING, MISSING, SCALE
from sitsformer.errors import SitsError

CLEAR, CLOUDY = 100, 0
"""Scores of the cube contract: files say clear or cloudy, nothing in between."""


def needs_band(clouds: Clouds, where: str) -> str | None:
    """Name or number of the band the chosen way needs; None where it needs none.

    Raises:
        SitsError: it needs one and none is set.
    """
    if clouds.by not in ("scl", "mask"):
        return None
    if clouds.band is None:
        raise SitsError(
            f"{where}.clouds.band: clouds by {clouds.by!r} need the description or the number of "
            "the band; set it, or use `by: simple`"
        )
    return clouds.band


def score(
    reflectance: NDArray[np.uint16], band: NDArray[Any] | None, clouds: Clouds
) -> NDArray[np.uint8]:
    """Clear-sky score of pixels.

    Args:
        reflectance: (band, ...) stored values.
        band: (...) values of the SCL or mask band, where the way needs it.
        clouds: the way, and its thresholds.

    Returns:
        (...) uint8: 100 clear, 0 cloudy, 255 where a band is missing.
    """
    if band is not None:
        wanted = clouds.scl_clear if clouds.by == "scl" else (1,)
        clear = np.isin(band, wanted)
    elif clouds.by == "simple":
        blue, infrared = (reflectance[BANDS.index(name)] * SCALE for name in ("B02", "B11"))
        clear = (blue <= clouds.blue_max) & (infrared >= clouds.swir_min)
    else:
        clear = np.ones(reflectance.shape[1:], bool)
    result = np.where(clear, np.uint8(CLEAR), np.uint8(CLOUDY))
    return np.where((reflectance == MISSING).any(0), np.uint8(CLEAR_MISSING), result)
