"""The probe first, then all weights by gradient, at a small rate.

Kumar et al. 2022, "Fine-tuning can distort pretrained features and underperform
out-of-distribution", ICLR 2022: a good head first, so that the encoder moves little.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sitsformer.fewshot.adaptations.adaptation import Adaptation, Choice
from sitsformer.fewshot.adaptations.full import all_weights
from sitsformer.fewshot.adaptations.probe import STRENGTHS, probed

if TYPE_CHECKING:
    from sitsformer.config import FewShot
    from sitsformer.fewshot.draws import Draw
    from sitsformer.finetune import Job
    from sitsformer.model import SITSFormer

SHARE = 0.1
"""The learning rate, as a share of that of full fine-tuning."""


def learning_rates(settings: FewShot) -> Sequence[Choice]:
    """One try a learning rate of the sweep."""
    return [{"learning_rate": rate * SHARE} for rate in settings.learning_rates]


def tuned(job: Job, draw: Draw, seed: int, rate: float) -> SITSFormer:
    """The probe of the first penalty, trained on."""
    model = probed(job, draw, seed, STRENGTHS[0])
    model.frozen = False
    all_weights(model)
    return job.train(model, draw, seed, rate)


def fit(job: Job, draw: Draw, seed: int, choice: Choice) -> SITSFormer:
    """See `Adaptation.fit`."""
    return tuned(job, draw, seed, choice["learning_rate"])


LP_FT = Adaptation(
    name="lp_ft",
    title="probe, then all weights",
    line="-.",
    gradient=True,
    candidates=learning_rates,
    fit=fit,
    order=15,
)
