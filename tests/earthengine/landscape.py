"""What is on the ground: a function of place and day, so that nothing needs to be stored.

Parcels are cells of a longitude/latitude lattice; each has a crop or land cover drawn by a hash and
a growing season shifted by up to ten days. Reflectance mixes soil and vegetation by a double
logistic of the day of year. It is a caricature, just rich enough that crops can be told apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CELL_LON, CELL_LAT = 0.004, 0.003
"""Size of a parcel, degrees: about 330 m at 42 degrees north."""


@dataclass(frozen=True)
class Cover:
    """A land cover: label codes, share of the parcels, and its year."""

    name: str
    cdl: int
    worldcover: int
    weight: int
    rise: float
    fall: float
    peak: float
    floor: float
    soil: float


COVERS = (
    Cover("corn", 1, 40, 6, 165, 262, 0.95, 0.05, 0.11),
    Cover("soybeans", 5, 40, 6, 182, 255, 0.90, 0.05, 0.10),
    Cover("winter wheat", 24, 40, 3, 95, 180, 0.85, 0.15, 0.12),
    Cover("alfalfa", 36, 40, 2, 105, 290, 0.75, 0.25, 0.10),
    Cover("grassland", 176, 30, 3, 110, 300, 0.60, 0.20, 0.12),
    Cover("deciduous forest", 141, 10, 2, 125, 295, 0.80, 0.15, 0.07),
    Cover("developed", 122, 50, 1, 120, 280, 0.20, 0.10, 0.22),
    Cover("open water", 111, 80, 1, 120, 280, 0.0, 0.0, 0.02),
)
CDL_CODE = np.array([cover.cdl for cover in COVERS], np.uint8)
WORLDCOVER_CODE = np.array([cover.worldcover for cover in COVERS], np.uint8)

# Reflectance x 10,000 of full vegetation and of soil of brightness 0.1, by Sentinel-2 band.
VEGETATION = {
    "B1": 180, "B2": 220, "B3": 500, "B4": 280, "B5": 900, "B6": 2900, "B7": 3800,
    "B8": 4100, "B8A": 4300, "B9": 4400, "B11": 1700, "B12": 750,
}  # fmt: skip
SOIL = {
    "B1": 500, "B2": 650, "B3": 900, "B4": 1150, "B5": 1350, "B6": 1500, "B7": 1650,
    "B8": 1800, "B8A": 1900, "B9": 1900, "B11": 2500, "B12": 2100,
}  # fmt: skip

_LOTTERY = np.repeat(np.arange(len(COVERS)), [cover.weight for cover in COVERS]).astype(np.uint8)


def mix(first: NDArray[np.int64], second: NDArray[np.int64], salt: int) -> NDArray[np.uint32]:
    """Hash two integer arrays (broadcast) into 32 bits."""
    state = first.astype(np.uint32) * np.uint32(0x9E3779B1)
    state = state ^ (second.astype(np.uint32) * np.uint32(0x85EBCA77))
    state = state ^ np.uint32((salt * 0x27D4EB2F) & 0xFFFFFFFF)
    state ^= state >> np.uint32(15)
    state *= np.uint32(0x2C1B3C6D)
    state ^= state >> np.uint32(12)
    state *= np.uint32(0x297A2D39)
    state ^= state >> np.uint32(15)
    return state


def parcel(
    lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Cover index into COVERS, and shift of the season in days (-10 to 10), at places."""
    draw = mix(
        np.floor(lon / CELL_LON).astype(np.int64), np.floor(lat / CELL_LAT).astype(np.int64), 1
    )
    return _LOTTERY[draw % _LOTTERY.size], ((draw >> np.uint32(16)) % 21).astype(np.int64) - 10


def greenness() -> NDArray[np.float64]:
    """Share of green by (cover, day of year + 20); days from -20 to 390."""
    day = np.arange(-20, 391, dtype=np.float64)
    rows = []
    for cover in COVERS:
        rise = 1 / (1 + np.exp(-(day - cover.rise) / 9))
        fall = 1 / (1 + np.exp((day - cover.fall) / 8))
        rows.append(cover.floor + (cover.peak - cover.floor) * rise * fall)
    return np.array(rows)


_GREEN = greenness()


def clean(
    cover: NDArray[np.uint8], shift: NDArray[np.int64], doy: int, band: str
) -> NDArray[np.float64]:
    """Reflectance x 10,000 without clouds and noise."""
    brightness = np.array([item.soil for item in COVERS]) / 0.1
    by_day = SOIL[band] * brightness[:, None] * (1 - _GREEN) + VEGETATION[band] * _GREEN
    return by_day[cover, doy + 20 + shift]


def clouds(lon: NDArray[np.float64], lat: NDArray[np.float64], day: int) -> NDArray[np.float64]:
    """Cloud cover 0 to 1 at places on a day (days since 1970): waves above a daily level."""
    draw = int(mix(np.array([day]), np.array([7]), 3)[0])
    level = -2.0 + 3.6 * ((draw & 0xFFFF) / 0xFFFF)
    one, two = (draw >> 16 & 0xFF) / 40.0, (draw >> 24 & 0xFF) / 40.0
    wave = np.sin(lon * 420 + one) * np.cos(lat * 510 + two) + 0.3 * np.sin(lon * 1900 - two)
    return np.clip((wave - level) * 1.5, 0, 1)
