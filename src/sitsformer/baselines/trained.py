"""What baselines that are trained in steps share: the learning rates to try, and the training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sitsformer.baselines.baseline import Choice, Predict, Task

if TYPE_CHECKING:
    from torch import nn


def learning_rates(task: Task) -> Sequence[Choice]:
    """The learning rates of the sweep, on the mean of the patch."""
    return [
        {"pixels": view, "learning_rate": rate}
        for view in task.train.views[-1:]
        for rate in task.settings.learning_rates
    ]


def trained(
    build: Callable[[Task, int, int], nn.Module], regular: bool
) -> Callable[[Task, Choice], Predict]:
    """Fit of a network from scratch, with the budget and the augmentation of fine-tuning.

    Args:
        build: a task, the number of bands and of days of the calendar -> the network; it imports
            torch when it is called (`networks/training.py` says what goes in and out).
        regular: it sees series on the calendar, or else acquisitions with their days.
    """

    def fit(task: Task, choice: Choice) -> Predict:
        from sitsformer.baselines.networks.training import fit_network

        return fit_network(task, choice, build, regular)

    return fit
