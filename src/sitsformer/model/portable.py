"""The network as a function of padded series, without packing: what other runtimes are given.

The same layers as everywhere; all that differs is that padding stays in the table of steps, where
attention and pooling pass it over.

Axes: B samples, T time steps, C bands, S pixels along a side of a patch, K classes, H hidden.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from sitsformer.model.network import SITSFormer
from sitsformer.model.steps import Steps, StepTable


class Portable(nn.Module):
    """Reflectance and days -> embeddings, and probabilities where the model has classes.

    Args:
        model: ready to predict.
    """

    def __init__(self, model: SITSFormer) -> None:
        super().__init__()
        self.model = model.eval()

    def forward(self, reflectance: Tensor, doy: Tensor) -> tuple[Tensor, ...]:
        """Probabilities and embeddings.

        Args:
            reflectance: (B, T, C, S, S) float32; NaN where nothing was seen.
            doy: (B, T) int64 days of year, 0 for no step; steps may stand anywhere.

        Returns:
            (B, K) float32 where the model has a classifier, and (B, width) float32; NaN for a
            series without a step.
        """
        samples, time = doy.shape
        seen = ~torch.isnan(reflectance)
        # A step of which nothing was seen is none, as in `SITSFormer.predict`.
        valid = (doy > 0) & seen.flatten(2).any(2)
        mean = self.model.mean.view(1, 1, -1, 1, 1)
        std = self.model.std.view(1, 1, -1, 1, 1)
        # A missing pixel becomes its band's mean: 0 after normalisation.
        values = torch.where(seen, (reflectance - mean) / std, 0.0)
        bias = torch.where(valid, 0.0, -torch.inf).unsqueeze(1)
        # Compiled layers look at sizes alone; nothing asks for the lengths, which are no constants.
        layout = StepTable(np.empty(0, np.int64), samples, samples * time, time, None, bias)
        days = doy.reshape(-1)
        steps = Steps(values.reshape(samples * time, values.shape[2], -1), days, layout)
        pooled = self.model.pool(self.model.encode(steps), layout, days)
        if self.model.classifier is None:
            return (pooled,)
        return self.model.classifier(pooled).softmax(1), pooled
