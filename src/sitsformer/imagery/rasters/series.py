"""What `folder` and `store` hand over: a series of images on the tile's grid."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Season = tuple[Any, Any]
"""First and last day, `datetime.date`, both inside."""


@dataclass(frozen=True)
class Acquisitions:
    """Images of one tile and season.

    Attributes:
        times: (time,) datetime64[s], sorted, unique.
        reflectance: (time, band, y, x) uint16 dask array, stored values of the cube contract.
        clear: (time, y, x) uint8 dask array.
        attrs: what it was made of.
        forms: of each date how its files hold values, where they may differ; else empty.
    """

    times: NDArray[np.datetime64]
    reflectance: Any
    clear: Any
    attrs: dict[str, Any] = field(default_factory=dict)
    forms: tuple[str, ...] = ()
