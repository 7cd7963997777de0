"""Dropout from random bytes: cheap, seeded by the step, nothing to save in a checkpoint.

Drawing a float for every activation takes a quarter of a training step on a CPU. One random byte
each is enough for a rate that is a multiple of 1/256 (0.1 becomes 26/256 = 0.1016), and eight of
them come from one 64-bit draw. Away from the CPU the ordinary dropout is used.

The factor 1 / (1 - rate) is left to the caller, who folds it into a weight matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor


class Noise:
    """Source of dropout masks; `seed` makes what follows a pure function of its numbers."""

    def __init__(self) -> None:
        self._bits = np.random.SFC64(0)

    def seed(self, numbers: Sequence[int]) -> None:
        """Start afresh from these numbers (run's seed, step, micro-batch, process)."""
        start = np.random.SeedSequence(list(numbers))
        self._bits = np.random.SFC64(start)
        if torch.cuda.is_available():
            # Not drawn from the bits: masks on the CPU must not depend on a GPU being there.
            torch.cuda.manual_seed(int(start.generate_state(1, np.uint64)[0] >> 1))

    def mask(self, shape: Sequence[int], rate: float) -> Tensor:
        """Ones, and zeros with probability `threshold(rate) / 256`.

        Returns:
            uint8 of this shape, on the CPU.
        """
        size = int(np.prod(shape))
        drawn = self._bits.random_raw(-(-size // 8)).view(np.uint8)[:size]
        kept = np.greater_equal(drawn, np.uint8(threshold(rate)))
        return torch.from_numpy(kept.view(np.uint8)).view(*shape)


def threshold(rate: float) -> int:
    """Bytes below this are dropped."""
    return round(rate * 256)


def factor(rate: float, device: torch.device) -> float:
    """What keeps the expectation: 1 / (1 - rate that is really used)."""
    used = threshold(rate) / 256 if device.type == "cpu" else rate
    return 1.0 / (1.0 - used)


def drop(x: Tensor, rate: float, noise: Noise) -> Tensor:
    """Set elements to zero with this rate, without scaling the rest; changes `x` on the CPU."""
    if rate == 0.0:
        return x
    if x.device.type == "cpu":
        return cast(Tensor, cast(Any, _Drop).apply(x, noise.mask(x.shape, rate)))
    return torch.dropout(x, rate, True) * (1.0 - rate)


def relu(x: Tensor) -> Tensor:
    """ReLU; in place where no gradient is wanted, which spares fresh memory."""
    return torch.relu(x) if torch.is_grad_enabled() else x.clamp_min_(0)


def relu_drop(x: Tensor, rate: float, noise: Noise) -> Tensor:
    """ReLU, then `drop`; one pass backward, because both leave a zero where nothing flows."""
    if rate == 0.0:
        return relu(x)
    if x.device.type == "cpu":
        return cast(Tensor, cast(Any, _ReluDrop).apply(x, noise.mask(x.shape, rate)))
    return torch.dropout(torch.relu(x), rate, True) * (1.0 - rate)


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor) -> Tensor:
        ctx.mark_dirty(x)
        ctx.save_for_backward(mask)
        return x.mul_(mask)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return grads[0] * mask, None


class _ReluDrop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor) -> Tensor:
        ctx.mark_dirty(x)
        x.clamp_min_(0).mul_(mask)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(grads[0], y, 0), None
