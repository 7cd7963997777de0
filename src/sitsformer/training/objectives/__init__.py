"""What a network is pretrained on: losses, and objectives made of them.

loss.py         the record of a loss            objective.py  the record of an objective
reconstruct.py  masked reconstruction           recommended.py  `dual`, `ssl`, `sl`
cross_view.py   one half from the other         published.py  the recipes of the papers
contrast.py     halves told apart
landcover.py    cross-entropy of land cover

docs/extending.md has the recipes. Nothing here imports torch when it is imported: the config and
Snakemake look through the modules at every start.
"""

from sitsformer.training.objectives.loss import Drawn, Encoded, Loss, losses
from sitsformer.training.objectives.objective import (
    BEST_BASELINE,
    BEST_CONTROL,
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
    "BEST_CONTROL",
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
