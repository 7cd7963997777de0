"""Reconstruction of each half of a series' dates from the other one, by a light decoder.

Masked reconstruction with half of the steps hidden, in both directions at once; the encoder never
sees a token in place of a step (He et al. 2022, "Masked autoencoders are scalable vision
learners").
"""

from __future__ import annotations

from sitsformer.training.objectives.loss import Loss
from sitsformer.training.objectives.reconstruct import hidden_values, squared_errors

CROSS_VIEW = Loss(
    name="cross_view",
    title="reconstruction of the other half",
    unit="squared error",
    count=hidden_values,
    total=squared_errors,
    hides=True,
    views=True,
    whole=False,
    head="reconstruction",
    order=20,
)
