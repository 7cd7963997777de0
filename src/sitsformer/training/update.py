"""One update of the weights: gradients of its micro-batches, and a step of the optimiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from sitsformer.model.device import to_device
from sitsformer.training import distributed
from sitsformer.training.determinism import seed
from sitsformer.training.graphs import Graphs, cuda_recorder, gradients_aside
from sitsformer.training.recipe import Plan, make_optimiser

Seeds = Sequence[Sequence[int]]
"""Of each micro-batch, what its random numbers start from."""


class Losses(Protocol):
    """What a task says of its losses; see `loop.TrainingTask`."""

    weights: Mapping[str, float]

    def sums(self, model: Any, batch: Any) -> dict[str, Tensor]:
        """Sum of each loss over its terms."""


class Updates:
    """Moves the weights of a model.

    Args:
        model: on its device.
        task: whose losses.
        plan: the recipe.

    Attributes:
        optimiser: of the model's weights.
        pending: sums of each loss and of their weighted mean since they were last looked at,
            float64 on the device.
        rate: learning rate of the next update.
    """

    def __init__(self, model: nn.Module, task: Losses, plan: Plan) -> None:
        self.model, self.task, self.plan = model, task, plan
        self.device = next(model.parameters()).device
        self.optimiser = make_optimiser(model, plan)
        self.rate = plan.learning_rate
        self.pending = torch.zeros(len(task.weights) + 1, device=self.device, dtype=torch.float64)
        self.graphs = recorder_of(self) if plan.graphs else None

    def __call__(
        self,
        micro: Sequence[Any],
        seeds: Seeds,
        counts: Sequence[float],
        look: Callable[[], None],
    ) -> None:
        """One update.

        Args:
            micro: micro-batches of this process.
            seeds: see `Seeds`.
            counts: terms of each loss, over all micro-batches and processes.
            look: called when the losses are known and the weights have not moved.
        """
        terms = [max(count, 1.0) for count in counts]
        if self.graphs is None:
            self._learn(micro, seeds, terms, look)
        elif all(counts):
            self._play(self.graphs, micro, seeds, terms, look)
        else:
            with gradients_aside(self.model.parameters()):
                self._learn(micro, seeds, terms, look)

    def _learn(
        self,
        micro: Sequence[Any],
        seeds: Seeds,
        terms: Sequence[float],
        look: Callable[[], None],
    ) -> None:
        for batch, numbers in zip(micro, seeds, strict=True):
            seed(numbers)
            self._add_gradients((batch, terms))
        distributed.add_gradients(self.model.parameters())
        self._clip(())
        look()
        self._set_rate()
        self.optimiser.step()
        self.optimiser.zero_grad()

    def _play(
        self,
        graphs: Graphs,
        micro: Sequence[Any],
        seeds: Seeds,
        terms: Sequence[float],
        look: Callable[[], None],
    ) -> None:
        """The same by records, which know gradients by their places."""
        divisors = to_device(np.array(terms, np.float32), self.device)
        for batch, numbers in zip(micro, seeds, strict=True):
            seed(numbers)
            graphs.run("gradients", (batch, divisors), self._add_gradients)
        learning = tuple(p.grad is not None for p in self.model.parameters())
        graphs.run(("clip", learning), (), self._clip)
        look()
        self._set_rate()
        graphs.run(("step", learning), (), self._step)

    def _add_gradients(self, given: tuple[Any, Sequence[float] | Tensor]) -> None:
        """Add a micro-batch's gradients to what is there, its losses to the pending.

        Args:
            given: the micro-batch, and for each loss the terms that its sum is divided by.
        """
        batch, terms = given
        with self._precision():
            sums = self.task.sums(self.model, batch)
        shares = [
            weight * sums[name] / count
            for (name, weight), count in zip(self.task.weights.items(), terms, strict=True)
            if name in sums
        ]
        loss = torch.stack(shares).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            self.pending[-1] += loss
            for k, name in enumerate(self.task.weights):
                if name in sums:
                    self.pending[k] += sums[name]

    def _clip(self, _: tuple[()]) -> None:
        """Make the gradient as small as the plan wants it."""
        largest = math.inf if self.plan.clip is None else self.plan.clip
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), largest)
        # A gradient that is not finite must show in the loss that is looked at.
        self.pending[-1] += norm * 0

    def _step(self, _: tuple[()]) -> None:
        """A step of the optimiser that leaves gradients at their places."""
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=False)

    def _set_rate(self) -> None:
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(self.rate)  # a record reads it where it is
            else:
                group["lr"] = self.rate

    def _precision(self) -> Any:
        """Context in which the network runs."""
        if self.plan.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()


def recorder_of(updates: Updates) -> Graphs | None:
    """What records steps, where there is one GPU and one process; else None.

    The optimiser's learning rate becomes a tensor, which a record reads where it is.
    """
    if updates.device.type != "cuda" or distributed.several():
        return None
    for group in updates.optimiser.param_groups:
        group["lr"] = torch.tensor(updates.rate, device=updates.device)
        group["capturable"] = True
    return Graphs(cuda_recorder())
