"""Classifiers of scikit-learn as baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    return Classified(classifier, features, task.classes)


@dataclass(frozen=True)
class Classified:
    """A fitted classifier as what predicts.

    Attributes:
        classifier: of scikit-learn.
        features: series -> (sample, feature).
        classes: number of all classes.
    """

    classifier: Any
    features: Features
    classes: int

    def __call__(self, series: PixelSeries) -> npt.NDArray[np.floating]:
        """Probabilities (sample, class)."""
        found = self.classifier.predict_proba(self.features(series))
        return spread(found, self.classifier.classes_, self.classes)
