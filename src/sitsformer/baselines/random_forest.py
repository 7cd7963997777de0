"""Random forest on the features of `series.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sitsformer import threads
from sitsformer.baselines.baseline import (
    Choice,
    Keeping,
    Option,
    Predict,
    ShippedBaseline,
    Task,
    spread,
)
from sitsformer.baselines.classifier import by_view, classify, view

if TYPE_CHECKING:
    import numpy.typing as npt


def _fit(task: Task, choice: Choice) -> Predict:
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(
        task.options["trees"],
        max_features=choice["max_features"],
        random_state=task.seed,
        n_jobs=threads.count(),
    )
    predict = classify(forest, task, view(choice))
    # Threads would add the trees' votes up in whichever order they end.
    forest.n_jobs = 1
    return predict


def _arrays(predict: Any) -> Mapping[str, npt.NDArray[Any]]:
    from sitsformer.baselines.trees import of_forest

    return of_forest(predict.classifier)


def _again(arrays: Mapping[str, npt.NDArray[Any]], choice: Choice, classes: int) -> Predict:
    from sitsformer.baselines.trees import shares

    features = view(choice)
    return lambda series: spread(shares(arrays, features(series)), arrays["present"], classes)


RANDOM_FOREST = ShippedBaseline(
    name="random_forest",
    title="random forest",
    colour="#cc79a7",
    marker="v",
    gradient=False,
    # More trees than the default changed macro F1 by less than 0.003 in trials.
    options={"trees": Option("trees of the forest", 200)},
    candidates=by_view("max_features", ("sqrt", 0.2)),
    fit=_fit,
    keeping=Keeping(_arrays, _again),
    order=10,
)
