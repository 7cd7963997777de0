"""The objectives of the method: both losses together, and each of them alone.

Colours are those of Okabe & Ito (2008), "Color Universal Design".
"""

from sitsformer.training.objectives.objective import BEST_BASELINE, SCRATCH, Comparison, Objective

DUAL = Objective(
    name="dual",
    title="dual",
    colour="#d55e00",
    marker="o",
    losses={"ssl": 1.0, "sl": 1.0},
    compared=(
        Comparison(
            SCRATCH.name,
            few="With few labels, pretraining with reconstruction and land cover together beats "
            "training from scratch",
            every="With all labels, dual pretraining still beats training from scratch",
        ),
        Comparison("ssl", few="With few labels, both tasks together beat reconstruction alone"),
        Comparison("sl", few="With few labels, both tasks together beat land cover alone"),
        Comparison(BEST_BASELINE, few="With few labels, dual pretraining beats the best baseline"),
    ),
    order=10,
)

SSL = Objective(
    name="ssl",
    title="ssl (reconstruction)",
    colour="#0072b2",
    marker="s",
    losses={"ssl": 1.0},
    compared=(
        Comparison(
            SCRATCH.name,
            few="With few labels, reconstruction alone beats training from scratch",
        ),
        Comparison(
            BEST_BASELINE, few="With few labels, reconstruction alone beats the best baseline"
        ),
    ),
    order=20,
)

SL = Objective(
    name="sl",
    title="sl (land cover)",
    colour="#009e73",
    marker="^",
    losses={"sl": 1.0},
    compared=(Comparison(SCRATCH.name),),
    order=30,
)
