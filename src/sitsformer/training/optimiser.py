"""Adam with decoupled weight decay, on torch's fused kernel.

The same arithmetic as torch.optim.AdamW(fused=True), which imports a compiler of some 800 modules
at its first use: more than a second of every job, for runs that last a few. State is plain tensors
by name, which is what a checkpoint wants.

Adam: Kingma and Ba 2015; decoupled decay: Loshchilov and Hutter 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

BETAS, EPSILON = (0.9, 0.999), 1e-8
"""The authors' values."""


@dataclass(frozen=True)
class Group:
    """Parameters that share a weight decay, with their moments and step counts."""

    parameters: list[nn.Parameter]
    weight_decay: float
    first: list[Tensor]
    second: list[Tensor]
    steps: list[Tensor]


class Adam:
    """The optimiser of every training.

    Args:
        groups: (parameters, weight decay) of each group.
    """

    def __init__(self, groups: Sequence[tuple[list[nn.Parameter], float]]) -> None:
        self.groups = [
            Group(
                parameters,
                decay,
                [torch.zeros_like(p) for p in parameters],
                [torch.zeros_like(p) for p in parameters],
                [torch.zeros((), device=p.device) for p in parameters],
            )
            for parameters, decay in groups
            if parameters
        ]

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All that is trained."""
        return [p for group in self.groups for p in group.parameters]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move every parameter that has a gradient, at this learning rate."""
        for group in self.groups:
            chosen = [i for i, p in enumerate(group.parameters) if p.grad is not None]
            if not chosen:
                continue
            steps = [group.steps[i] for i in chosen]
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                [group.parameters[i] for i in chosen],
                [g for i in chosen if (g := group.parameters[i].grad) is not None],
                [group.first[i] for i in chosen],
                [group.second[i] for i in chosen],
                [],
                steps,
                lr=rate,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=group.weight_decay,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def clear(self) -> None:
        """Drop all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """State by name."""
        found: dict[str, Tensor] = {}
        for g, group in enumerate(self.groups):
            for kind, values in _parts(group).items():
                found |= {f"{g}.{kind}.{i}": value for i, value in enumerate(values)}
        return found

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put state back that `tensors` gave."""
        for name, value in self.tensors().items():
            value.copy_(tensors[name])


def _parts(group: Group) -> dict[str, list[Tensor]]:
    return {"first": group.first, "second": group.second, "steps": group.steps}
