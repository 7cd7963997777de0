"""Biases, norms and the classifier: the few weights that are vectors.

Ben Zaken, Goldberg & Ravfogel 2022, "BitFit", ACL 2022.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sitsformer.fewshot.adaptations.adaptation import Adaptation
from sitsformer.fewshot.adaptations.gradient import learn, learning_rates, trained

if TYPE_CHECKING:
    from sitsformer.model import SITSFormer


def vectors(model: SITSFormer) -> None:
    """Let biases, the vectors of norms, and the classifier learn."""
    learn(model, lambda name, weight: weight.ndim == 1)


BIAS = Adaptation(
    name="bias",
    title="biases, norms and the head",
    line=(0, (1, 1.5)),
    gradient=True,
    candidates=learning_rates,
    fit=trained(vectors),
    order=30,
)
