"""Logistic regression on standardised features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sitsformer.baselines.baseline import Choice, Predict, ShippedBaseline, Task
from sitsformer.baselines.standardised import STRENGTHS, regress, scaler

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sitsformer.baselines.series import PixelSeries


def _candidates(task: Task) -> Sequence[Choice]:
    return [{"pixels": view, "C": c} for view in task.train.views for c in STRENGTHS]


def _fit(task: Task, choice: Choice) -> Predict:
    def features(series: PixelSeries) -> npt.NDArray[np.floating]:
        return series.features(choice["pixels"])

    return regress(task, features, choice["C"], scaler(task.unlabelled, choice["pixels"]))


LOGISTIC_REGRESSION = ShippedBaseline(
    name="logistic_regression",
    title="logistic regression",
    colour="#e69f00",
    marker="P",
    gradient=False,
    candidates=_candidates,
    fit=_fit,
    order=30,
)
