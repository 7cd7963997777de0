"""Random forest on the features of `series.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sitsformer.baselines.baseline import Choice, Option, Predict, ShippedBaseline, Task, spread

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sitsformer.baselines.series import PixelSeries


def _candidates(task: Task) -> Sequence[Choice]:
    return [
        {"pixels": view, "max_features": share}
        for view in task.train.views
        for share in ("sqrt", 0.2)
    ]


def _fit(task: Task, choice: Choice) -> Predict:
    from sklearn.ensemble import RandomForestClassifier

    view = choice["pixels"]
    forest = RandomForestClassifier(
        task.options["trees"], max_features=choice["max_features"], random_state=task.seed
    )
    forest.fit(task.train.features(view), task.label)

    def predict(series: PixelSeries) -> npt.NDArray[np.floating]:
        found = forest.predict_proba(series.features(view))
        return spread(found, forest.classes_, task.classes)

    return predict


RANDOM_FOREST = ShippedBaseline(
    name="random_forest",
    title="random forest",
    colour="#cc79a7",
    marker="v",
    gradient=False,
    # More trees than the default changed macro F1 by less than 0.003 in trials.
    options={"trees": Option("trees of the forest", 200)},
    candidates=_candidates,
    fit=_fit,
    order=10,
)
