"""One thread a test process: two processes share two cores, and results repeat to the bit.

Files that take minutes come first, so that no process is left alone with one at the end. Bytecode
is kept, whatever the environment says: hundreds of processes start and would compile the package.
"""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

LONGEST = (
    "test_full_example",
    "test_interrupted_cells",
    "test_workflow",
    "test_whole_story",
    "test_training_runs",
    "test_damage",
    "test_workflow_embeddings",
    "test_reruns",
    "test_reruns_sources",
    "test_reruns_outputs",
    "test_earthengine_storm",
    "test_workflow_earthengine",
    "test_landsat_workflow",
    "test_survey_samples",
    "test_earthengine_faults",
    "test_stac_cubes",
    "test_map_product_recipe",
    "test_objective_recipe",
    "test_learner_recipes",
    "test_workflow_failures",
    "test_belgium_story",
)
"""Files that take half a minute or more, the longest first."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))
