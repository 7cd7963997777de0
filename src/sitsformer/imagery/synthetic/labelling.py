"""Label products of the landscape: WorldCover and CDL layers with errors.

Errors come by whole fields, at the rate of the config, and follow the confusions that such
products have: small grains for each other, grassland for cropland or scrub, and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from sitsformer.imagery.synthetic.landscape import FEATURES, USES, Ground, Ints, crop_of
from sitsformer.imagery.synthetic.noise import Floats, stream
from sitsformer.imagery.synthetic.phenology import CROPS

COVER_OF_USE = {
    "cropland": 40,
    "grassland": 30,
    "forest": 10,
    "built": 50,
    "scrub": 20,
    "bare": 60,
}
"""WorldCover code of each land use."""

COVER_OF_FEATURE = {"road": 50, "hedge": 10, "water": 80, "marsh": 90}
"""WorldCover code of what lies over the fields; tracks and verges have their field's."""

COVER_CONFUSION = {
    40: {30: 0.75, 60: 0.15, 20: 0.10},
    30: {40: 0.55, 20: 0.30, 10: 0.15},
    10: {20: 0.60, 30: 0.40},
    50: {60: 0.50, 30: 0.30, 40: 0.20},
    20: {30: 0.50, 10: 0.35, 40: 0.15},
    60: {50: 0.40, 40: 0.40, 30: 0.20},
}
"""What a wrong land-cover label says, by the truth."""

CROP_CONFUSION = {
    1: {5: 0.7, 6: 0.3},
    5: {1: 0.6, 43: 0.2, 6: 0.2},
    6: {5: 0.5, 1: 0.5},
    21: {23: 0.7, 24: 0.3},
    23: {21: 0.7, 24: 0.3},
    24: {21: 0.4, 23: 0.4, 36: 0.2},
    31: {23: 0.5, 21: 0.5},
    36: {24: 0.5, 5: 0.5},
    41: {43: 0.5, 5: 0.5},
    43: {41: 0.5, 5: 0.5},
}
"""What a wrong crop label says, by the truth."""


def true_cover(ground: Ground) -> Ints:
    """WorldCover code of each point, without errors."""
    return _with_features(ground, np.array([COVER_OF_USE[use] for use in USES])[ground.parcels.use])


def land_cover(seed: int, epsg: int, ground: Ground, error: float) -> Ints:
    """WorldCover label of each point; `error` of the fields are wrong, features never are."""
    truth = np.array([COVER_OF_USE[use] for use in USES])[ground.parcels.use]
    key = stream(seed, "cover error", epsg)
    wrong = ground.parcels.uniform(key) < error
    label = _confuse(truth, wrong, ground.parcels.uniform(key, 1), COVER_CONFUSION)
    return _with_features(ground, label)


def crop_label(
    seed: int, epsg: int, ground: Ground, year: int, error: float
) -> tuple[Ints, NDArray[np.uint8]]:
    """CDL label of each point and its confidence in percent.

    `error` of the fields carry another crop's code. There is no label (0) off cropland, nor where
    the land-cover label does not say cropland; confidence is 255 there.
    """
    parcels = ground.parcels
    codes = np.array([crop.code for crop in CROPS.values()])
    truth = codes[crop_of(seed, epsg, parcels, year)]
    key = stream(seed, "crop error", epsg, year)
    wrong = parcels.uniform(key) < error
    label = _confuse(truth, wrong, parcels.uniform(key, 1), CROP_CONFUSION)[ground.parcel]
    # Wrong labels tend to be unsure ones, but not so that a threshold would find them all.
    sure = 100 - 45 * parcels.uniform(key, 2) ** np.where(wrong, 0.7, 2.5)
    sure = sure[ground.parcel] - np.where(ground.margin < 15, 15, 0)
    cropland = true_cover(ground) == COVER_OF_USE["cropland"]
    cropland &= land_cover(seed, epsg, ground, error) == COVER_OF_USE["cropland"]
    confidence = np.where(cropland, np.round(sure), 255).astype(np.uint8)
    return np.where(cropland, label, 0), confidence


def _land_cover(seed: int, epsg: int, ground: Ground, year: int, error: float) -> tuple[Ints, None]:
    """WorldCover is drawn alike in every year, and has no confidence."""
    return land_cover(seed, epsg, ground, error), None


Draw = Callable[[int, int, Ground, int, float], tuple[Ints, NDArray[np.uint8] | None]]
"""Seed, EPSG code, ground, year and share of errors -> codes of the points and, where the product
has one, their confidence in percent."""

DRAWN: Mapping[str, Draw] = {"worldcover": _land_cover, "cdl": crop_label}
"""Label product -> what draws it: those of `sitsformer.labels` with `landscape`, and no others."""


def _with_features(ground: Ground, cover: Ints) -> Ints:
    """Cover of fields (parcel,) -> cover of points, with roads, hedges and water drawn over it."""
    of_feature = np.array([COVER_OF_FEATURE.get(name, 0) for name in FEATURES])[ground.feature]
    return np.where(of_feature > 0, of_feature, cover[ground.parcel])


def _confuse(
    truth: Ints, wrong: NDArray[np.bool_], drawn: Floats, table: Mapping[int, Mapping[int, float]]
) -> Ints:
    """Replace wrong codes by one drawn from the table's row."""
    label = truth.copy()
    for code, others in table.items():
        chosen = wrong & (truth == code)
        edges = np.cumsum(list(others.values()))
        position = np.minimum(np.searchsorted(edges, drawn[chosen]), len(others) - 1)
        label[chosen] = np.array(list(others))[position]
    return label
