"""How plants grow: leaf area, dead share, chlorophyll and flowers over the season.

Days are counted from 1 January of the year of harvest, so that a winter crop starts below zero; in
the southern hemisphere the calendar is moved by half a year (`calendar`). The dates are ordinary
ones of the US Corn Belt and the Great Plains at 44 degrees north (USDA NASS, Field Crops: Usual
Planting and Harvesting Dates, Agricultural Handbook 628, 2010), turned into the half-way days of a
double logistic; they move with latitude, climate, year and field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from sitsformer.imagery.synthetic.canopy import PLANTS

Floats = NDArray[np.float64]

REFERENCE_LATITUDE = 44.0
DAYS_PER_DEGREE = 3.5
"""Delay of the season northwards, days per degree of latitude; Hopkins' rule says 4."""
YEAR = 365.25
LARGEST_SHIFT = 35.0
"""The rule is not followed further than this, days."""


@dataclass(frozen=True)
class Plant:
    """A crop or a kind of perennial cover.

    Attributes:
        code: CDL code; 0 for what is no crop.
        plant: leaf kind, of canopy.PLANTS.
        share: relative frequency on cropland.
        rise: day of half the growth.
        fall: day of half the senescence.
        harvest: days from `fall` to harvest; 0 for a perennial, which is not harvested away.
        pace: length of growth, days (scale of the logistic is a quarter of it).
        leaf: largest leaf area, m2 per m2.
        cab: chlorophyll of green leaves, micrograms per cm2.
        spread: standard deviation of the sowing date among fields, days; the most active weeks of
            planting in the handbook span three to five weeks, two standard deviations or more.
        winter: share of the leaf area that stands before spring.
        flower: share of the canopy that petals hide at full bloom.
        cuts: days between cuts; 0 for none.
        structure: how bright its leaves are in the near infrared beside the table's of its leaf
            kind, as a logarithm.
        water: how dark they are in the short-wave infrared, likewise.
        straw: how much of it is left on the field after harvest, 0 to 1.
    """

    code: int
    plant: str
    share: float
    rise: float
    fall: float
    harvest: float
    pace: float
    leaf: float
    cab: float
    spread: float
    winter: float = 0.0
    flower: float = 0.0
    cuts: float = 0.0
    structure: float = 0.0
    water: float = 0.0
    straw: float = 0.0


CROPS = {
    "corn": Plant(
        1, "grass", 0.17, 176, 256, 24, 34, 4.0, 52, 14, structure=-0.08, water=0.16, straw=0.8
    ),
    "soybeans": Plant(
        5, "broad", 0.15, 187, 258, 16, 36, 4.4, 44, 15, structure=-0.06, water=-0.14, straw=0.4
    ),
    "sunflower": Plant(
        6, "broad", 0.07, 183, 247, 26, 34, 2.2, 45, 15, flower=0.12, structure=-0.30, straw=0.5
    ),
    "barley": Plant(
        21, "grass", 0.09, 143, 203, 12, 30, 2.7, 42, 14, structure=0.04, water=-0.24, straw=0.9
    ),
    "spring wheat": Plant(
        23, "grass", 0.10, 150, 213, 14, 32, 3.4, 46, 14, structure=-0.12, straw=1.0
    ),
    "winter wheat": Plant(
        24,
        "grass",
        0.13,
        110,
        177,
        17,
        44,
        4.3,
        47,
        12,
        winter=0.16,
        structure=-0.20,
        water=0.14,
        straw=1.0,
    ),
    "canola": Plant(
        31,
        "broad",
        0.08,
        153,
        214,
        14,
        30,
        3.6,
        46,
        14,
        flower=0.35,
        structure=-0.18,
        water=0.12,
        straw=0.6,
    ),
    "alfalfa": Plant(
        36,
        "broad",
        0.08,
        112,
        290,
        0,
        36,
        3.3,
        45,
        10,
        winter=0.12,
        cuts=34,
        structure=-0.16,
        water=0.20,
    ),
    "sugarbeets": Plant(
        41, "broad", 0.06, 175, 292, 6, 42, 4.2, 50, 14, structure=-0.26, water=0.36
    ),
    "potatoes": Plant(
        43, "broad", 0.07, 171, 246, 16, 32, 2.9, 46, 18, flower=0.05, structure=-0.08, water=0.10
    ),
}
"""Crops of the landscape by name; codes are those of the Cropland Data Layer."""

PERENNIALS = {
    "grassland": Plant(0, "grass", 0, 108, 300, 0, 50, 2.9, 38, 8, winter=0.35, cuts=52),
    "deciduous": Plant(0, "woody", 0, 122, 288, 0, 26, 4.6, 46, 4, winter=0.10),
    "conifer": Plant(0, "woody", 0, 130, 300, 0, 60, 4.2, 56, 4, winter=0.85),
    "shrub": Plant(0, "woody", 0, 124, 285, 0, 40, 1.9, 36, 6, winter=0.30),
    "wetland": Plant(0, "grass", 0, 140, 275, 0, 50, 3.4, 36, 6, winter=0.20),
    "bare": Plant(0, "grass", 0, 130, 240, 0, 50, 0.12, 25, 10),
}
"""Covers that are no crops; `winter` is the leaf area that stays, as a share."""

KINDS = (*CROPS, *PERENNIALS)
TRAITS = {**CROPS, **PERENNIALS}


@dataclass(frozen=True)
class Stands:
    """Fields in one year: kind and what sets each one apart, all (stand,).

    Attributes:
        kind: index into KINDS.
        early: delay of growth, days: latitude, climate, year, sowing.
        late: delay of senescence, days.
        vigour: factor of the leaf area.
        cab: chlorophyll added, micrograms per cm2.
        phase: uniform number that sets the days of cuts.
        cover: leaf area of a cover crop after harvest, m2 per m2.
        straw: share of the plant's straw that is not taken away or ploughed in.
        structure: added to the plant's.
        water: likewise.
    """

    kind: NDArray[np.intp]
    early: Floats
    late: Floats
    vigour: Floats
    cab: Floats
    phase: Floats
    cover: Floats
    straw: Floats
    structure: Floats
    water: Floats


@dataclass(frozen=True)
class Growth:
    """State of stands over time, all (stand, time)."""

    lai: Floats
    brown: Floats
    cab: Floats
    flower: Floats
    straw: Floats
    structure: Floats
    water: Floats


def latitude_shift(latitude: Floats) -> Floats:
    """Delay of the season at a latitude (either hemisphere), days."""
    shift = (np.abs(latitude) - REFERENCE_LATITUDE) * DAYS_PER_DEGREE
    return np.clip(shift, -LARGEST_SHIFT, LARGEST_SHIFT)


def column(name: str, kind: NDArray[np.intp]) -> Floats:
    """A trait of `Plant` for each stand, (stand, 1)."""
    return np.array([float(getattr(TRAITS[k], name)) for k in KINDS])[kind][:, None]


def leaf_kind(kind: NDArray[np.intp]) -> NDArray[np.intp]:
    """Index into canopy.PLANTS for each stand, (stand,)."""
    return np.array([PLANTS.index(TRAITS[k].plant) for k in KINDS])[kind]


def grow(stands: Stands, day: Floats) -> Growth:
    """Grow stands through days of the calendar of their year of harvest.

    Args:
        stands: the fields.
        day: (time,) days since 1 January of the year of harvest; may be negative.
    """
    kind = stands.kind
    winter, pace, cuts = column("winter", kind), column("pace", kind), column("cuts", kind)
    harvest = column("harvest", kind)
    perennial = harvest == 0
    spread = np.where(perennial, np.mod(day, YEAR), day)
    rise = column("rise", kind) + stands.early[:, None]
    fall = column("fall", kind) + stands.late[:, None]

    spring = expit((spread - rise) / (pace / 4))
    # A winter crop comes up two months before New Year; a perennial stands all year.
    sown = np.where(perennial, 1.0, expit((spread + 62 - stands.early[:, None]) / 8))
    dying = expit((spread - fall) / np.where(perennial, 9.0, 6.0))
    up = winter * sown + (1 - winter) * spring
    gone = np.where(perennial, 0.0, expit((spread - fall - harvest) / 1.5))

    lai = up * (1 - np.where(perennial, 1 - winter, 0.55) * dying) * (1 - gone)
    lai = lai * _regrowth(spread - rise, cuts, stands.phase[:, None])
    lai = lai * column("leaf", kind) * stands.vigour[:, None]
    lai = np.where(perennial & ((day < 0) | (day >= YEAR)), 0.0, lai)
    brown = np.where(perennial, 0.55 * (1 - winter) * dying, dying)
    # Sparse winter leaves of perennials are partly dead until spring.
    brown = np.where(perennial, np.maximum(brown, 0.55 * (1 - winter) * (1 - spring)), brown)

    # A cover crop is green from a month after harvest until the next seedbed.
    catch = stands.cover[:, None] * gone * expit((spread - fall - harvest - 35) / 7)
    catch = catch * expit((YEAR + 75 - spread) / 5)
    total = lai + catch
    brown = brown * lai / np.maximum(total, 1e-6)
    cab = np.broadcast_to(column("cab", kind) + stands.cab[:, None], total.shape)
    bloom = np.exp(-0.5 * ((spread - (rise + 0.45 * (fall - rise))) / 7.5) ** 2)
    # Straw rots or is ploughed in within two months or so.
    straw = (
        column("straw", kind)
        * stands.straw[:, None]
        * gone
        * np.exp(-np.maximum(spread - fall - harvest, 0) / 60)
    )
    structure, water = (
        np.broadcast_to(column(name, kind) + getattr(stands, name)[:, None], total.shape)
        for name in ("structure", "water")
    )
    return Growth(total, brown, cab, column("flower", kind) * bloom, straw, structure, water)


def _regrowth(since: Floats, cuts: Floats, phase: Floats) -> Floats:
    """Factor of the leaf area under cutting: down to 0.25 at a cut, back within the interval."""
    interval = np.maximum(cuts, 1.0) * (0.85 + 0.4 * phase)
    age = np.mod(since - 20 - 12 * phase, interval) / interval
    grown = 0.25 + 0.75 * (1 - np.exp(-3.2 * age)) / (1 - np.exp(-3.2))
    return np.where((cuts > 0) & (since > 20 + 12 * phase) & (since < 170), grown, 1.0)
