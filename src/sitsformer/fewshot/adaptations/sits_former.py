"""SITS-Former's fine-tuning, as published (Yuan et al. 2022, and the code that goes with it).

All weights learn by Adam at 2e-4 with an L2 of 1e-4, in batches of 128 samples as they come,
flipped and rotated; of 50 epochs (300 without pretraining) the one with the best macro F1 on the
validation samples is kept. Nothing of this is set in the config.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sitsformer.fewshot.adaptations.adaptation import Adaptation, Choice
from sitsformer.fewshot.adaptations.full import all_weights

if TYPE_CHECKING:
    from sitsformer.config import FewShot
    from sitsformer.fewshot.draws import Draw
    from sitsformer.finetune import Job
    from sitsformer.model import SITSFormer
    from sitsformer.training.classification import ClassifySettings


def only(settings: FewShot) -> Sequence[Choice]:
    """The one setting."""
    del settings
    return [{}]


def task_settings(seed: int, **changed: Any) -> ClassifySettings:
    """How its batches are made; with no other settings, those that were published."""
    from sitsformer.training.augment import Strength
    from sitsformer.training.classification import ClassifySettings
    from sitsformer.training.objectives.published import BATCH

    turn = Strength(turn=True)
    as_published = {"batch_size": BATCH, "augment": turn, "balanced": False, "updates": 0}
    return ClassifySettings(seed=seed, **{**as_published, **changed})


def fit(job: Job, draw: Draw, seed: int, choice: Choice) -> SITSFormer:
    """See `Adaptation.fit`."""
    from sitsformer.training.classification import ClassifyTask
    from sitsformer.training.loop import fit as train
    from sitsformer.training.objectives.published import (
        EPOCHS,
        EPOCHS_FROM_SCRATCH,
        FINETUNING,
        KEPT,
    )
    from sitsformer.training.recipe import Plan

    del choice
    model = job.start(seed)
    all_weights(model)
    epochs = EPOCHS_FROM_SCRATCH if job.init is None else EPOCHS
    task = ClassifyTask(
        job.series, job.samples.label, draw.train, task_settings(seed), draw.validation
    )
    train(model, task, Plan(epochs=epochs, seed=seed, keep=KEPT, **FINETUNING))
    return model.eval()


SITS_FORMER = Adaptation(
    name="sits_former",
    title="SITS-Former's fine-tuning",
    line=(0, (5, 1, 1, 1, 1, 1)),
    gradient=False,
    candidates=only,
    fit=fit,
    order=40,
)
