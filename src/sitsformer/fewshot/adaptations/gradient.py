"""What adaptations by gradient share: they differ in the weights that learn, and in nothing else.

The recipe, the steps and the learning rates to try are those of section `fewshot`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sitsformer.fewshot.adaptations.adaptation import Choice, Fit

if TYPE_CHECKING:
    from torch import Tensor

    from sitsformer.config import FewShot
    from sitsformer.fewshot.draws import Draw
    from sitsformer.finetune import Job
    from sitsformer.model import SITSFormer

ELSEWHERE = ("mask_token", "band_token", "reconstruction.", "decoder.", "projection.")
"""Beginnings of names of weights that a classification never asks for."""


def learning_rates(settings: FewShot) -> Sequence[Choice]:
    """One try a learning rate."""
    return [{"learning_rate": rate} for rate in settings.learning_rates]


def trained(choose: Callable[[SITSFormer], None]) -> Fit:
    """Training by the recipe of the sweep.

    Args:
        choose: makes the weights of a network learn or not (`learn`).
    """

    def fit(job: Job, draw: Draw, seed: int, choice: Choice) -> SITSFormer:
        model = job.start(seed)
        choose(model)
        return job.train(model, draw, seed, choice["learning_rate"])

    return fit


def learn(model: SITSFormer, chosen: Callable[[str, Tensor], bool]) -> None:
    """Let the classifier learn, and the weights of the encoder that are chosen.

    Args:
        model: the network.
        chosen: name and values of a weight of the encoder -> whether it learns.
    """
    for name, weight in model.named_parameters():
        encoder = not name.startswith(("classifier.", *ELSEWHERE))
        weight.requires_grad_(name.startswith("classifier.") or (encoder and chosen(name, weight)))
