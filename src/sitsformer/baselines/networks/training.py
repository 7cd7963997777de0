"""Small networks trained from scratch: the loop, budget, batches and augmentation of fine-tuning.

Shapes: N packed steps, B samples of a batch, T acquisitions, C bands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from sitsformer.baselines.baseline import Choice, Predict, Task
from sitsformer.baselines.series import Calendar, PixelSeries
from sitsformer.fewshot.kept import EVERY
from sitsformer.model import pooling
from sitsformer.model.steps import Steps, pack
from sitsformer.training.classification import ClassifyTask
from sitsformer.training.loop import fit

_PREDICT = 1024


class PixelNetwork(nn.Module, ABC):
    """A network that reads the mean of each patch."""

    @abstractmethod
    def logits(self, steps: Steps) -> Tensor:
        """Class logits (B, classes) of a batch."""


Build = Callable[[int, Calendar, int], PixelNetwork]


def fit_network(task: Task, choice: Choice, build: Build) -> Predict:
    """Build a network from the task's seed, train it, and give what predicts with it.

    Args:
        task: what it is trained on.
        choice: `learning_rate`.
        build: numbers of bands, the calendar, number of classes -> a network whose
            `logits(Steps)` are (B, classes).
    """
    series, drawn = task.train.normalised, task.train.rows
    label = np.full(len(series.lengths), -1, np.int64)
    label[drawn] = task.label
    torch.manual_seed(task.seed)
    network = build(len(series.mean), task.train.calendar, task.classes)
    network.to(series.values.device)
    settings = task.settings.task(len(drawn), task.seed)
    learned = ClassifyTask(series, label, drawn, settings, weight=task.weight)
    plan = task.settings.recipe.plan(
        learning_rate=choice["learning_rate"], seed=task.seed, checkpoint_every=EVERY
    )
    place = None
    if task.kept is not None:
        place = task.kept.training(network, plan, {"drawn": drawn.tolist()})
    fit(network, learned, plan, checkpoint=place)
    return Trained(network.eval())


@dataclass(frozen=True)
class Trained:
    """A trained network as what predicts.

    Attributes:
        network: in evaluation mode.
    """

    network: PixelNetwork

    def __call__(self, wanted: PixelSeries) -> npt.NDArray[np.floating]:
        """Probabilities (sample, class) of some samples."""
        parts = np.array_split(wanted.rows, max(1, -(-len(wanted) // _PREDICT)))
        series = wanted.normalised
        with torch.inference_mode():
            found = [self.network.logits(pack(series, part)).softmax(-1) for part in parts]
        return np.asarray(torch.cat(found).cpu().numpy())


def padded(steps: Steps, calendar: Calendar) -> tuple[Tensor, npt.NDArray[np.int64]]:
    """A batch as a table of the means of its patches.

    Returns:
        (B, T, C) normalised reflectance, 0 at padding; (B, T) days of the calendar, -1 there.
    """
    values = pooling.padded(steps.values.mean(-1), steps.layout, 0.0)
    doy = pooling.padded(steps.doy.unsqueeze(1), steps.layout, 0).squeeze(2)
    return values, calendar.days(doy.cpu().numpy())
