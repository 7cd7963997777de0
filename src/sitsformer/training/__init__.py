"""The one training loop and what it trains.

loop.py         fit: epochs, losses           recipe.py       learning rate, optimiser
tasks.py        pretraining, classification   checkpoint.py   what a run resumes from
augment.py      changes to series             observers.py    progress bar, TensorBoard
distributed.py  several processes             determinism.py  the same every time
"""

from sitsformer.training.loop import Row, fit
from sitsformer.training.recipe import Plan, learning_rate, make_optimiser

__all__ = ["Plan", "Row", "fit", "learning_rate", "make_optimiser"]
