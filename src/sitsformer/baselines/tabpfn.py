"""TabPFN on the features of `series.py`: a network that has learned to fit tables.

Hollmann et al. 2025, "Accurate predictions on small data with a tabular foundation model", Nature
637. The library is an extra (`sitsformer[tabpfn]`), its weights are a file of the user's, with a
licence of their own: `fewshot.options.tabpfn.weights`. Nothing is downloaded: without the file the
baseline is refused.
"""

from __future__ import annotations

import os

import numpy as np

from sitsformer.baselines.baseline import Choice, Option, Predict, ShippedBaseline, Task
from sitsformer.baselines.classifier import by_view, classify, view
from sitsformer.baselines.extras import load
from sitsformer.errors import SitsError

CLASSES = 10
"""What its networks tell apart at most."""

QUIET = {"HF_HUB_OFFLINE": "1", "TABPFN_DISABLE_TELEMETRY": "1", "TABPFN_NO_BROWSER": "1"}
"""Variables that keep the library from looking for weights, or telling of its use, elsewhere."""


def _fit(task: Task, choice: Choice) -> Predict:
    from sitsformer.config import expand

    weights = expand(str(task.options["weights"]))
    if not weights.is_file():
        raise SitsError(
            f"fewshot.options.tabpfn.weights: {weights} is not a file. Weights are not downloaded "
            "here: get a checkpoint of a classifier from its authors, and give its path"
        )
    if len(np.unique(task.label)) > CLASSES:
        raise SitsError(
            f"baseline 'tabpfn' tells {CLASSES} classes apart at most, and there are "
            f"{task.classes}: leave it out of fewshot.baselines"
        )
    os.environ.update(QUIET)
    network = load("tabpfn", "tabpfn").TabPFNClassifier(
        model_path=str(weights),
        device="cpu",
        n_estimators=task.options["estimators"],
        softmax_temperature=choice["temperature"],
        random_state=task.seed,
        ignore_pretraining_limits=True,
    )
    return classify(network, task, view(choice))


TABPFN = ShippedBaseline(
    name="tabpfn",
    title="TabPFN",
    colour="#525252",
    marker="1",
    gradient=False,
    extra=True,
    options={
        "weights": Option("path of its checkpoint, which must be given", None),
        "estimators": Option("networks averaged", 4),
    },
    candidates=by_view("temperature", (0.9,)),
    fit=_fit,
    order=91,
)
"""Not in the default sweep."""
