"""The pixels of a UTM grid that the features of a survey ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.sensors import PIXEL


@dataclass(frozen=True)
class Claims:
    """Pixels that features ask for; a pixel may be asked for by several.

    Attributes:
        feature: (claim,) int64 position of the feature, from 0.
        column: (claim,) int64 easting of the pixel's left edge over 10 m.
        row: (claim,) int64 northing of its lower edge over 10 m.
        eroded: (claim,) bool, within the feature, but too near to its border to be used.
    """

    feature: NDArray[np.int64]
    column: NDArray[np.int64]
    row: NDArray[np.int64]
    eroded: NDArray[np.bool_]

    def take(self, rows: NDArray[Any]) -> Claims:
        """The claims at some positions (or where a mask is true)."""
        return Claims(**{name: values[rows] for name, values in vars(self).items()})

    @property
    def x(self) -> NDArray[np.float64]:
        """Eastings (claim,) of the pixel centres, metres."""
        return np.asarray(PIXEL * (self.column + 0.5), np.float64)

    @property
    def y(self) -> NDArray[np.float64]:
        """Northings (claim,) of the pixel centres, metres."""
        return np.asarray(PIXEL * (self.row + 0.5), np.float64)


def joined(parts: list[Claims]) -> Claims:
    """Claims of several features, one after the other."""
    if not parts:
        empty = np.zeros(0, np.int64)
        return Claims(empty, empty, empty, np.zeros(0, bool))
    return Claims(
        **{name: np.concatenate([getattr(p, name) for p in parts]) for name in vars(parts[0])}
    )
