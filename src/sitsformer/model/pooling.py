"""From the encoded steps of a series to one vector.

Axes: N packed steps, B samples, T the longest series, H hidden, S seasons.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sitsformer.model.rows import spread
from sitsformer.model.steps import LAST_DAY, StepTable

SEASONS = 10
"""Days of the year around which `seasons` averages, equally far apart."""

SPREAD = 18.0
"""Standard deviation of the weights around each of them, days: half of their distance. In trials
on validation blocks 12 to 25 days were level."""

PARTS = {"max": 1, "mean": 1, "mean_max": 2, "seasons": 2 + SEASONS}
"""Name of a pooling -> vectors of width H that it puts beside each other."""


def pool(kind: str, encoded: Tensor, layout: StepTable, doy: Tensor) -> Tensor:
    """Pool the steps of each series.

    Args:
        kind: a name of `PARTS`.
        encoded: (N, H), or more rows, which belong to no sample.
        layout: whose steps they are.
        doy: (N,) days of year, 1-366, of the same rows; only `seasons` looks at them.

    Returns:
        (B, parts * H).
    """
    rows = encoded[: layout.steps]
    parts = []
    if kind != "max":
        parts.append(mean(rows, layout))
    if kind != "mean":
        parts.append(largest(rows, layout))
    if kind == "seasons":
        parts.append(seasons(rows, layout, doy[: layout.steps]))
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def mean(rows: Tensor, layout: StepTable) -> Tensor:
    """(B, H) mean over each series."""
    if layout.bias is None:
        return rows.view(layout.samples, layout.longest, -1).mean(1)
    total = padded(rows, layout, 0.0).sum(1)
    return total / torch.isfinite(layout.bias).sum((1, 2)).unsqueeze(1)


def largest(rows: Tensor, layout: StepTable) -> Tensor:
    """(B, H) largest value over each series."""
    table = padded(rows, layout, -torch.inf)
    # Where a gradient is wanted, it goes to the first of equal steps, as in the original; `amax`
    # shares it out, and is twenty times as fast.
    return table.max(1).values if torch.is_grad_enabled() else table.amax(1)


def seasons(rows: Tensor, layout: StepTable, doy: Tensor) -> Tensor:
    """(B, S * H) weighted means around days of the year.

    The weights of a series are Gaussian in the distance from the day, around New Year if that is
    shorter, and add up to 1: where it has no step near, the nearest ones stand in.
    """
    year = float(LAST_DAY)
    centres = (torch.arange(SEASONS, device=doy.device) + 0.5) * (year / SEASONS)
    apart = (doy.unsqueeze(1) - centres).abs()
    apart = torch.minimum(apart, year - apart)
    scores = padded(-0.5 * (apart / SPREAD) ** 2, layout, -math.inf)
    weights = scores.softmax(1).to(rows.dtype)
    return torch.einsum("bts,bth->bsh", weights, padded(rows, layout, 0.0)).flatten(1)


def padded(rows: Tensor, layout: StepTable, padding: float) -> Tensor:
    """(N, H) -> (B, T, H)."""
    samples, longest = layout.samples, layout.longest
    if layout.slot is not None:
        rows = spread(rows, layout.slot, padding)
    table = rows.view(samples, longest, -1)
    if layout.slot is None and layout.bias is not None:
        return table.masked_fill(~torch.isfinite(layout.bias).transpose(1, 2), padding)
    return table
