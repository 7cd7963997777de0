"""Contrast: two views of one series are told from views of other series, by what is pooled.

InfoNCE (van den Oord, Li & Vinyals 2018, "Representation learning with contrastive predictive
coding", eq. 4), both ways, on vectors of length 1 (Chen et al. 2020, SimCLR, eq. 1).
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

    pooled = model.pool(encoded.every, encoded.layout, encoded.doy).float()
    first, second = F.normalize(pooled, dim=1).chunk(2)
    likeness = first @ second.T / TEMPERATURE
    own = torch.arange(len(first), device=likeness.device)
    there = F.cross_entropy(likeness, own, reduction="sum")
    return there + F.cross_entropy(likeness.T, own, reduction="sum")


CONTRAST = Loss(
    name="contrast",
    title="contrast of two views",
    unit="cross-entropy, nats",
    count=views,
    total=info_nce,
    hides=True,
    views=True,
    order=30,
)
