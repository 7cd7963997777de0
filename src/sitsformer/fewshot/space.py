"""The space a probe works in: features in which what says nothing of crops is made small.

Within-class covariance normalisation (Hatch, Kajarekar & Stolcke 2006, "Within-class covariance
normalization for SVM-based speaker recognition", Interspeech) without labels: how features differ
between a sample and its augmented copy (`training/augment.py`), and between a sample and its
nearest neighbours, stands in for how they differ within a class. Both are the same field in all
likelihood: seen through other clouds, sown some days later, or the one beside it.

Axes: n samples, F features.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sitsformer.fewshot.refine import Pool

Floats = npt.NDArray[np.floating]

NEIGHBOURS = 5
"""Of a sample, those that count as like it: a third of those that smoothing averages over."""
RIDGE = 2.0
"""Mean variances that are added to each direction: the features that hardly vary within a class
would outweigh all others. On validation blocks 0.5 and 2 are level, and 10 costs 0.002 to 0.006."""
MOST = 4000
"""Samples that the covariance is estimated from, at most."""


@dataclass(frozen=True)
class Space:
    """From pooled encodings to the features of a probe.

    Attributes:
        mean: (F,) of the encodings over the training split.
        std: (F,) their standard deviation.
        turn: (F, F) from standardised encodings to features.
    """

    mean: npt.NDArray[np.float64]
    std: npt.NDArray[np.float64]
    turn: npt.NDArray[np.float64]

    def features(self, encodings: Floats) -> Floats:
        """Features (n, F) of pooled encodings (n, F), of their dtype or float64."""
        turn = self.turn.astype(encodings.dtype, copy=False)
        return np.asarray(((encodings - self.mean) / self.std).astype(turn.dtype) @ turn)

    def raw(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """A linear function of features, as one of encodings.

        Args:
            weight: (K, F) a row for each of its K values.
            bias: (K,).
        """
        of_encodings = weight @ self.turn.T / self.std
        return of_encodings, bias - of_encodings @ self.mean


def whitening(plain: Floats, altered: Floats | None) -> npt.NDArray[np.float64]:
    """What standardised encodings are multiplied with, so that they vary alike within a class.

    Args:
        plain: (n, F) standardised encodings of some samples.
        altered: (n, F) those of their augmented copies; None: nothing is augmented.

    Returns:
        (F, F) upper triangle: up to a rotation, which distances and penalties do not see, the
        inverse root of the covariance within a class and its ridge. Features of `plain` have the
        variance 1 in the mean. The identity where samples are equal to all that are like them.
    """
    from scipy.linalg import cholesky, solve_triangular

    width = plain.shape[1]
    if not np.ptp(plain, axis=0).any():  # no direction to seek neighbours in
        return np.eye(width)
    near = Pool.of(plain.astype(np.float32)).neighbours[:, :NEIGHBOURS]
    within = _of_one((plain[column] - plain for column in near.T), width)
    if altered is not None:
        within += _of_one([altered - plain], width)
    if not within.any():
        return np.eye(width)
    within[np.diag_indices(width)] += RIDGE * np.trace(within) / width
    turn = solve_triangular(cholesky(within), np.eye(width))
    return np.asarray(turn / np.sqrt((plain @ turn).var(0).mean()), dtype=np.float64)


def _of_one(parts: Iterable[Floats], width: int) -> npt.NDArray[np.float64]:
    """(F, F) second moments of differences (n, F), 1 in the sum of variances if there are any."""
    found = np.zeros((width, width))
    for part in parts:
        own = part.astype(np.float64)
        found += own.T @ own
    total = float(np.trace(found))
    return found / total if total > 0 else found
