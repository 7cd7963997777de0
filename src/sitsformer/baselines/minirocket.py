"""MiniRocket's features of the regular series, and ridge regression on them.

Dempster, Schmidt & Webb 2021. The features are those of `rocket.py`; the penalty is chosen by
leaving out one drawn sample at a time, as published, which costs no fit. Scores about -1 and 1
become probabilities by a softmax.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sitsformer.baselines.baseline import (
    Choice,
    Option,
    Predict,
    ShippedBaseline,
    Task,
    spread,
)
from sitsformer.errors import SitsError

if TYPE_CHECKING:
    from sitsformer.baselines.series import PixelSeries

SEED = 2021
"""Of the kernels: the same for every draw, so that draws differ in their labels alone."""

PENALTIES = np.logspace(-3, 3, 10)
SHARPNESS = 5.0
"""Factor of scores in the softmax; classes are the same with any."""

CHUNK = 2048
"""Series whose features are held at a time, some 80 MB."""


def candidates(task: Task) -> Sequence[Choice]:
    """Every view of the pixels."""
    return [{"pixels": view} for view in task.train.views]


def _fit(task: Task, choice: Choice) -> Predict:
    from sklearn.linear_model import RidgeClassifierCV

    from sitsformer.baselines.rocket import WIDTH, fitted

    view = choice["pixels"]
    known = task.unlabelled.regular(view)
    if known.shape[1] < WIDTH:
        raise SitsError(
            f"minirocket: series are {known.shape[1]} dates of the calendar long, and its kernels "
            f"are {WIDTH}: leave it out of fewshot.baselines, or take a longer season"
        )
    rocket = fitted(known, task.options["kernels"], SEED)
    features = rocket.transform(task.train.regular(view))
    mean, std = features.mean(0), np.maximum(features.std(0), 1e-3)
    ridge = RidgeClassifierCV(alphas=PENALTIES).fit((features - mean) / std, task.label)
    coefficients = np.atleast_2d(ridge.coef_) / std
    intercept = np.atleast_1d(ridge.intercept_) - coefficients @ mean

    def predict(series: PixelSeries) -> npt.NDArray[np.floating]:
        regular = series.regular(view)
        parts = [regular[i : i + CHUNK] for i in range(0, len(regular), CHUNK)]
        scores = [rocket.transform(part) @ coefficients.T + intercept for part in parts]
        found = np.concatenate(scores) if scores else np.zeros((0, len(intercept)))
        return spread(_softmax(found), ridge.classes_, task.classes)

    return predict


def _softmax(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """(N, class) probabilities of scores about -1 and 1; one column tells two classes apart."""
    both = np.concatenate([-scores, scores], 1) if scores.shape[1] == 1 else scores
    high = np.exp(SHARPNESS * (both - both.max(1, keepdims=True)))
    return np.asarray(high / high.sum(1, keepdims=True))


MINIROCKET = ShippedBaseline(
    name="minirocket",
    title="MiniRocket and ridge",
    colour="#117733",
    marker="8",
    gradient=False,
    options={"kernels": Option("features, in steps of 84", 9996)},
    candidates=candidates,
    fit=_fit,
    order=45,
)
