"""Methods without pretraining, on the same draws of labels: one small module a baseline.

docs/extending.md has the recipe for another one; docs/evaluation.md says how users add theirs. The
modules are light: Snakemake looks through them at every start, and what fits is imported when it
fits. `fitting.py` runs them.
"""

from sitsformer.baselines.baseline import (
    NETWORK,
    OWN,
    Baseline,
    Choice,
    Option,
    Predict,
    ShippedBaseline,
    Task,
    by_default,
    file_options,
    shipped,
    spread,
)

__all__ = [
    "NETWORK",
    "OWN",
    "Baseline",
    "Choice",
    "Option",
    "Predict",
    "ShippedBaseline",
    "Task",
    "by_default",
    "file_options",
    "shipped",
    "spread",
]
