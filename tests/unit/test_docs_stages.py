"""A page a stage, whose files and keys are those of its rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sitsformer import decisive
from sitsformer.config import Config, load
from sitsformer.fewshot import NETWORK
from sitsformer.paths import Paths
from sitsformer.versions import STAGES

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "stages"
RULES = {"embeddings": "embedded_tile"}
"""Stage -> its rule, where it has another name."""

SECTIONS = {
    "area": "areas",
    "outlines": "areas",
    "set": "sets",
    "split": "sets",
    "label": "sets",
    "options": "fewshot",
    "learner": "maps",
    "shots": "maps",
    "among": "maps",
}
"""Names in the settings of a stage -> the section of the config that they are of, where it has
another name; `settings` and `claims` hold what several sections say."""


def row(stage: str, name: str) -> list[str]:
    """What stands as code in a row of the table of a page."""
    text = (PAGES / f"{stage}.md").read_text()
    (found,) = re.findall(rf"^\| {name} \| (.*) \|$", text, re.MULTILINE)
    return re.findall("`([^`]+)`", found)


def rule(stage: str) -> str:
    """The rules of a stage as their file has them, with paths as pages write them."""
    files = [path.read_text() for path in sorted((ROOT / "workflow" / "rules").glob("*.smk"))]
    parts = [part for text in files for part in re.split(r"^ *rule (?=\w+:)", text, flags=re.M)]
    name = RULES.get(stage, stage)
    found = next(part for part in parts if part.startswith(f"{name}:"))
    return found.replace("{RESULTS}", "results").replace("{{", "{").replace("}}", "}")


def test_each_stage_has_a_page_and_stands_in_the_index() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == set(STAGES)
    index = (ROOT / "docs" / "stages.md").read_text()
    assert re.findall(r"\(stages/(\w+)\.md\)", index) == list(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_a_page_names_the_files_of_its_rule(stage: str) -> None:
    text, (log,) = rule(stage), row(stage, "log")
    assert re.search(rf'\blog:\n +f"{re.escape(log.replace("{seed}", "{run}"))}', text)
    written = row(stage, "writes")[0]
    made_of_paths = {"map": "map", "mosaic": "area_map"}
    if stage in made_of_paths:
        paths = Paths(load(ROOT / "config" / "config.yaml"))
        found = getattr(paths, made_of_paths[stage])
        names = ("{area}", "{tile}") if stage == "map" else ("{area}",)
        assert written == found(*names, "classes")
    elif stage == "evaluate":
        helpers = (ROOT / "workflow" / "rules" / "helpers.smk").read_text()
        assert f"{written}{{name}}" in helpers.replace("{RESULTS}", "results")
    else:
        assert written.replace("{seed}", "{run}").rstrip("/") in text


def settings(config: Config) -> dict[str, list[decisive.Settings]]:
    """What decides the outputs of each stage of a config."""
    sweep = list(Paths(config).learners())
    network = [one for one in sweep if one.method == NETWORK]
    sets = list(config.sets)
    found = {
        "cube": [decisive.cube(config, area) for area in config.areas],
        "embeddings": [
            decisive.embeddings(config, layer, area)
            for layer in config.embeddings
            for area in config.areas
        ],
        "patches": [decisive.patches(config, name) for name in sets],
        "merge": [decisive.merge(config, name) for name in sets],
        "pretrain": [decisive.pretrain(config, name) for name in config.pretrain.objectives],
        "fewshot": [decisive.finetune(config, one) for one in network],
        "baseline": [decisive.baseline(config, one) for one in sweep if one not in network],
        "evaluate": [decisive.evaluate(config)],
        "crop_model": [decisive.crop_model(config)],
        "map": [decisive.mapping(config)],
        "mosaic": [decisive.mosaic(config)],
        "report": [decisive.report(config)],
    }
    assert set(found) == set(STAGES)
    return found


@pytest.mark.parametrize("name", ["config.yaml", "examples/iowa.yaml", "examples/labels.yaml"])
def test_a_page_names_every_section_that_runs_its_stage_again(name: str) -> None:
    for stage, of_jobs in settings(load(ROOT / "config" / name)).items():
        keys = set(row(stage, "keys"))
        for values in of_jobs:
            decides = {SECTIONS.get(key, key) for key in values} - {"settings", "claims"}
            assert decides <= keys, f"{name}: docs/stages/{stage}.md"


@pytest.mark.parametrize("stage", STAGES)
def test_the_keys_of_a_page_are_keys_of_the_config(stage: str) -> None:
    named = row(stage, "keys")
    sections = [key for key in named if key in Config.model_fields]
    known = (ROOT / "config" / "README.md").read_text()
    for key in set(named) - set(sections):
        assert any(f"| `{section}.{key}`" in known for section in sections), key
