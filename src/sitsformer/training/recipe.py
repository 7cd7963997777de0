"""How a task is trained: the plan, its learning rate and its optimiser."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from types import MethodType

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
        weight_decay: only for `adamw`, of matrices alone.
        l2: only for `adam`: this times each weight is added to its gradient.
        warmup: share of the steps with a linearly growing learning rate.
        schedule: `cosine`, `exponential` or `constant` after the warm-up.
        decay: `exponential`: factor an epoch.
        hold: `exponential`: epochs before those that end with a decay.
        clip: largest gradient norm; None: any.
        precision: `float32` or `bf16`.
        keep: which epoch's weights are kept: that of the least validation `loss`, or of the largest
            `macro_f1`, a later one where they are level.
        patience: epochs without a better one before it stops; None: never.
        checkpoint_every: steps between checkpoints.
        compile: whether layers are compiled.
        graphs: whether steps are recorded as CUDA graphs; see `graphs.py`.
        deterministic: whether sums have a fixed order.
    """

    epochs: int = 1
    seed: int = 0
    optimiser: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    l2: float = 0.0
    warmup: float = 0.1
    schedule: str = "cosine"
    decay: float = 0.99
    hold: int = 0
    clip: float | None = 5.0
    precision: str = "float32"
    keep: str = "loss"
    patience: int | None = None
    checkpoint_every: int = 200
    compile: bool = False
    graphs: bool = False
    deterministic: bool = True


def learning_rate(plan: Plan, step: int, steps: int, epoch: int) -> float:
    """Learning rate of a step.

    Args:
        plan: the recipe.
        step: steps done before, over all epochs.
        steps: steps of the whole run.
        epoch: epochs done before; `exponential` goes down by the epoch, as in SITS-Former, whose
            code does so at the end of those after the first `hold`.
    """
    warmup = plan.warmup * steps
    if step < warmup:
        return plan.learning_rate * (step + 1) / (warmup + 1)
    if plan.schedule == "constant":
        return plan.learning_rate
    if plan.schedule == "exponential":
        return float(plan.learning_rate * plan.decay ** max(0, epoch - plan.hold))
    share = (step - warmup) / max(1.0, steps - warmup)
    return plan.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def make_optimiser(model: nn.Module, plan: Plan) -> torch.optim.Adam:
    """Adam or AdamW of what requires a gradient.

    With AdamW matrices alone decay: biases, norms and tokens have a meaning at 0. The L2 of Adam is
    of all weights, as in SITS-Former.
    """
    if not plan.compile:
        _spare_the_compiler()
    optimiser = _made(model, plan)
    if not plan.compile:
        # The method itself, which asks for nothing but that no gradient is kept.
        step = inspect.unwrap(type(optimiser).step)
        optimiser.step = torch.no_grad()(MethodType(step, optimiser))  # type: ignore[method-assign]
    return optimiser


def _made(model: nn.Module, plan: Plan) -> torch.optim.Adam:
    chosen = [p for p in model.parameters() if p.requires_grad]
    if plan.optimiser == "adam" and plan.l2:
        return torch.optim.Adam(chosen, plan.learning_rate, weight_decay=plan.l2, fused=True)
    decay = plan.weight_decay if plan.optimiser == "adamw" else 0.0
    groups = [
        {"params": [p for p in chosen if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in chosen if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, plan.learning_rate, fused=True)


def _spare_the_compiler() -> None:
    """Let optimisers be used without torch's compiler, whose import takes as long as torch's own.

    torch keeps the compiler away from some of their methods, and imports it for that alone when
    one is first called; a method with this attribute is taken for kept away already.
    """
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        method = inspect.unwrap(getattr(torch.optim.Optimizer, name))
        vars(method).setdefault("__dynamo_disable", method)
