"""Full fine-tuning: every weight that classification asks for learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sitsformer.fewshot.adaptations.adaptation import Adaptation
from sitsformer.fewshot.adaptations.gradient import learn, learning_rates, trained

if TYPE_CHECKING:
    from sitsformer.model import SITSFormer


def all_weights(model: SITSFormer) -> None:
    """Let the encoder and the classifier learn."""
    learn(model, lambda name, weight: True)


FULL = Adaptation(
    name="full",
    title="all weights",
    line="-",
    gradient=True,
    candidates=learning_rates,
    fit=trained(all_weights),
    order=10,
)
