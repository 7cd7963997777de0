"""Logistic regression on standardised features."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from sitsformer.baselines.baseline import Baseline, Choice, Predict, Task, spread
from sitsformer.baselines.series import PixelSeries

STRENGTHS = (0.01, 0.1, 1.0)
"""Values of C (inverse strength of the penalty) that validation chooses among."""


def scaler(unlabelled: PixelSeries, view: str) -> tuple[npt.NDArray[np.float32], ...]:
    """Mean and standard deviation of every feature over the training split; no label is used."""
    features = unlabelled.features(view)
    return features.mean(0), np.maximum(features.std(0), 1e-6)


def _candidates(task: Task) -> Sequence[Choice]:
    return [{"pixels": view, "C": c} for view in task.train.views for c in STRENGTHS]


def _fit(task: Task, choice: Choice) -> Predict:
    def features(series: PixelSeries) -> npt.NDArray[np.floating]:
        return series.features(choice["pixels"])

    return regress(task, features, choice["C"], scaler(task.unlabelled, choice["pixels"]))


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
    mean, std = scale
    regression = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
    regression.fit((features(task.train) - mean) / std, task.label)
    return lambda series: spread(
        regression.predict_proba((features(series) - mean) / std), regression.classes_, task.classes
    )


BASELINES = {"logistic_regression": Baseline(_candidates, _fit)}
