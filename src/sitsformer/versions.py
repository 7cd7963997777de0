"""One number a stage: raised when the same inputs and config give another result than before.

Snakemake sees changed configs and files, not changed code. Each rule has the number of its stage
among its `params`, so that after an upgrade the stages that changed run again, with what depends
on them, and no others.
"""

STAGES = {
    "cube": 2,
    "patches": 1,
    "merge": 1,
    "embeddings": 1,
    "pretrain": 3,
    "fewshot": 7,
    "baseline": 5,
    "evaluate": 6,
    "crop_model": 6,
    "map": 2,
    "mosaic": 4,
    "report": 9,
}
"""Command of the stage -> version of what it makes."""
