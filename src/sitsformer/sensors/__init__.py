"""Sensors: what satellites and their products are like, a record each; standard library only.

BANDS, PIXEL, SNAP and TILE_STEP are those of the one sensor that cubes and sample stores hold.
"""

from sitsformer.sensors.sensor import Band, Sensor
from sitsformer.sensors.sentinel2 import SENTINEL2

BANDS = SENTINEL2.names
"""Bands of every cube, in the order of every store."""

PIXEL = SENTINEL2.pixel
"""Side of a pixel of every cube, metres."""

SNAP = SENTINEL2.snap
"""Tile origins are multiples of this, metres."""

TILE_STEP = SENTINEL2.tile_step
"""Tile sides are multiples of so many pixels."""

__all__ = ["BANDS", "PIXEL", "SENTINEL2", "SNAP", "TILE_STEP", "Band", "Sensor"]
