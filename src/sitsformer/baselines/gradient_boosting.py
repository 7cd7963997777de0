"""Histogram gradient boosting on the features of `series.py`."""

from __future__ import annotations

import numpy as np

from sitsformer.baselines.baseline import Choice, Option, Predict, ShippedBaseline, Task
from sitsformer.baselines.classifier import by_view, classify, view


def _fit(task: Task, choice: Choice) -> Predict:
    from sklearn.ensemble import HistGradientBoostingClassifier

    smallest = int(np.bincount(task.label).max())
    boosting = HistGradientBoostingClassifier(
        learning_rate=choice["learning_rate"],
        max_iter=task.options["iterations"],
        max_leaf_nodes=15,
        # The default of 20 would allow no split at all among a handful of shots.
        min_samples_leaf=int(np.clip(smallest // 4, 1, 20)),
        max_features=0.2,
        early_stopping=False,
        random_state=task.seed,
    )
    return classify(boosting, task, view(choice))


GRADIENT_BOOSTING = ShippedBaseline(
    name="gradient_boosting",
    title="gradient boosting",
    colour="#56b4e9",
    marker="<",
    # Its trees follow a gradient, but not in the steps that networks share.
    gradient=False,
    options={"iterations": Option("rounds of boosting", 60)},
    candidates=by_view("learning_rate", (0.1, 0.03)),
    fit=_fit,
    order=20,
)
