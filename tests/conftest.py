"""One thread a test process: two processes share two cores, and results repeat to the bit.

Files that take minutes come first, so that no process is left alone with one at the end.
"""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

LONGEST = (
    "test_full_example",
    "test_reruns",
    "test_workflow",
    "test_training_runs",
    "test_interrupted_cells",
    "test_whole_story",
    "test_damage",
    "test_workflow_embeddings",
    "test_landsat_workflow",
    "test_reruns_sources",
    "test_reruns_outputs",
    "test_workflow_earthengine",
    "test_survey_samples",
    "test_objective_recipe",
    "test_learner_recipes",
    "test_belgium_story",
    "test_earthengine_storm",
)
"""Files that take a minute or more, the longest first."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))
