"""What `folder` and `store` hand over: a series of images on the tile's grid."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Rasters
from sitsformer.cube import MISSING

Season = tuple[Any, Any]
"""First and last day, `datetime.date`, both inside."""


@dataclass(frozen=True)
class Series:
    """Images of one tile and season.

    Attributes:
        times: (time,) datetime64[s], sorted, unique.
        reflectance: (time, band, y, x) uint16 dask array, stored values of the cube contract.
        clear: (time, y, x) uint8 dask array.
        attrs: what it was made of.
    """

    times: NDArray[np.datetime64]
    reflectance: Any
    clear: Any
    attrs: dict[str, Any] = field(default_factory=dict)


def to_stored(
    values: NDArray[Any], valid: NDArray[np.bool_], settings: Rasters
) -> NDArray[np.uint16]:
    """Values of a file -> stored values of a cube; MISSING where not valid.

    Integers in the cube's own scale pass unchanged. Reflectances below 0 become 0 and those that
    would collide with MISSING stay one below it.
    """
    if settings.scale == 1e-4 and settings.offset == 0 and values.dtype.kind in "ui":
        scaled = values
    else:
        known = np.where(valid, values, 0).astype(np.float64)
        scaled = np.round((known * settings.scale + settings.offset) * 1e4)
    stored = np.clip(scaled, 0, MISSING - 1).astype(np.uint16)
    return np.where(valid, stored, np.uint16(MISSING))
