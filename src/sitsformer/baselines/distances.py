"""Distances in the space of standardised features, and probabilities made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from sitsformer.baselines.baseline import Choice, Predict, Task, spread
from sitsformer.baselines.standardised import scaler

if TYPE_CHECKING:
    from sitsformer.baselines.series import PixelSeries

Points: TypeAlias = npt.NDArray[np.floating]
Distances: TypeAlias = Callable[[Points], npt.NDArray[np.float64]]

SHARPNESS = (1.0, 4.0)
"""How fast probability falls with distance; a choice of validation, for calibration alone."""


def sharpnesses(task: Task) -> Sequence[Choice]:
    """Each view of the pixels with each sharpness."""
    return [{"pixels": view, "sharpness": s} for view in task.train.views for s in SHARPNESS]


def nearest(
    to_classes: Callable[[Points, Task], Distances],
) -> Callable[[Task, Choice], Predict]:
    """Fit of a method whose probabilities fall with the distance to each class.

    Args:
        to_classes: training samples (sample, feature) and the task they are of -> a function
            from points (N, feature) to their distances (N, class) to the classes that occur.
    """

    def fit(task: Task, choice: Choice) -> Predict:
        view = choice["pixels"]
        mean, std = scaler(task.unlabelled.features(view))
        distances = to_classes((task.train.features(view) - mean) / std, task)
        present = np.unique(task.label)

        def predict(series: PixelSeries) -> npt.NDArray[np.floating]:
            found = distances((series.features(view) - mean) / std)
            return spread(softmin(found, choice["sharpness"]), present, task.classes)

        return predict

    return fit


def softmin(distance: npt.NDArray[np.floating], sharpness: float) -> npt.NDArray[np.floating]:
    """Probabilities that fall with squared distance, in units of the mean distance of a row."""
    square = distance**2
    scaled = -sharpness * square / np.maximum(square.mean(1, keepdims=True), 1e-12)
    weight = np.exp(scaled - scaled.max(1, keepdims=True))
    return np.asarray(weight / weight.sum(1, keepdims=True))


def euclidean(points: Points, targets: Points) -> npt.NDArray[np.float64]:
    """(N, M) Euclidean distances of points (N, F) and targets (M, F)."""
    points, targets = points.astype(np.float64), targets.astype(np.float64)
    square = (points**2).sum(1)[:, None] + (targets**2).sum(1) - 2 * points @ targets.T
    return np.asarray(np.sqrt(np.maximum(square, 0)))
