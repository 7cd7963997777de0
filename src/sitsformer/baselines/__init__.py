"""Methods without pretraining, on the same draws of labels; `registry.py` has them by name."""

from sitsformer.baselines.baseline import (
    Baseline,
    Choice,
    Predict,
    Task,
    spread,
)
from sitsformer.baselines.registry import (
    MODULES,
    get,
    run,
)

__all__ = [
    "MODULES",
    "Baseline",
    "Choice",
    "Predict",
    "Task",
    "get",
    "run",
    "spread",
]
