"""Few-shot draws shared by all learners, and the table of predictions of one job.

A *cell* of the sweep is one learner, one number of shots and one seed: the model's probabilities
for every test sample, with the truth and the hyper-parameters that validation chose. A *job* writes
the cells of a few seeds into one Parquet file, `results/fewshot/{learner}/{shots}/{seeds}.parquet`;
every table and figure is computed from those files, so any of them can be computed again.

    learner              method         init  adaptation  pretrain_seed
    none-full            sitsformer     none  full        -1
    dual-p0-full         sitsformer     dual  full        0
    random_forest        random_forest  none  -           -1
"""

from sitsformer.fewshot.cells import (
    BESIDE_SETTINGS,
    OLD_COLUMNS,
    Cell,
    CellTable,
    predicted,
    read_all,
    read_cells,
    refuse_other_samples,
    write_cells,
)
from sitsformer.fewshot.draws import (
    TEST,
    TRAIN,
    VALIDATION,
    Draw,
    draw_shots,
    training_weights,
    validation_score,
)
from sitsformer.fewshot.fits import Fit, create_fits, open_fits, read_fit
from sitsformer.fewshot.learners import (
    NETWORK,
    NO_ADAPTATION,
    Learner,
    parse_learner,
    parse_seeds,
    parse_shots,
    seed_jobs,
    shots_order,
)

__all__ = [
    "BESIDE_SETTINGS",
    "NETWORK",
    "NO_ADAPTATION",
    "OLD_COLUMNS",
    "TEST",
    "TRAIN",
    "VALIDATION",
    "Cell",
    "CellTable",
    "Draw",
    "Fit",
    "Learner",
    "create_fits",
    "draw_shots",
    "open_fits",
    "parse_learner",
    "parse_seeds",
    "parse_shots",
    "predicted",
    "read_all",
    "read_cells",
    "read_fit",
    "refuse_other_samples",
    "seed_jobs",
    "shots_order",
    "training_weights",
    "validation_score",
    "write_cells",
]
