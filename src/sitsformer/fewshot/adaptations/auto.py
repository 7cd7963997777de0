"""The probe, the fine-tuned probe or their mean, whichever validation prefers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sitsformer.fewshot.adaptations.adaptation import Adaptation, Choice
from sitsformer.fewshot.adaptations.blend import BLEND
from sitsformer.fewshot.adaptations.lp_ft import LP_FT
from sitsformer.fewshot.adaptations.probe import PROBE

if TYPE_CHECKING:
    from sitsformer.config import FewShot
    from sitsformer.fewshot.draws import Draw
    from sitsformer.finetune import Job
    from sitsformer.model import SITSFormer

KNOWN = {item.name: item for item in (PROBE, BLEND, LP_FT)}


def candidates(settings: FewShot) -> Sequence[Choice]:
    """Every try of each."""
    return [
        {"adaptation": name, **choice}
        for name, item in KNOWN.items()
        for choice in item.candidates(settings)
    ]


def fit(job: Job, draw: Draw, seed: int, choice: Choice) -> SITSFormer:
    """See `Adaptation.fit`."""
    return KNOWN[choice["adaptation"]].fit(job, draw, seed, choice)


AUTO = Adaptation(
    name="auto",
    title="what validation prefers",
    line=(0, (1, 1)),
    gradient=True,
    candidates=candidates,
    fit=fit,
    order=17,
)
