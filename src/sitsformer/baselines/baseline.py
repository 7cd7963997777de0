"""What a baseline is: the settings to try, and a function that fits one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer.baselines.series import PixelSeries
from sitsformer.config import FewShot

Choice = Mapping[str, Any]
Predict = Callable[[PixelSeries], npt.NDArray[np.floating]]


@dataclass(frozen=True)
class Task:
    """What a baseline is fitted to.

    Attributes:
        train: the drawn samples.
        label: (sample,) int64, their class index.
        unlabelled: the whole training split, for normalisation; its labels are not to be seen.
        classes: number of classes.
        seed: of everything random.
        settings: the few-shot section, for the budget shared with fine-tuning.
        options: the user's options of this baseline.
    """

    train: PixelSeries
    label: npt.NDArray[np.int64]
    unlabelled: PixelSeries
    classes: int
    seed: int
    settings: FewShot
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """A method.

    Attributes:
        candidates: settings to try on the validation samples, the default one first.
        fit: a task and one of the settings -> a function from series to probabilities
            (sample, class).
    """

    candidates: Callable[[Task], Sequence[Choice]]
    fit: Callable[[Task, Choice], Predict]


def spread(
    probabilities: npt.NDArray[np.floating], present: npt.NDArray[np.integer], classes: int
) -> npt.NDArray[np.float64]:
    """Probabilities of the classes that were fitted, among all classes.

    Args:
        probabilities: (sample, present).
        present: (present,) class index of each column.
        classes: number of all classes.

    Returns:
        (sample, class) float64, 0 for a class that was not fitted.
    """
    found = np.zeros((len(probabilities), classes))
    found[:, present] = probabilities
    return found
