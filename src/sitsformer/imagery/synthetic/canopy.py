"""Canopy reflectance by interpolation in a table of PROSAIL spectra.

The table, `canopy.csv`, is made by `scripts/make_canopy_table.py`. Its axes are plant (grass,
broad, woody), view (from the west or the east), chlorophyll of the leaves, brown (dead) share,
leaf area, soil brightness and sun zenith; its values are reflectances of the ten bands x 1e4.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sitsformer.sensors import BANDS
from sitsformer.stored import SCALE

Floats = NDArray[np.float64]
Values = NDArray[np.float32]

AXES = ("plant", "view", "cab", "brown", "lai", "soil", "sun")
PLANTS = ("grass", "broad", "woody")
VIEWS = ("west", "east")


@dataclass(frozen=True)
class Table:
    """The table: nodes of the five continuous axes, and values by the seven axes and band."""

    cab: Floats
    brown: Floats
    lai: Floats
    soil: Floats
    sun: Floats
    values: Values
    """(plant, view, cab, brown, lai, soil, sun, band) reflectance."""


@cache
def table() -> Table:
    """Read the table, once."""
    text = (files("sitsformer.imagery.synthetic") / "canopy.csv").read_text().splitlines()
    header = tuple(text[0].split(","))
    if header != (*AXES, *BANDS):
        raise ValueError(f"canopy.csv has the columns {header}")
    rows = [line.split(",") for line in text[1:]]
    nodes = {
        name: np.unique(np.array([float(row[axis]) for row in rows]))
        for axis, name in enumerate(AXES[2:], start=2)
    }
    shape = (len(PLANTS), len(VIEWS), *(len(node) for node in nodes.values()), len(BANDS))
    values = np.array([row[len(AXES) :] for row in rows], np.float32).reshape(shape)
    return Table(**nodes, values=values * np.float32(SCALE))


def reflectance(
    plant: NDArray[np.integer],
    view: NDArray[np.integer],
    sun: Floats,
    cab: Floats,
    brown: Floats,
    lai: Floats,
    soil: Floats,
) -> Values:
    """Reflectance of canopies over a season, multilinear in every axis.

    Args:
        plant: (canopy, time) index into PLANTS.
        view: (time,) index into VIEWS.
        sun: (time,) sun zenith, degrees; held to the table's 20 to 70.
        cab: (canopy, time) leaf chlorophyll, micrograms per cm2.
        brown: (canopy, time) dead share of the leaves, 0 to 1.
        lai: (canopy, time) leaf area, m2 per m2.
        soil: (canopy, time) soil brightness, 0 wet and dark to 1 dry and bright.

    Returns:
        (canopy, time, band) float32.
    """
    grid = table()
    low, part = _locate(grid.sun, sun)
    at_sun = grid.values[:, view, ..., low, :] * _last(1 - part, 6)
    at_sun += grid.values[:, view, ..., low + 1, :] * _last(part, 6)
    # Indexing with the two lists puts their common axis (time) first.
    axes = [_locate(grid.cab, cab), _locate(grid.brown, brown), _locate(grid.lai, lai)]
    axes.append(_locate(grid.soil, soil))
    result = np.zeros((*np.shape(lai), len(BANDS)), np.float32)
    time = np.arange(len(view))[None, :]
    for corner in product((0, 1), repeat=len(axes)):
        weight = np.ones(np.shape(lai), np.float32)
        index = []
        for step, (node, share) in zip(corner, axes, strict=True):
            weight *= share if step else 1 - share
            index.append(node + step)
        result += weight[..., None] * at_sun[time, plant, *index]
    return result


def _locate(nodes: Floats, values: Floats) -> tuple[NDArray[np.intp], Values]:
    """Index of the node below each value, and its share of the way to the next node."""
    held = np.clip(values, nodes[0], nodes[-1])
    low = np.clip(np.searchsorted(nodes, held, side="right") - 1, 0, len(nodes) - 2)
    return low, ((held - nodes[low]) / (nodes[low + 1] - nodes[low])).astype(np.float32)


def _last(values: Values, axes: int) -> Values:
    return values.reshape(values.shape + (1,) * axes)
