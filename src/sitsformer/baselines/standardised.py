"""Standardised features, and logistic regression on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sitsformer.baselines.baseline import Predict, Task, spread

if TYPE_CHECKING:
    from sitsformer.baselines.series import PixelSeries

STRENGTHS = (0.01, 0.1, 1.0)
"""Values of C (inverse strength of the penalty) that validation chooses among."""


def scaler(unlabelled: PixelSeries, view: str) -> tuple[npt.NDArray[np.float32], ...]:
    """Mean and standard deviation of every feature over the training split; no label is used."""
    features = unlabelled.features(view)
    return features.mean(0), np.maximum(features.std(0), 1e-6)


def regress(
    task: Task,
    features: Callable[[PixelSeries], npt.NDArray[np.floating]],
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
    regression.fit((features(task.train) - mean) / std, task.label)

    def predict(series: PixelSeries) -> npt.NDArray[np.floating]:
        found = regression.predict_proba((features(series) - mean) / std)
        return spread(found, regression.classes_, task.classes)

    return predict
