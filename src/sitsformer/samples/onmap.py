"""Samples of a store as a map of a tile: labels of a survey, which are in no cube."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sitsformer.cube import tile_of
from sitsformer.samples.store import open_samples


def label_map(store: Path, dataset: xr.Dataset) -> NDArray[np.int16]:
    """Class indices (y, x) at the samples that a store has in a cube; -1 everywhere else.

    Args:
        store: set store.
        dataset: the cube, opened.
    """
    samples, tile = open_samples(store), tile_of(dataset)
    here = samples.epsg.values == tile.epsg
    column = np.floor((samples.x.values - tile.west) / tile.pixel)
    row = np.floor((tile.north - samples.y.values) / tile.pixel)
    here &= (column >= 0) & (column < tile.size) & (row >= 0) & (row < tile.size)
    found = np.full((tile.size, tile.size), -1, np.int16)
    place = row[here].astype(np.int64), column[here].astype(np.int64)
    found[place] = samples.label.values[here]
    return found
