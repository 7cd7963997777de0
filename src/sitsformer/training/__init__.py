"""The one training loop and what it trains.

loop.py         fit: epochs, losses           recipe.py       learning rate, optimiser
tasks.py        pretraining, classification   checkpoint.py   what a run resumes from
objectives/     what pretraining learns       observers.py    progress bar, TensorBoard
augment.py      changes to series             determinism.py  the same every time
distributed.py  several processes

Nothing is imported here: the config reads `objectives` at every start, without torch.
"""
