"""The config: one clear message a mistake, and docs that are never stale."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sitsformer.config import Config, ConfigError, FewShot, expand, load, parse
from sitsformer.config import docs as configdocs
from sitsformer.layout import Layout, problems

ROOT = Path(__file__).parents[2]
DEMO: dict[str, Any] = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


def changed(path: str, value: Any) -> dict[str, Any]:
    """The demo's values with one key changed."""
    values = deepcopy(DEMO)
    *parents, last = path.split(".")
    section = values
    for key in parents:
        section = section.setdefault(key, {})
    section[last] = value
    return values


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("pretrain.epoch", 3, "pretrain.epoch: unknown key"),
        ("areas.county_2021.bounds", [-94.8, 43.1, -94.9, 43.2], "areas.county_2021: west (-94.8)"),
        ("areas.county_2021.bounds", [-94.9, 43.2, -94.8, 43.1], "south (43.2) is not less than"),
        ("areas.county_2021.bounds", [43.1, -94.9, 43.2, -94.8], "are not degrees in the order"),
        ("areas.county_2021.end", "2020-12-31", "areas.county_2021: the season ends (2020-12-31)"),
        ("areas.county_2021.end", "2031-12-31", "at most two years"),
        ("areas.county_2021.labels", ["croptype"], "unknown label 'croptype'"),
        ("areas.county_2021.tiles.size", 125, "areas.county_2021.tiles.size: "),
        ("areas.8mile", DEMO["areas"]["county_2021"], "'8mile' is not a name"),
        ("patches.size", 4, "patches.size: Input should be 1, 3, 5, 7 or 9"),
        ("sets.crops.label", "landcover", "sets.crops.label: unknown label 'landcover'"),
        ("sets.crops.areas", ["nowhere"], "sets.crops.areas: unknown name 'nowhere'"),
        ("sets.crops.split.fractions", [0.5, 0.2, 0.2], "must sum to 1"),
        ("sets.crops.split.block", 333, "must be a multiple of 10"),
        ("pretrain.set", "nothing", "pretrain.set: unknown name 'nothing'"),
        ("fewshot.inits", ["none", "mae"], "fewshot.inits.1: "),
        ("pretrain.objectives", ["ssl"], "fewshot.inits: 'sl' is not pretrained"),
        ("maps.shots", 7, "maps.shots: 7 is not among fewshot.shots"),
        ("model.heads", 7, "hidden 64 must be a multiple of heads 7"),
        ("fewshot.shots", [0], "fewshot.shots.0"),
    ],
)
def test_a_mistake_is_one_message_with_the_path_of_its_key(path, value, message) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(changed(path, value))
    assert message in str(caught.value)


def test_all_mistakes_are_listed_at_once() -> None:
    values = changed("patches.size", 4)
    values["pretrain"]["epoch"] = 1
    with pytest.raises(ConfigError, match=r"(?s)patches\.size.*pretrain\.epoch"):
        parse(values)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "sets.crops.classes",
            {"rye": [999], "corn": [1]},
            "sets.crops.classes: class 'rye': unknown label 999",
        ),
        (
            "sets.crops.classes",
            {"corn": [], "soy": [5]},
            "sets.crops.classes: class 'corn' has no codes",
        ),
        ("sets.crops.classes", {"a": [1], "b": [1]}, "label 1 stands in two classes"),
        ("areas.county_2021.bounds", [3.0, 43.0, 14.0, 44.0], "areas.county_2021: longitudes"),
        ("areas.county_2021.bounds", [3.0, 83.0, 4.0, 85.0], "beyond UTM"),
        ("areas.county_2021.tiles.count", 4000, "areas.county_2021.tiles.count: 4000 tiles asked"),
        ("maps.tiles", {"county_2021": ["1_2_3"]}, "maps.tiles.county_2021: no tile '1_2_3'"),
    ],
)
def test_what_legends_and_grids_say_against_a_config(path, value, message) -> None:
    assert any(message in found for found in problems(parse(changed(path, value))))


def test_an_area_without_tiles_and_files_that_are_missing(tmp_path: Path) -> None:
    empty = tmp_path / "empty.geojson"
    empty.write_text('{"type": "FeatureCollection", "features": []}')
    for name, message in ((empty, "holds no polygons"), (tmp_path / "no.gpkg", "is not there")):
        values = changed("areas.county_2021.geometry", str(name))
        del values["areas"]["county_2021"]["bounds"]
        assert any(message in found for found in problems(parse(values)))


def test_unset_variables_of_paths_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_FOLDER", raising=False)
    with pytest.raises(ConfigError, match="NO_SUCH_FOLDER is not set"):
        expand("$NO_SUCH_FOLDER/x")
    monkeypatch.setenv("NO_SUCH_FOLDER", "/data")
    assert expand("${NO_SUCH_FOLDER}/x") == Path("/data/x")


@pytest.mark.parametrize("text", ["areas: [", "- 1\n- 2\n", ""])
def test_a_file_that_is_no_config(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=str(path)):
        load(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "missing.yaml")


@pytest.mark.parametrize("path", sorted((ROOT / "config").rglob("*.yaml")), ids=lambda p: p.stem)
def test_shipped_configs_parse(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load(path)
    assert config.pretrain.set in config.sets
    assert parse(config.model_dump(mode="json")) == config  # as the workflow stores it


def test_schema_and_table_of_keys_are_fresh() -> None:
    assert (ROOT / "config" / "schema.json").read_text() == configdocs.schema(), "run `make docs`"
    assert (ROOT / "config" / "README.md").read_text() == configdocs.table(), "run `make docs`"


def test_every_key_has_a_meaning() -> None:
    rows = [line for line in configdocs.table().splitlines() if line.startswith("| `")]
    silent = [row.split("|")[1].strip() for row in rows if not row.split("|")[-2].strip()]
    assert not silent


def _keys(schema: dict[str, Any]) -> Iterator[str]:
    yield from schema.get("properties", {})
    for definition in schema.get("$defs", {}).values():
        yield from _keys(definition)


def test_the_schema_knows_every_key() -> None:
    assert {"bounds", "per_tile", "mask_rate", "miscoverage"} <= set(
        _keys(json.loads(configdocs.schema()))
    )


@given(
    seeds=st.integers(1, 12),
    per_job=st.integers(1, 6),
    shots=st.lists(st.integers(1, 500), min_size=1, max_size=4, unique=True),
    runs=st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
)
def test_adding_a_seed_adds_cells_and_keeps_full_jobs(seeds, per_job, shots, runs) -> None:
    def cells(count: int) -> set[str]:
        values = changed("fewshot.seeds", count)
        values["fewshot"].update(shots=shots, seeds_per_job=per_job)
        values["pretrain"]["seeds"] = runs
        values["maps"] = {}
        return set(Layout(Config.model_validate(values)).cells())

    before, after = cells(seeds), cells(seeds + 1)
    learners = len(shots) * (1 + 3 * len(runs) + len(DEMO["fewshot"]["baselines"]))
    assert len(before) == learners * -(-seeds // per_job)
    lost = before - after
    assert len(after - before) == learners
    assert not lost or (seeds % per_job and len(lost) == learners)


@pytest.mark.parametrize(("drawn", "steps"), [(6, 300), (1_920, 300), (1_921, 301), (4_800, 750)])
def test_large_draws_are_passed_through_as_often_as_asked(drawn: int, steps: int) -> None:
    assert FewShot(set="crops", steps=300, passes=10, batch_size=64).steps_for(drawn) == steps
