"""Attention with one query a head, over acquisitions as they are.

Shapes: N samples of a batch, T acquisitions, C bands, K classes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sitsformer.baselines.networks.training import PixelNetwork, padded
from sitsformer.baselines.series import Calendar
from sitsformer.model.device import to_device
from sitsformer.model.steps import Steps


class LTAE(PixelNetwork):
    """Attention with one learned query a head, over acquisitions with a day encoding."""

    def __init__(
        self,
        bands: int,
        calendar: Calendar,
        classes: int,
        width: int = 128,
        heads: int = 16,
        key: int = 8,
    ) -> None:
        super().__init__()
        self.calendar = calendar
        self.width, self.heads, self.key_size = width, heads, key
        self.embed = nn.Sequential(nn.Linear(bands, width), nn.LayerNorm(width))
        self.key = nn.Linear(width, heads * key)
        self.query = nn.Parameter(torch.randn(heads, key) * math.sqrt(2 / key))
        self.head = nn.Sequential(
            nn.Linear(width, width),
            nn.LayerNorm(width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(width, classes),
        )

    def logits(self, steps: Steps) -> Tensor:
        """(N,) packed steps of B samples -> (B, K) logits."""
        values, day = padded(steps, self.calendar)
        return self.forward(values, to_device(day, values.device))

    def forward(self, values: Tensor, day: Tensor) -> Tensor:
        """(N, T, C) acquisitions and (N, T) days, -1 = padding -> (N, K) logits."""
        embedded = self.embed(values)
        keyed = embedded + self._encode(day)
        keys = self.key(keyed).unflatten(-1, (self.heads, self.key_size))
        scores = torch.einsum("nthk,hk->nht", keys, self.query) / math.sqrt(self.key_size)
        attention = scores.masked_fill((day < 0)[:, None], -torch.inf).softmax(-1)
        # Each head looks at its own share of the channels.
        shares = keyed.unflatten(-1, (self.heads, self.width // self.heads))
        pooled = torch.einsum("nht,nthd->nhd", attention, shares)
        found: Tensor = self.head(pooled.flatten(1))
        return found

    def _encode(self, day: Tensor) -> Tensor:
        """(N, T, width) sines and cosines of the day, periods up to 1,000 days."""
        half = torch.arange(self.width // 2, device=day.device)
        angle = day[..., None].clamp(min=0) / 1000 ** (half / half.numel())
        return torch.cat([angle.sin(), angle.cos()], -1)
