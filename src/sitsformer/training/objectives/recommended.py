"""The recommended objectives: self-supervision and land cover together, and each alone.

The weights were chosen on validation blocks of two data sets (docs/results.md).

Colours are those of Okabe & Ito (2008), "Color Universal Design".
"""

from sitsformer.training.objectives.objective import (
    BEST_BASELINE,
    BEST_CONTROL,
    SCRATCH,
    Comparison,
    Objective,
)

DUAL = Objective(
    name="dual",
    title="dual",
    colour="#d55e00",
    marker="o",
    losses={"cross_view": 1.0, "contrast": 0.2, "landcover": 0.5},
    compared=(
        Comparison(
            SCRATCH.name,
            few="With few labels, pretraining with self-supervision and land cover together beats "
            "random weights",
            every="With all labels, dual pretraining still beats random weights",
        ),
        Comparison("ssl", few="With few labels, both tasks together beat self-supervision alone"),
        Comparison("sl", few="With few labels, both tasks together beat land cover alone"),
        Comparison(BEST_BASELINE, few="With few labels, dual pretraining beats the best baseline"),
        Comparison(
            BEST_CONTROL,
            few="With few labels, dual pretraining beats the best baseline that is given its land "
            "cover",
        ),
    ),
    order=10,
)

SSL = Objective(
    name="ssl",
    title="ssl (no labels)",
    colour="#0072b2",
    marker="s",
    losses={"cross_view": 1.0, "contrast": 0.2},
    compared=(
        Comparison(
            SCRATCH.name,
            few="With few labels, self-supervision alone beats random weights",
        ),
        Comparison(
            BEST_BASELINE, few="With few labels, self-supervision alone beats the best baseline"
        ),
    ),
    order=20,
)

SL = Objective(
    name="sl",
    title="sl (land cover)",
    colour="#009e73",
    marker="^",
    losses={"landcover": 1.0},
    compared=(Comparison(SCRATCH.name),),
    order=30,
)
