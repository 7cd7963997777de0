"""Temporal convolutions and a dense layer on the regular series.

Shapes: N samples of a batch, G days of the calendar, C bands, K classes.
"""

from __future__ import annotations

from torch import Tensor, nn


class TemporalCNN(nn.Module):
    """Three convolutions over time, then a dense layer."""

    def __init__(self, bands: int, days: int, classes: int, width: int = 64) -> None:
        super().__init__()
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

    def forward(self, values: Tensor, day: Tensor) -> Tensor:
        """(N, G, C) series on the calendar -> (N, K) logits; `day` is not needed."""
        found: Tensor = self.head(self.convolutions(values.transpose(1, 2)))
        return found
