"""The objectives of the papers, and the recipe that goes with the name.

SITS-Former (Yuan et al. 2022) hides time steps and reconstructs their centre pixel; Dual
SITS-Former learns land cover beside it. The recipe is that of SITS-Former's code: Adam at 1e-3,
which is kept for eleven epochs (the paper says ten) and multiplied by 0.99 after each further one,
gradients of norm 5 at most, and flips and rotations of patches. The runs of its README have 200
epochs of batches of 512, with 30 % of the steps hidden; these stay settings of the config, and so
does the network.

Colours are those of Okabe & Ito (2008), "Color Universal Design".
"""

from typing import Any

from sitsformer.training.objectives.objective import SCRATCH, Comparison, Objective

PRETRAINING: dict[str, Any] = {
    "optimiser": "adam",
    "l2": 0.0,
    "learning_rate": 1e-3,
    "warmup": 0.0,
    "schedule": "exponential",
    "hold": 10,
    "decay": 0.99,
    "clip": 5.0,
}
"""Keys of `pretrain.recipe`."""

AUGMENT: dict[str, Any] = {"day_shift": 0, "drop": 0.0, "gain": 0.0, "noise": 0.0, "turn": True}
"""Keys of `pretrain.augment`."""

FINETUNING: dict[str, Any] = {
    "optimiser": "adam",
    "l2": 1e-4,
    "learning_rate": 2e-4,
    "warmup": 0.0,
    "schedule": "constant",
    "clip": None,
}
"""Keys of a recipe by which all weights learn from labels, in batches of `BATCH`."""

BATCH, KEPT = 128, "macro_f1"
"""Samples a step of fine-tuning; by what of validation the best epoch is chosen."""

EPOCHS, EPOCHS_FROM_SCRATCH = 50, 300
"""Of fine-tuning, with and without pretraining."""

SITS_FORMER = Objective(
    name="sits_former",
    title="SITS-Former (masked reconstruction)",
    colour="#56b4e9",
    marker="d",
    losses={"reconstruct": 1.0},
    recipe=PRETRAINING,
    augment=AUGMENT,
    compared=(Comparison(SCRATCH.name),),
    order=50,
)

DUAL_SITS_FORMER = Objective(
    name="dual_sits_former",
    title="Dual SITS-Former (masked reconstruction and land cover)",
    colour="#f0b000",
    marker="p",
    losses={"reconstruct": 1.0, "landcover": 1.0},
    recipe=PRETRAINING,
    augment=AUGMENT,
    compared=(Comparison(SCRATCH.name),),
    order=40,
)
