"""Logistic regression on standardised features."""

from __future__ import annotations

from sitsformer.baselines.baseline import Choice, Predict, ShippedBaseline, Task
from sitsformer.baselines.classifier import by_view, view
from sitsformer.baselines.standardised import STRENGTHS, regress, scaler


def _fit(task: Task, choice: Choice) -> Predict:
    features = view(choice)
    return regress(task, features, choice["C"], scaler(features(task.unlabelled)))


LOGISTIC_REGRESSION = ShippedBaseline(
    name="logistic_regression",
    title="logistic regression",
    colour="#e69f00",
    marker="P",
    gradient=False,
    candidates=by_view("C", STRENGTHS),
    fit=_fit,
    order=30,
)
