"""Sensors: what satellites and their products are like, a record each; standard library only.

An area names its sensor. Cubes, stores of samples and models say whose they are (`said`, read by
`recorded`) unless it is the default, Sentinel-2. BANDS, PIXEL, SNAP and TILE_STEP are Sentinel-2's,
for sources that bring nothing else.
"""

from sitsformer.sensors.named import (
    DEFAULT,
    recorded,
    refuse_other,
    said,
    sensor_of,
    sensors,
    unfit,
)
from sitsformer.sensors.sensor import Band, Flags, Product, Sensor
from sitsformer.sensors.sentinel2 import SENTINEL2

BANDS = SENTINEL2.names
"""Bands of every cube of Sentinel-2, in the order of every store."""

PIXEL = SENTINEL2.pixel
"""Side of a pixel of every cube of Sentinel-2, metres."""

SNAP = SENTINEL2.snap
"""Origins of its tiles are multiples of this, metres."""

TILE_STEP = SENTINEL2.tile_step
"""Sides of its tiles are multiples of so many pixels."""

__all__ = [
    "BANDS",
    "DEFAULT",
    "PIXEL",
    "SENTINEL2",
    "SNAP",
    "TILE_STEP",
    "Band",
    "Flags",
    "Product",
    "Sensor",
    "recorded",
    "refuse_other",
    "said",
    "sensor_of",
    "sensors",
    "unfit",
]
