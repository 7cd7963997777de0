"""Histogram gradient boosting on the features of `series.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sitsformer.baselines.baseline import Choice, Option, Predict, ShippedBaseline, Task, spread

if TYPE_CHECKING:
    import numpy.typing as npt

    from sitsformer.baselines.series import PixelSeries


def _candidates(task: Task) -> Sequence[Choice]:
    return [
        {"pixels": view, "learning_rate": rate} for view in task.train.views for rate in (0.1, 0.03)
    ]


def _fit(task: Task, choice: Choice) -> Predict:
    from sklearn.ensemble import HistGradientBoostingClassifier

    view = choice["pixels"]
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
    boosting.fit(task.train.features(view), task.label)

    def predict(series: PixelSeries) -> npt.NDArray[np.floating]:
        found = boosting.predict_proba(series.features(view))
        return spread(found, boosting.classes_, task.classes)

    return predict


GRADIENT_BOOSTING = ShippedBaseline(
    name="gradient_boosting",
    title="gradient boosting",
    colour="#56b4e9",
    marker="<",
    # Its trees follow a gradient, but not in the steps that networks share.
    gradient=False,
    options={"iterations": Option("rounds of boosting", 60)},
    candidates=_candidates,
    fit=_fit,
    order=20,
)
