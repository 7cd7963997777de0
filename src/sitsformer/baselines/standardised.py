"""Standardised features, and logistic regression on them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sitsformer.baselines.baseline import Predict, Task
from sitsformer.baselines.classifier import Features, classify

STRENGTHS = (0.01, 0.1, 1.0)
"""Values of C (inverse strength of the penalty) that validation chooses among."""
LEAST_SPREAD = 1e-6
"""Standard deviation of a feature that is divided by, at least."""


def scaler(features: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.floating], ...]:
    """Mean and standard deviation of every feature over the training split; no label is used."""
    return features.mean(0), np.maximum(features.std(0), LEAST_SPREAD)


def regress(
    task: Task,
    features: Features,
    strength: float,
    scale: tuple[npt.NDArray[np.floating], ...],
) -> Predict:
    """Fit a logistic regression to the drawn samples.

    Args:
        task: whose training samples are fitted.
        features: series -> (sample, feature).
        strength: C, the inverse strength of the penalty.
        scale: mean and standard deviation (feature,) that features are standardised with.
    """
    from sklearn.linear_model import LogisticRegression

    mean, std = scale
    regression = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
    return classify(regression, task, lambda series: (features(series) - mean) / std)
