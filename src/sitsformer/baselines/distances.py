"""Nearest centroid and nearest neighbour in the space of standardised features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sitsformer.baselines.baseline import Baseline, Choice, Predict, Task, spread
from sitsformer.baselines.linear import scaler
from sitsformer.baselines.series import PixelSeries

SHARPNESS = (1.0, 4.0)
"""How fast probability falls with distance; a choice of validation, for calibration alone."""


def _candidates(task: Task) -> Sequence[Choice]:
    return [{"pixels": view, "sharpness": s} for view in task.train.views for s in SHARPNESS]


def _softmin(distance: npt.NDArray[np.floating], sharpness: float) -> npt.NDArray[np.floating]:
    """Probabilities that fall with squared distance, in units of the mean distance of a row."""
    square = distance**2
    scaled = -sharpness * square / np.maximum(square.mean(1, keepdims=True), 1e-12)
    weight = np.exp(scaled - scaled.max(1, keepdims=True))
    return np.asarray(weight / weight.sum(1, keepdims=True))


def _distances(
    points: npt.NDArray[np.floating], targets: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """(N, M) Euclidean distances of points (N, F) and targets (M, F)."""
    points, targets = points.astype(np.float64), targets.astype(np.float64)
    square = (points**2).sum(1)[:, None] + (targets**2).sum(1) - 2 * points @ targets.T
    return np.asarray(np.sqrt(np.maximum(square, 0)))


def _fit_centroid(task: Task, choice: Choice) -> Predict:
    view = choice["pixels"]
    mean, std = scaler(task.unlabelled, view)
    features = (task.train.features(view) - mean) / std
    present = np.unique(task.label)
    centroids = np.stack([features[task.label == k].mean(0) for k in present])

    def predict(series: PixelSeries) -> npt.NDArray[np.floating]:
        distance = _distances((series.features(view) - mean) / std, centroids)
        return spread(_softmin(distance, choice["sharpness"]), present, task.classes)

    return predict


def _fit_neighbour(task: Task, choice: Choice) -> Predict:
    view = choice["pixels"]
    mean, std = scaler(task.unlabelled, view)
    features = (task.train.features(view) - mean) / std
    present = np.unique(task.label)

    def predict(series: PixelSeries) -> npt.NDArray[np.floating]:
        distance = _distances((series.features(view) - mean) / std, features)
        nearest = np.stack([distance[:, task.label == k].min(1) for k in present], axis=1)
        return spread(_softmin(nearest, choice["sharpness"]), present, task.classes)

    return predict


BASELINES = {
    "nearest_centroid": Baseline(_candidates, _fit_centroid),
    "nearest_neighbour": Baseline(_candidates, _fit_neighbour),
}
