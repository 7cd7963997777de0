"""A linear classifier on a frozen encoder, which stays as in prediction: no dropout in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sitsformer.fewshot.adaptations.adaptation import Adaptation
from sitsformer.fewshot.adaptations.gradient import learn, learning_rates, trained

if TYPE_CHECKING:
    from sitsformer.model import SITSFormer


def classifier_alone(model: SITSFormer) -> None:
    """Let the classifier learn, and freeze the encoder."""
    learn(model, lambda name, weight: False)
    model.frozen = True


LINEAR = Adaptation(
    name="linear",
    title="frozen encoder, new head",
    line=(0, (4, 2)),
    gradient=True,
    candidates=learning_rates,
    fit=trained(classifier_alone),
    order=20,
)
