"""What a network is pretrained on: losses, and objectives made of them.

loss.py         the record of a loss            objective.py  the record of an objective
reconstruct.py  masked reconstruction           published.py  the objectives of the method
landcover.py    cross-entropy of land cover

docs/extending.md has the recipes. Nothing here imports torch when it is imported: the config and
Snakemake look through the modules at every start.
"""

from sitsformer.training.objectives.loss import Drawn, Encoded, Loss, losses
from sitsformer.training.objectives.objective import (
    BEST_BASELINE,
    SCRATCH,
    Comparison,
    Objective,
    Start,
    comparisons,
    default_objective,
    objectives,
    starts,
    without_labels,
)

__all__ = [
    "BEST_BASELINE",
    "SCRATCH",
    "Comparison",
    "Drawn",
    "Encoded",
    "Loss",
    "Objective",
    "Start",
    "comparisons",
    "default_objective",
    "losses",
    "objectives",
    "starts",
    "without_labels",
]
