"""Land cover: cross-entropy of the classes of labelled samples, from the pooled series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sitsformer.training.objectives.loss import Drawn, Encoded, Loss

if TYPE_CHECKING:
    from torch import Tensor

    from sitsformer.model import SITSFormer


def labelled_samples(drawn: Drawn) -> float:
    """How many samples have a label."""
    return float((drawn.label >= 0).sum())


def cross_entropy(model: SITSFormer, encoded: Encoded) -> Tensor:
    """Sum of cross-entropies, nats, over labelled samples."""
    import torch.nn.functional as F  # noqa: N812

    logits = model.classify(encoded.every, encoded.layout, encoded.doy).float()
    return F.cross_entropy(
        logits, encoded.label, encoded.class_weights, ignore_index=-1, reduction="sum"
    )


LAND_COVER = Loss(
    name="landcover",
    title="land cover",
    unit="cross-entropy, nats",
    count=labelled_samples,
    total=cross_entropy,
    labelled=True,
    head="classifier",
    order=40,
)
