"""Temporal convolutions and a dense layer on the regular series.

Shapes: B samples of a batch, G days of the calendar, C bands, K classes.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from sitsformer.baselines.networks.training import PixelNetwork, padded
from sitsformer.baselines.series import Calendar, Floats, Ints, between
from sitsformer.model.device import to_device
from sitsformer.model.steps import Steps


class TemporalCNN(PixelNetwork):
    """Three convolutions over time, then a dense layer."""

    def __init__(self, bands: int, calendar: Calendar, classes: int, width: int = 64) -> None:
        super().__init__()
        self.calendar = calendar
        days = len(calendar.grid)
        layers: list[nn.Module] = []
        for inputs in (bands, width, width):
            layers += [
                nn.Conv1d(inputs, width, 5, padding=2),
                nn.BatchNorm1d(width),
                nn.ReLU(),
                nn.Dropout(0.3),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(width * days, 4 * width),
            nn.BatchNorm1d(4 * width),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(4 * width, classes),
        )

    def logits(self, steps: Steps) -> Tensor:
        """(N,) packed steps of B samples -> (B, K) logits."""
        values, day = padded(steps, self.calendar)
        return self.forward(regular(values, *between(day, self.calendar.grid)))

    def forward(self, values: Tensor) -> Tensor:
        """(B, G, C) series on the calendar -> (B, K) logits."""
        found: Tensor = self.head(self.convolutions(values.transpose(1, 2)))
        return found


def regular(values: Tensor, left: Ints, right: Ints, share: Floats) -> Tensor:
    """Series (B, T, C) on a calendar (B, G, C), where they are; see `series.between`."""
    row = to_device(np.arange(len(values))[:, None], values.device)
    before, after = (values[row, to_device(place, values.device)] for place in (left, right))
    weight = to_device(share, values.device)
    return before * (1 - weight) + after * weight
