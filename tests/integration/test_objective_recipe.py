"""The recipes "An objective" and "A loss" of docs/extending.md: two modules, and the workflow."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from warm.warmjobs import WarmJobs
from workflow import ROOT, command

import phenology
from sitsformer.modelstore import describe, read_history

pytestmark = pytest.mark.long

CONFIG = {
    "sets": {"crops": {"store": "crops.zarr"}},
    "model": {"embedding": "linear", "hidden": 16, "layers": 1, "heads": 2},
    "pretrain": {
        "set": "crops",
        "objectives": ["ssl", "gentle", "ssl_l1"],
        "epochs": 2,
        "batch_size": 64,
        "weights": {"gentle": {"landcover": 0.2}},
    },
    "fewshot": {
        "set": "crops",
        "shots": [2],
        "seeds": 2,
        "seeds_per_job": 2,
        "inits": ["none", "ssl", "gentle", "ssl_l1"],
        "steps": 10,
        "batch_size": 16,
        "baselines": ["nearest_centroid"],
    },
    "evaluation": {"bootstrap": 50},
}


def recipe() -> dict[str, str]:
    """File name -> text of the modules that the page shows."""
    page = (ROOT / "docs" / "extending.md").read_text()
    head = r"^`training/objectives/(\w+\.py)`:[^\n]*\n\n"
    found = re.findall(head + r"```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return dict(found)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and the workflow, into which the recipes are carried out."""
    copied = tmp_path_factory.mktemp("checkout")
    for name in ("src", "workflow", "envs"):
        shutil.copytree(ROOT / name, copied / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", copied)
    modules = recipe()
    assert list(modules) == ["gentle.py", "absolute.py"]
    for name, text in modules.items():
        (copied / "src" / "sitsformer" / "training" / "objectives" / name).write_text(text)
    return copied


@pytest.fixture(scope="module")
def finished(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the workflow of that copy has run."""
    folder = tmp_path_factory.mktemp("run")
    phenology.write(folder / "crops.zarr", phenology.make(400, side=3, blocks=24))
    asked = command(folder, CONFIG)
    asked[asked.index("--snakefile") + 1] = str(checkout / "Snakefile")
    with WarmJobs(checkout / "src") as warm:
        result = subprocess.run(
            asked, capture_output=True, text=True, check=False, cwd=checkout,
            env=os.environ | warm.environment,
        )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / "results"


def test_without_the_modules_nobody_knows_them(tmp_path: Path) -> None:
    result = subprocess.run(
        command(tmp_path, CONFIG, "--dry-run"),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert result.returncode == 1
    said = result.stdout + result.stderr
    assert "pretrain.objectives.1: unknown objective 'gentle'; known are ['dual', " in said
    assert "fewshot.inits.3: unknown init 'ssl_l1'; known are" in said
    assert "did you mean 'ssl'?" in said
    assert "Traceback" not in said


def test_its_losses_are_trained_with_their_weights(finished: Path) -> None:
    models = finished / "models"
    rows = {name: read_history(models / f"{name}-p0")[-1] for name in ("ssl", "gentle", "ssl_l1")}
    columns = {name: {key for key in row if key.startswith("train_")} for name, row in rows.items()}
    assert columns == {
        "ssl": {"train_cross_view", "train_contrast"},
        "gentle": {"train_reconstruct", "train_landcover"},
        "ssl_l1": {"train_l1"},
    }
    row = rows["gentle"]
    expected = row["validation_reconstruct"] + 0.2 * row["validation_landcover"]
    assert row["validation_loss"] == pytest.approx(expected)
    # Absolute and squared errors of the same hidden values of normalised reflectance.
    squared = rows["gentle"]["validation_reconstruct"]
    assert 0.1 < rows["ssl_l1"]["validation_l1"] < squared**0.5 * 1.2
    assert describe(models / "gentle-p0")["classes"] == list(phenology.NAMES)
    assert describe(models / "ssl_l1-p0")["classes"] == []
    assert "# SITS-Former, ssl_l1" in (models / "ssl_l1-p0" / "README.md").read_text()


def test_tables_and_claims_have_it(finished: Path) -> None:
    tables = finished / "tables"
    differences = pd.read_csv(tables / "differences.csv")
    assert list(dict.fromkeys(differences.comparison)) == [
        *("ssl - none", "gentle - none", "ssl_l1 - none", "ssl_l1 - ssl"),
        *(f"{start} - best baseline" for start in ("ssl", "gentle", "ssl_l1", "none")),
    ]
    scores = pd.read_csv(tables / "fewshot.csv", keep_default_na=False)
    assert set(scores.learner) >= {"gentle-p0-full", "ssl_l1-p0-full"}
    claims = pd.read_csv(tables / "claims.csv")
    assert list(claims.comparison) == [
        *("ssl - none", "gentle - none", "ssl - best baseline", "gentle - best baseline")
    ]
    assert claims.claim[1] == "With few labels, gentle pretraining beats random weights"
    assert (claims.shots == "few").all()


def test_figures_and_report_have_it(finished: Path) -> None:
    figures = finished / "figures"
    for colour in ("#882255", "#332288"):
        for name in ("label_efficiency", "differences", "histories", "per_class"):
            assert colour in (figures / f"{name}.svg").read_text(), (colour, name)
    page = (finished / "report.html").read_text()
    for text in ("gentle (light land cover)", "ssl (absolute errors)"):
        assert text in page
    assert "gentle pretraining beats random weights" in page
