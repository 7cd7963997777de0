"""The objectives of the papers: SITS-Former's, and both of its successor's tasks together.

Yuan et al. 2022 hide time steps and reconstruct their centre pixel; Dual SITS-Former learns land
cover beside it. Colours are those of Okabe & Ito (2008), "Color Universal Design".
"""

from sitsformer.training.objectives.objective import SCRATCH, Comparison, Objective

SITS_FORMER = Objective(
    name="sits_former",
    title="SITS-Former (masked reconstruction)",
    colour="#56b4e9",
    marker="d",
    losses={"reconstruct": 1.0},
    compared=(Comparison(SCRATCH.name),),
    order=50,
)

DUAL_SITS_FORMER = Objective(
    name="dual_sits_former",
    title="masked reconstruction and land cover",
    colour="#f0b000",
    marker="p",
    losses={"reconstruct": 1.0, "landcover": 1.0},
    compared=(Comparison(SCRATCH.name),),
    order=40,
)
