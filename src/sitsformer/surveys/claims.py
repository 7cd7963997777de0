"""The pixels of a UTM grid that the features of a survey ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.grid import Tile


@dataclass(frozen=True)
class Claims:
    """Pixels that features ask for; a pixel may be asked for by several.

    Attributes:
        feature: (claim,) int64 position of the feature, from 0.
        column: (claim,) int64 easting of the pixel's left edge, in whole pixels.
        row: (claim,) int64 northing of its lower edge, in whole pixels.
        eroded: (claim,) bool, within the feature, but too near to its border to be used.
    """

    feature: NDArray[np.int64]
    column: NDArray[np.int64]
    row: NDArray[np.int64]
    eroded: NDArray[np.bool_]

    def take(self, rows: NDArray[Any]) -> Claims:
        """The claims at some positions (or where a mask is true)."""
        return Claims(**{name: values[rows] for name, values in vars(self).items()})


def numbers(edges: NDArray[np.float64], tile: Tile) -> NDArray[np.int64]:
    """Columns of eastings, or rows of northings (metres), on the grid of a tile."""
    return np.floor((edges - tile.corner) / tile.pixel).astype(np.int64)


def centres(numbers: NDArray[np.int64], tile: Tile) -> NDArray[np.float64]:
    """Eastings of the centres of columns, or northings of those of rows, metres."""
    return np.asarray(tile.pixel * (numbers + 0.5) + tile.corner, np.float64)


def joined(parts: list[Claims]) -> Claims:
    """Claims of several features, one after the other."""
    if not parts:
        empty = np.zeros(0, np.int64)
        return Claims(empty, empty, empty, np.zeros(0, bool))
    return Claims(
        **{name: np.concatenate([getattr(p, name) for p in parts]) for name in vars(parts[0])}
    )
