"""How a task is trained: the plan, its learning rate and its optimiser."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a task is trained.

    Attributes:
        epochs: passes over the task's batches.
        seed: of dropout.
        optimiser: `adam` or `adamw`.
        learning_rate: largest learning rate.
        weight_decay: only for `adamw`.
        warmup: share of the steps with a linearly growing learning rate.
        schedule: `cosine`, `exponential` or `constant` after the warm-up.
        decay: `exponential`: factor an epoch.
        clip: largest gradient norm.
        precision: `float32` or `bf16`.
        patience: epochs without a better validation loss before it stops; None: never.
        checkpoint_every: steps between checkpoints.
        compile: whether layers are compiled.
        deterministic: whether sums have a fixed order.
    """

    epochs: int = 1
    seed: int = 0
    optimiser: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    schedule: str = "cosine"
    decay: float = 0.99
    clip: float = 5.0
    precision: str = "float32"
    patience: int | None = None
    checkpoint_every: int = 200
    compile: bool = False
    deterministic: bool = True


def learning_rate(plan: Plan, step: int, steps: int, epoch: int) -> float:
    """Learning rate of a step.

    Args:
        plan: the recipe.
        step: steps done before, over all epochs.
        steps: steps of the whole run.
        epoch: epochs done before; `exponential` goes down by the epoch, as in SITS-Former.
    """
    warmup = plan.warmup * steps
    if step < warmup:
        return plan.learning_rate * (step + 1) / (warmup + 1)
    if plan.schedule == "constant":
        return plan.learning_rate
    if plan.schedule == "exponential":
        return float(plan.learning_rate * plan.decay**epoch)
    share = (step - warmup) / max(1.0, steps - warmup)
    return plan.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def make_optimiser(model: nn.Module, plan: Plan) -> torch.optim.AdamW:
    """AdamW of what requires a gradient; Adam is the same without decay.

    Matrices alone decay: biases, norms and tokens have a meaning at 0.
    """
    chosen = [p for p in model.parameters() if p.requires_grad]
    decay = plan.weight_decay if plan.optimiser == "adamw" else 0.0
    groups = [
        {"params": [p for p in chosen if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in chosen if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, plan.learning_rate, fused=True)
