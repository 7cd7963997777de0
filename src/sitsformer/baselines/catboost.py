"""CatBoost on the features of `series.py`: boosting of symmetric trees.

Prokhorenkova et al. 2018, "CatBoost: unbiased boosting with categorical features", NeurIPS. The
library is an extra (`sitsformer[catboost]`: 270 MB on disk, half a CPU second to import).
"""

from __future__ import annotations

from sitsformer.baselines.baseline import Choice, Option, Predict, ShippedBaseline, Task
from sitsformer.baselines.classifier import by_view, classify, view
from sitsformer.baselines.extras import load


def _fit(task: Task, choice: Choice) -> Predict:
    boosting = load("catboost", "catboost").CatBoostClassifier(
        loss_function="MultiClass",
        iterations=task.options["iterations"],
        depth=choice["depth"],
        random_seed=task.seed,
        thread_count=1,
        verbose=False,
        allow_writing_files=False,
    )
    return classify(boosting, task, view(choice))


CATBOOST = ShippedBaseline(
    name="catboost",
    title="CatBoost",
    colour="#e31a1c",
    marker="H",
    # Its trees follow a gradient, but not in the steps that networks share.
    gradient=False,
    extra=True,
    options={"iterations": Option("trees", 300)},
    candidates=by_view("depth", (6, 3)),
    fit=_fit,
    order=90,
)
"""Not in the default sweep."""
