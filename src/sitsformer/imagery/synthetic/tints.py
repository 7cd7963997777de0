"""What sets the colour of one field apart from another with the same leaf area.

Fields of a crop differ in more than how much of it stands there and when: soils have colours of
their own, leaves hold more or less water, straw lies on some fields and not on others, and how a
field looks changes a little from date to date (dew, wind, the direction that it is seen from). All
of this multiplies the reflectance of the canopy table, as far as soil or leaves are seen. The sizes
are those at which fields of the landscape vary as real ones do; docs/synthetic.md has both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sitsformer.imagery.synthetic.landscape import Parcels
from sitsformer.imagery.synthetic.noise import Floats, normal, stream, uniform
from sitsformer.imagery.synthetic.phenology import Growth

EXTINCTION = 0.6
"""Of the view of the ground with leaf area: the ground's share is exp(-EXTINCTION x leaf area)."""

#              B02    B03    B04    B05    B06    B07    B08    B8A    B11    B12
BRIGHTNESS = (1.00, 1.00, 1.00, 1.00, 0.95, 0.95, 0.95, 0.95, 0.90, 0.90)
REDNESS = (-1.0, -0.55, 0.30, 0.40, 0.45, 0.45, 0.45, 0.45, 0.40, 0.30)
CLAY = (0.00, 0.00, 0.00, 0.00, -0.10, -0.10, -0.15, -0.20, -0.80, -1.00)
STRUCTURE = (0.10, 0.30, 0.15, 0.55, 0.95, 1.00, 1.00, 1.00, 0.60, 0.40)
WATER = (0.00, 0.00, 0.00, 0.00, 0.00, -0.02, -0.05, -0.12, -0.90, -1.20)
STRAW = (0.55, 0.60, 0.70, 0.65, 0.60, 0.55, 0.55, 0.55, 0.35, 0.15)
"""Directions of logarithms of reflectance (band,): of soils, of leaves, of what is left of them."""

SOIL_SPREAD = {"brightness": 0.24, "redness": 0.13, "clay": 0.18}
"""Standard deviations of fields along BRIGHTNESS, REDNESS and CLAY."""
DATED = {"gain": 0.03, "water": 0.045, "redness": 0.03}
"""Standard deviations of a field from date to date: of all bands, along WATER and REDNESS."""
ODD, ODDITY = 0.12, 3.0
"""Share of a field's dates that are off by more (thin cloud, shadow and haze that no score tells,
rain or irrigation just before), and by how much more."""


def tint(
    seed: int, epsg: int, parcels: Parcels, growth: Growth, day: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Logarithms of the factors on bare soil and leaves.

    Args:
        seed: of the landscape.
        epsg: UTM zone.
        parcels: the fields.
        growth: of the fields, and of other plants after them, which look as the table says.
        day: (time,) days since 1970-01-01.

    Returns:
        (2, stand, time, band): where the ground is seen, and where leaves are.
    """
    count = len(parcels.use)
    soil, leaf = (np.zeros((*growth.lai.shape, len(WATER)), np.float32) for _ in range(2))
    for direction, (name, size) in zip(
        (BRIGHTNESS, REDNESS, CLAY), SOIL_SPREAD.items(), strict=True
    ):
        drawn = size * parcels.normal(stream(seed, "soil", name, epsg))
        soil[:count] += np.multiply.outer(drawn, direction)[:, None]
    soil += growth.straw[..., None] * np.array(STRAW)
    leaf += growth.structure[..., None] * np.array(STRUCTURE)
    leaf += growth.water[..., None] * np.array(WATER)
    dated = _dated(seed, epsg, parcels, day)
    soil[:count] += dated
    leaf[:count] += dated
    return np.stack([soil, leaf])


def ground_seen(lai: Floats) -> NDArray[np.float32]:
    """Share of the view that the ground has under a leaf area."""
    return np.exp(-EXTINCTION * lai).astype(np.float32)


def _dated(seed: int, epsg: int, parcels: Parcels, day: NDArray[np.int64]) -> NDArray[np.float32]:
    """(parcel, time, band) logarithms of what changes from date to date."""
    identity = [axis[:, None] for axis in parcels.identity.T]
    total = np.zeros((len(parcels.use), len(day), len(WATER)), np.float32)
    odd = uniform(stream(seed, "odd date", epsg), *identity, day[None]) < ODD
    scale = np.where(odd, ODDITY, 1.0)
    for direction, (name, size) in zip(
        (np.ones(len(WATER)), np.array(WATER), np.array(REDNESS)), DATED.items(), strict=True
    ):
        drawn = normal(stream(seed, "dated", name, epsg), *identity, day[None])
        total += np.multiply.outer(size * scale * drawn, direction)
    return total
