"""The one training loop and what it trains.

loop.py         fit: epochs, losses           recipe.py       learning rate, optimiser
pretraining.py  objectives as a task          checkpoint.py   what a run resumes from
classification.py  few labels as a task
objectives/     what pretraining learns       observers.py    progress bar, TensorBoard
augment.py      changes to series             determinism.py  the same every time
distributed.py  several processes

Nothing is imported here: the config reads `objectives` at every start, without torch.
"""
