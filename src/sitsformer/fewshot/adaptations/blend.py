"""Half way between the probe and what fine-tuning makes of it, weight by weight.

Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (WiSE-FT), CVPR 2022, alpha = 0.5:
both ends lie in one basin, since one started from the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sitsformer.fewshot.adaptations.adaptation import Adaptation, Choice
from sitsformer.fewshot.adaptations.lp_ft import learning_rates, tuned
from sitsformer.fewshot.adaptations.probe import STRENGTHS, probed

if TYPE_CHECKING:
    from sitsformer.fewshot.draws import Draw
    from sitsformer.finetune import Job
    from sitsformer.model import SITSFormer


def fit(job: Job, draw: Draw, seed: int, choice: Choice) -> SITSFormer:
    """See `Adaptation.fit`."""
    import torch

    model = tuned(job, draw, seed, choice["learning_rate"])
    start = probed(job, draw, seed, STRENGTHS[0]).state_dict()
    with torch.no_grad():
        for name, weight in model.state_dict().items():
            if weight.is_floating_point():
                weight.add_(start[name]).mul_(0.5)
    return model


BLEND = Adaptation(
    name="blend",
    title="mean of probe and fine-tuned weights",
    line=(0, (3, 1, 1, 1, 1, 1)),
    gradient=True,
    candidates=learning_rates,
    fit=fit,
    order=16,
)
