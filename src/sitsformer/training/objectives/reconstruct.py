"""Masked reconstruction: the centre pixel of what was hidden, as SITS-Former learns it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sitsformer.training.objectives.loss import Drawn, Encoded, Loss

if TYPE_CHECKING:
    from torch import Tensor

    from sitsformer.model import SITSFormer


def hidden_values(drawn: Drawn) -> float:
    """How many values of the centre pixel are hidden."""
    if drawn.hidden is None:
        return 0.0
    return float(drawn.hidden.sum()) * (drawn.bands if drawn.hidden.ndim == 1 else 1)


def errors(model: SITSFormer, encoded: Encoded) -> Tensor:
    """What the network makes of hidden values less what they are (normalised reflectance).

    Returns:
        (hidden steps, C), 0 in rows that are no steps; or (N, C) where bands are hidden, 0 at what
        was seen.
    """
    from sitsformer.model.hiding import HiddenBands

    hidden, values = encoded.hidden, encoded.steps.values
    assert hidden is not None and encoded.masked is not None
    target = values[:, :, values.shape[2] // 2]
    found = model.reconstruct(encoded.masked).float()
    if isinstance(hidden, HiddenBands):
        return (found - target).mul(hidden.values)
    error = found - target.index_select(0, hidden.rows.index)
    real = hidden.rows.real
    return error if real is None else error.masked_fill(~real.unsqueeze(1), 0)


def squared_errors(model: SITSFormer, encoded: Encoded) -> Tensor:
    """Sum of squared errors over hidden values."""
    return errors(model, encoded).square().sum()


RECONSTRUCTION = Loss(
    name="reconstruct",
    title="reconstruction",
    unit="squared error",
    count=hidden_values,
    total=squared_errors,
    hides=True,
    whole=False,
    head="reconstruction",
    order=10,
)
