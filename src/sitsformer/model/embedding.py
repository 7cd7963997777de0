"""From patches to vectors: SITS-Former's 3-D convolutions as matrix products, and day of year.

The published embedding is Conv3d - ReLU - BatchNorm3d twice and a linear layer, shared over time.
The same function here, by three identities:

- a convolution is a product with a banded matrix; the second one spans the whole window, so it
  needs no gathering at all;
- a BatchNorm that follows a ReLU is an affine map a channel, so it is folded into the matrix that
  comes next, in training too: only its statistics are computed on the activations;
- parameters keep the published names and shapes, so checkpoints load as they are.

Axes: N steps, C bands, S pixels along a side, P = S * S; b1, b2 band positions after the first and
second convolution, o spatial positions along a side after the first, H hidden.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sitsformer.errors import SitsError
from sitsformer.model.steps import LAST_DAY

CHANNELS = (32, 64)
"""Channels of the two convolutions (SITS-Former)."""


_Number = TypeVar("_Number", int, Tensor)


def kernels(bands: int, patch: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Kernel sizes ((bands, pixels) of the first, of the second convolution).

    Two convolutions without padding shrink a patch of side S to one pixel when their sides sum to
    S + 1; the larger comes first. SITS-Former's own case, 10 bands and patch 5, is (5, 3), (5, 3).
    Fewer than 9 bands leave no room for two kernels of 5 bands, so they get 3.

    Raises:
        SitsError: fewer than 5 bands, or a patch size other than 1, 3, 5, 7, 9.
    """
    pixels = {1: (1, 1), 3: (3, 1), 5: (3, 3), 7: (5, 3), 9: (5, 5)}
    if patch not in pixels:
        raise SitsError(
            f"patches of {patch} x {patch} pixels: model.embedding: conv3d reads sides of "
            f"{sorted(pixels)}; use model.embedding: linear"
        )
    if bands < 5:
        raise SitsError(
            f"{bands} bands: model.embedding: conv3d needs 5 or more; use model.embedding: linear"
        )
    depth = 5 if bands >= 9 else 3
    return (depth, pixels[patch][0]), (depth, pixels[patch][1])


def day_table(hidden: int) -> Tensor:
    """Sine-cosine code of the days of year, (367, H) float32; day 0, padding, is all zero.

    Vaswani et al. 2017, section 3.5, with position = day - 1 as in SITS-Former.
    """
    position = torch.arange(LAST_DAY, dtype=torch.float32).unsqueeze(1)
    rate = torch.exp(torch.arange(0, hidden, 2, dtype=torch.float32) * (-math.log(1e4) / hidden))
    table = torch.zeros(LAST_DAY + 1, hidden)
    table[1:, 0::2] = torch.sin(position * rate)
    table[1:, 1::2] = torch.cos(position * rate)
    return table


class DayEncoding(nn.Module):
    """Adds the code of the day of year."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.pe: Tensor
        self.register_buffer("pe", day_table(hidden))

    def forward(self, doy: Tensor) -> Tensor:
        """Codes (N, H) of the days (N,)."""
        return self.pe.index_select(0, doy)


class LinearEmbedding(nn.Module):
    """One linear layer over all values of a patch; for small models and patch size 1."""

    def __init__(self, bands: int, patch: int, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(bands * patch * patch, hidden)
        self.position = DayEncoding(hidden)

    def forward(self, values: Tensor, real: Tensor | None = None) -> Tensor:
        """Embed values (N, C, P) as (N, H); see `ConvEmbedding` for `real`."""
        del real
        return F.linear(self.columns(values), self.linear.weight, self.linear.bias)

    def folded(self) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of the only product; it applies to `columns`."""
        return [(self.linear.weight, self.linear.bias)]

    def columns(self, values: Tensor) -> Tensor:
        """All values of a step in a row: (N, C * P)."""
        return values.flatten(1)


class ConvEmbedding(nn.Module):
    """SITS-Former's patch embedding; see the head of this file."""

    def __init__(self, bands: int, patch: int, hidden: int) -> None:
        super().__init__()
        (depth1, side1), (depth2, side2) = kernels(bands, patch)
        first, second = CHANNELS
        self.bands, self.patch = bands, patch
        self.inner = (bands - depth1 + 1, patch - side1 + 1)
        self.outer = self.inner[0] - depth2 + 1
        self.conv1 = nn.Sequential(
            nn.Conv3d(1, first, (depth1, side1, side1)), nn.ReLU(), nn.BatchNorm3d(first)
        )
        self.conv2 = nn.Sequential(
            nn.Conv3d(first, second, (depth2, side2, side2)), nn.ReLU(), nn.BatchNorm3d(second)
        )
        self.linear = nn.Linear(second * self.outer, hidden)
        self.position = DayEncoding(hidden)

    def forward(self, values: Tensor, real: Tensor | None = None) -> Tensor:
        """Embed patches.

        Args:
            values: (N, C, P).
            real: (N,) bool, False in rows that are no steps, and enter no statistic; None: all are.

        Returns:
            (N, H).
        """
        hidden = F.linear(self.columns(values), *self._first())
        norm1, norm2 = (self._parts(block)[1] for block in (self.conv1, self.conv2))
        each = self.inner[0] * self.inner[1]
        windows = real if real is None else real.unsqueeze(1).expand(-1, each).flatten()
        hidden, gain, shift = _relu_and_norm(hidden, norm1, windows, self.training)
        # By its shape: `len` would be a constant of an exported network (`portable.py`).
        hidden = hidden.view(values.shape[0], self.inner[0] * self.inner[1] ** 2 * CHANNELS[0])
        hidden = F.linear(hidden, *self._second(gain, shift))
        hidden, gain, shift = _relu_and_norm(hidden, norm2, real, self.training)
        return F.linear(hidden, *self._third(gain, shift))

    def folded(self) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of the three products in evaluation mode; a ReLU follows the first two.

        The first applies to `columns`, the second to its result with a row a step.
        """
        norm1, norm2 = (self._parts(block)[1] for block in (self.conv1, self.conv2))
        return [self._first(), self._second(*_affine(norm1)), self._third(*_affine(norm2))]

    def _first(self) -> tuple[Tensor, Tensor]:
        conv, _ = self._parts(self.conv1)
        return self._first_matrix(conv.weight), _bias(conv).repeat(self.inner[1])

    def _second(self, gain: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        conv, _ = self._parts(self.conv2)
        core = conv.weight.permute(0, 2, 3, 4, 1)  # channel last, as in the activations
        bias = _bias(conv) + (core * shift).sum((1, 2, 3, 4))
        return self._second_matrix((core * gain).flatten(1)), bias.repeat(self.outer)

    def _third(self, gain: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        # The published layer reads (channel, band position); activations are the other way round.
        weight = self.linear.weight.view(-1, CHANNELS[1], self.outer).transpose(1, 2)
        bias = self.linear.bias + (weight * shift).sum((1, 2))
        return (weight * gain).flatten(1), bias

    @staticmethod
    def _parts(block: nn.Sequential) -> tuple[nn.Conv3d, nn.BatchNorm3d]:
        conv, norm = block[0], block[2]
        assert isinstance(conv, nn.Conv3d) and isinstance(norm, nn.BatchNorm3d)
        return conv, norm

    def columns(self, values: Tensor) -> Tensor:
        """What each row of outputs of the first convolution sees: (N * b1 * o, depth * side * S).

        Whole rows of pixels, not single windows: half the copying for a little more arithmetic.
        """
        _, _, depth, side, _ = self._parts(self.conv1)[0].weight.shape
        side_in = self.patch
        windows = values.view(-1, self.bands, side_in, side_in).unfold(1, depth, 1)
        windows = windows.unfold(2, side, 1).permute(0, 1, 2, 4, 5, 3)
        return windows.reshape(-1, depth * side * side_in)

    def _first_matrix(self, weight: Tensor) -> Tensor:
        """(o * 32, depth * side * S): the first kernel at each position along a row of pixels."""
        o = self.inner[1]
        kernel = weight.squeeze(1)
        return torch.cat([F.pad(kernel, (i, o - 1 - i)).flatten(1) for i in range(o)])

    def _second_matrix(self, kernel: Tensor) -> Tensor:
        """(b2 * 64, b1 * o * o * 32): the second kernel at each position along the bands."""
        stride = self.inner[1] ** 2 * CHANNELS[0]
        last = self.outer - 1
        return torch.cat(
            [F.pad(kernel, (i * stride, (last - i) * stride)) for i in range(last + 1)]
        )


def _bias(conv: nn.Conv3d) -> Tensor:
    assert conv.bias is not None
    return conv.bias


def _relu_and_norm(
    x: Tensor, norm: nn.BatchNorm3d, real: Tensor | None, training: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """ReLU of x (rows, positions * channels), and the affine map that its BatchNorm amounts to.

    Rows where `real` (rows,) is False belong to no step, and enter no statistic.

    Returns:
        relu(x), gain (channels,), shift (channels,): the normalised value is relu * gain + shift.
    """
    if not training:
        return torch.relu(x), *_affine(norm)
    assert norm.running_mean is not None and norm.running_var is not None
    channels = norm.num_features
    x, total, squares = cast(Any, _ReluSums).apply(x, real)
    share: float | Tensor = norm.momentum if norm.momentum is not None else 0.1
    each = x.shape[1] // channels
    count: int | Tensor
    unbiased: float | Tensor
    if real is None:
        count = _all_sum(x.shape[0]) * each
        if count == 0:
            return x, *_affine(norm)
        unbiased = count / max(count - 1, 1)
    else:
        # Nothing of it is read by the host, which would wait for a GPU; without a step nothing
        # moves.
        rows = _all_sum(real.sum(dtype=torch.float64)) * each
        moves = (rows > 0).to(norm.running_mean.dtype)
        count, share = rows.clamp_min(1), moves * share
        unbiased = count / (count - 1).clamp_min(1)
    mean = total.view(-1, channels).sum(0) / count
    variance = (squares.view(-1, channels).sum(0) / count - mean * mean).clamp_min(0)
    with torch.no_grad():
        # As nn.BatchNorm: the running variance is the unbiased one.
        norm.running_mean.lerp_(mean, share)
        norm.running_var.lerp_(variance * unbiased, share)
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
    gain = norm.weight * torch.rsqrt(variance + norm.eps)
    return x, gain, norm.bias - mean * gain


def _affine(norm: nn.BatchNorm3d) -> tuple[Tensor, Tensor]:
    """Gain and shift (channels,) that a BatchNorm amounts to in evaluation mode."""
    assert norm.running_mean is not None and norm.running_var is not None
    gain = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return gain, norm.bias - norm.running_mean * gain


def _several_processes() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _all_sum(count: _Number) -> _Number:
    """Sum of a count over the processes that train together."""
    if not _several_processes():
        return count
    total = torch.as_tensor(count)
    torch.distributed.all_reduce(total)
    return total if isinstance(count, Tensor) else int(total)


class _ReluSums(torch.autograd.Function):
    """ReLU in place, and column sums of the result and of its square over all processes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, real: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        ctx.mark_dirty(x)
        x.clamp_min_(0)
        if real is not None:
            # What is zero gets no gradient either.
            x.masked_fill_(~real.unsqueeze(1), 0)
        kind = torch.promote_types(x.dtype, torch.float32)
        sums = torch.stack([x.sum(0, dtype=kind), (x * x).sum(0, dtype=kind)])
        if _several_processes():
            torch.distributed.all_reduce(sums)
        ctx.save_for_backward(x)
        return x, sums[0], sums[1]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        sums = torch.stack(grads[1:])
        if _several_processes():
            torch.distributed.all_reduce(sums)
        grad = torch.addcmul(sums[0].to(x.dtype), x, 2 * sums[1].to(x.dtype)).add_(grads[0])
        return grad.masked_fill_(x == 0, 0), None
