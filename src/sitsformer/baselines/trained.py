"""What baselines that are trained in steps share: the learning rates to try, and the training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sitsformer.baselines.baseline import Choice, Predict, Task

if TYPE_CHECKING:
    from sitsformer.baselines.networks.training import PixelNetwork
    from sitsformer.baselines.series import Calendar


def learning_rates(task: Task) -> Sequence[Choice]:
    """The learning rates of the sweep."""
    return [{"learning_rate": rate} for rate in task.settings.learning_rates]


def trained(
    build: Callable[[int, Calendar, int], PixelNetwork],
) -> Callable[[Task, Choice], Predict]:
    """Fit of a network from scratch, exactly as the network of the method is fine-tuned.

    Args:
        build: number of bands, calendar, number of classes -> the network, which reads the mean of
            a patch; it imports torch when it is called (`networks/training.py`).
    """

    def fit(task: Task, choice: Choice) -> Predict:
        from sitsformer.baselines.networks.training import fit_network

        return fit_network(task, choice, build)

    return fit
