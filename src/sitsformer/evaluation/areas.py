"""Crop areas with intervals, from a map and test samples.

Counting the pixels of a map gives biased areas, since a map errs more one way than the other. The
stratified estimator of Olofsson et al. (2014, Remote Sensing of Environment 148:42-57, equations
9 to 11) corrects the counts by what the test samples say of each mapped class, and gives a
standard error.

Shapes: K classes, N test samples; mapped class i (rows), reference class j (columns).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from sitsformer.sensors import PIXEL

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HECTARES = PIXEL * PIXEL / 10_000
"""Area of a pixel, hectares."""

LARGEST_VARIANCE = 0.25
"""Variance of a share about which nothing is known: that of a fair coin."""


def class_weights(label: Ints, class_names: Sequence[str], manifest: Mapping[str, Any]) -> Floats:
    """Pixels that one test sample of a class stands for.

    Samples are drawn by class, so a rare crop has as many of them as a common one. Without weights
    the shares of reference classes within a mapped class would be those of the draw, not of the
    land.

    Args:
        label: (N,) reference class of the test samples.
        class_names: (K,).
        manifest: counts of the sample store: `kept` by class, `dropped` by reason and class.

    Returns:
        (K,) float64; all 1 where the manifest has no counts (a store made elsewhere).
    """
    counted: dict[str, int] = dict(manifest.get("kept", {}))
    for counts in manifest.get("dropped", {}).values():
        for name, count in counts.items():
            counted[name] = counted.get(name, 0) + count
    drawn = np.bincount(label, minlength=len(class_names))
    pixels = np.array([counted.get(name, 0) for name in class_names], np.float64)
    if not pixels.any():
        return np.ones(len(class_names))
    return np.where(drawn > 0, pixels / np.maximum(drawn, 1), 0)


def shares_by_stratum(
    mapped: Ints, reference: Ints, weight: Floats, classes: int
) -> tuple[Floats, Floats]:
    """Share of each reference class within each mapped class, and its variance.

    With equal weights these are n_ij / n_i and s (1 - s) / (n_i - 1), as in Olofsson et al.;
    otherwise the ratio estimator with its linearised variance.

    Args:
        mapped: (N,) class that the model gives a test sample.
        reference: (N,) its true class.
        weight: (N,) pixels it stands for.
        classes: K.

    Returns:
        (K, K) shares and (K, K) variances. A mapped class without test samples is taken to be
        right, with the variance of not knowing.
    """
    shares = np.eye(classes)
    variances = np.full((classes, classes), LARGEST_VARIANCE)
    for i in range(classes):
        inside = mapped == i
        n, w = int(inside.sum()), weight[inside]
        if n == 0 or not w.any():
            continue
        is_class = reference[inside][:, None] == np.arange(classes)
        shares[i] = (w[:, None] * is_class).sum(0) / w.sum()
        if n > 1:
            spread = (w[:, None] ** 2 * (is_class - shares[i]) ** 2).sum(0)
            variances[i] = spread / w.sum() ** 2 * n / (n - 1)
    return shares, variances


def estimate(
    pixels: Ints,
    mapped: Ints,
    reference: Ints,
    weight: Floats,
    class_names: Sequence[str],
    level: float,
) -> pd.DataFrame:
    """Area of each class by counting and by the stratified estimator.

    Args:
        pixels: (K,) pixels of the map by class.
        mapped: (N,) class that the model gives a test sample.
        reference: (N,) its true class.
        weight: (N,) pixels it stands for.
        class_names: (K,).
        level: of the interval.

    Returns:
        One row a class: pixels, mapped and estimated area with interval (hectares), user's and
        producer's accuracy weighted by area, test samples of the mapped class.
    """
    classes = len(class_names)
    shares, variances = shares_by_stratum(mapped, reference, weight, classes)
    total = int(pixels.sum())
    stratum = pixels / max(total, 1)
    joint = stratum[:, None] * shares
    share = joint.sum(0)
    error = np.sqrt((stratum[:, None] ** 2 * variances).sum(0))
    half = stats.norm.ppf((1 + level) / 2) * error
    area = total * HECTARES
    return pd.DataFrame(
        {
            "class": list(class_names),
            "pixels": pixels,
            "mapped_ha": pixels * HECTARES,
            "estimated_ha": share * area,
            "low_ha": np.maximum(share - half, 0) * area,
            "high_ha": np.minimum(share + half, 1) * area,
            "users_accuracy": np.diagonal(shares),
            "producers_accuracy": np.diagonal(joint) / np.maximum(share, 1e-12),
            "test_samples": np.bincount(mapped, minlength=classes),
        }
    )
