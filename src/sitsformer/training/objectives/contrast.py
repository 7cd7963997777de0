"""Contrast: the two halves of a series are told from halves of other series.

InfoNCE (van den Oord, Li & Vinyals 2018, "Representation learning with contrastive predictive
coding", eq. 4), both ways, on vectors of length 1 behind a projection of their own (Chen et al.
2020, SimCLR): without the projection it cost accuracy in trials.

Axes: B series, so 2 B views; P width of the projection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sitsformer.training.objectives.loss import Drawn, Encoded, Loss

if TYPE_CHECKING:
    from torch import Tensor

    from sitsformer.model import SITSFormer

TEMPERATURE = 0.15


def views(drawn: Drawn) -> float:
    """How many views there are to find the other one of."""
    return float(len(drawn.label))


def info_nce(model: SITSFormer, encoded: Encoded) -> Tensor:
    """Sum of cross-entropies, nats, of finding each view's other half among the batch's."""
    import torch
    import torch.nn.functional as F  # noqa: N812

    from sitsformer.training import distributed

    pooled = model.pool(encoded.every, encoded.layout, encoded.doy).float()
    own = F.normalize(model.project(pooled), dim=1)
    first, second = own.chunk(2)
    # Halves of other series in every process, so that their number changes nothing.
    others, place = distributed.gather_rows(torch.stack([first, second], 1))
    there = F.cross_entropy(first @ others[:, 1].T / TEMPERATURE, place, reduction="sum")
    return there + F.cross_entropy(second @ others[:, 0].T / TEMPERATURE, place, reduction="sum")


CONTRAST = Loss(
    name="contrast",
    title="contrast of two halves",
    unit="cross-entropy, nats",
    count=views,
    total=info_nce,
    hides=True,
    views=True,
    head="projection",
    order=30,
)
