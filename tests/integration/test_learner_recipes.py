"""The recipes "An adaptation" and "A baseline" of docs/extending.md, carried out as they stand."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import workflow
from warm.warmjobs import WarmJobs

import training_data
from sitsformer import fewshot

pytestmark = pytest.mark.long

PACKAGE = workflow.ROOT / "src" / "sitsformer"
ROOMS = {
    "last_layer": "fewshot/adaptations",
    "prototypes": "fewshot/adaptations",
    "extra_trees": "baselines",
}
CONFIG: dict[str, Any] = {
    "sets": {"made": {"store": "made.zarr"}},
    "patches": {"size": 1, "max_length": 12},
    "model": {"embedding": "linear", "hidden": 16, "layers": 2, "heads": 2},
    "pretrain": {"set": "made", "objectives": ["ssl"], "epochs": 1, "batch_size": 32},
    "fewshot": {
        "set": "made",
        "shots": [5],
        "seeds": 2,
        "inits": ["ssl"],
        "adaptations": ["last_layer", "prototypes"],
        "steps": 5,
        "batch_size": 16,
        "baselines": ["extra_trees"],
        "options": {"extra_trees": {"trees": 7}},
    },
    "evaluation": {"bootstrap": 50},
    "maps": {"init": "ssl", "adaptation": "prototypes", "shots": 5},
}


def recipes() -> dict[str, str]:
    """Module -> text, of the page."""
    page = (workflow.ROOT / "docs" / "extending.md").read_text()
    found = re.findall(r"`(\w+)\.py`:\n\n```python\n(.*?)```", page, re.DOTALL)
    return {name: text for name, text in found if name in ROOMS}


def test_the_page_has_every_recipe() -> None:
    assert set(recipes()) == set(ROOMS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the sweep has run, with a copy of the package that has the new files."""
    folder = tmp_path_factory.mktemp("recipes")
    copied = folder / "src" / "sitsformer"
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in recipes().items():
        (copied / ROOMS[name] / f"{name}.py").write_text(text)
    training_data.store(folder / "made.zarr")
    with WarmJobs(folder / "src") as warm:
        result = workflow.run(
            folder, CONFIG, "--", "all", "results/models/crop", env=warm.environment
        )
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_the_learners_are_in_the_tables(finished: Path) -> None:
    table = pd.read_csv(finished / "results" / "tables" / "fewshot.csv")
    assert set(table.learner) == {"ssl-p0-last_layer", "ssl-p0-prototypes", "extra_trees"}
    assert set(table.adaptation) == {"last_layer", "prototypes", "-"}
    differences = pd.read_csv(finished / "results" / "tables" / "differences.csv")
    assert set(differences.adaptation) == {"last_layer", "prototypes"}
    choices = pd.read_csv(finished / "results" / "tables" / "choices.csv").set_index("arm").choice
    assert json.loads(choices["ssl-prototypes"].iloc[0])["sharpness"] in (1, 4)
    # Seven trees vote with sevenths of one, or with shares of a leaf that is pure.
    cells = fewshot.read_cells(finished / "results/fewshot/extra_trees/5/0-1.parquet").cells
    votes = cells[0].probabilities * 7
    assert abs(votes - votes.round()).max() < 1e-4


def test_the_learners_are_in_figures_and_report(finished: Path) -> None:
    drawn = (finished / "results" / "figures" / "label_efficiency.svg").read_text()
    assert "#1b7837" in drawn
    assert re.search(r"stroke-dasharray: 4\.8,1\.6,1\.6,1\.6", drawn)
    page = (finished / "results" / "report.html").read_text()
    for text in ("extra trees", "ssl (no labels), last_layer", "prototypes", "sharpness"):
        assert text in page


def test_the_model_of_the_maps_is_what_the_adaptation_made(finished: Path) -> None:
    record = json.loads((finished / "results" / "models" / "crop" / "config.json").read_text())
    assert "prototypes" in json.dumps(record)


def test_only_what_is_trained_in_steps_depends_on_steps(finished: Path) -> None:
    """Cells of the prototypes and of the trees stay, the last layer is trained again."""
    more = {**CONFIG, "fewshot": {**CONFIG["fewshot"], "steps": 6}}
    options = ("--dry-run", "--", "all", "results/models/crop")
    result = workflow.run(finished, more, *options, env={"PYTHONPATH": str(finished / "src")})
    text = result.stdout + result.stderr
    assert result.returncode == 0, text
    assert set(re.findall(r"Fine-tuning (\S+),", text)) == {"ssl-p0-last_layer"}
    assert "Baseline" not in text
    assert "model of the maps" not in text
