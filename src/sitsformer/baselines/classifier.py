"""Classifiers of scikit-learn as baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from sitsformer.baselines.baseline import Choice, Predict, Task, spread

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sitsformer.baselines.series import PixelSeries

Features: TypeAlias = "Callable[[PixelSeries], npt.NDArray[np.floating]]"


def by_view(name: str, values: Sequence[Any]) -> Callable[[Task], Sequence[Choice]]:
    """Settings to try: every view of the pixels with every value of one setting."""

    def candidates(task: Task) -> Sequence[Choice]:
        return [{"pixels": view, name: value} for view in task.train.views for value in values]

    return candidates


def view(choice: Choice) -> Features:
    """The features of the view that one of these settings has."""
    return lambda series: series.features(choice["pixels"])


def classify(classifier: Any, task: Task, features: Features) -> Predict:
    """Fit a classifier (`fit`, `predict_proba`, `classes_`) to the drawn samples, by their weights.

    Args:
        classifier: with its settings.
        task: whose training samples are fitted.
        features: series -> (sample, feature).
    """
    weights = {} if task.weight is None else {"sample_weight": task.weight}
    classifier.fit(features(task.train), task.label, **weights)

    def predict(series: PixelSeries) -> npt.NDArray[np.floating]:
        found = classifier.predict_proba(features(series))
        return spread(found, classifier.classes_, task.classes)

    return predict
