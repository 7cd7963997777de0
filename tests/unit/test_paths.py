"""Paths of the workflow: where things go, and which files of the user they are made from."""

import re
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sitsformer.checks.problems import problems
from sitsformer.config import Config, ConfigError, parse
from sitsformer.paths import Paths
from sitsformer.userfiles import watched
from sitsformer.versions import STAGES

ROOT = Path(__file__).parents[2]
DEMO = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
TINY = (ROOT / "tests" / "integration" / "tiny.yaml").read_text()


@pytest.mark.parametrize(
    ("results", "folder"),
    [("out/", "out"), ("./out", "out"), ("a//b", "a/b"), ("$PLACE/out", "/scratch/out"),
     ("~/out", "/home/me/out"), ("it's $(x)", "it's $(x)")],
)  # fmt: skip
def test_results_are_named_as_snakemake_names_them(
    monkeypatch: pytest.MonkeyPatch, results: str, folder: str
) -> None:
    monkeypatch.setenv("PLACE", "/scratch")
    monkeypatch.setenv("HOME", "/home/me")
    paths = Paths(parse({**yaml.safe_load(TINY), "results": results}))
    assert paths.results == folder
    assert paths.samples("crops") == f"{folder}/patches/crops.zarr"


def test_results_in_a_place_that_is_not_set_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(ConfigError, match="NOWHERE is not set"):
        Paths(parse({**yaml.safe_load(TINY), "results": "$NOWHERE/out"}))
    with pytest.raises(ConfigError, match=r"no home of a user 'no_one_here'; give the"):
        Paths(parse({**yaml.safe_load(TINY), "results": "~no_one_here/out"}))


def test_a_file_that_snakemake_cannot_take_is_named(tmp_path: Path) -> None:
    store = tmp_path / "my {set}.zarr"
    store.mkdir()
    values = yaml.safe_load(TINY)
    values["sets"]["landcover"] = {"store": str(store)}
    (found,) = problems(parse(values))
    assert found.startswith("sets.landcover.store") and "brace" in found


def test_a_shapefile_is_all_its_files_and_a_store_what_says_that_it_was_written(
    tmp_path: Path,
) -> None:
    shape = tmp_path / "fields.shp"
    for suffix in (".shp", ".dbf", ".shx", ".txt"):
        shape.with_suffix(suffix).touch()
    names = {path.name for path in watched(shape)}
    assert names == {"fields.shp", "fields.dbf", "fields.shx"}
    store = tmp_path / "cube.zarr"
    store.mkdir()
    assert watched(store) == [store]
    (store / "zarr.json").touch()
    assert watched(store) == [store, store / "zarr.json"]


def test_every_rule_knows_the_version_of_its_stage() -> None:
    rules = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    others = {
        "embedded_tile": "embeddings",
        "embedded_samples": "embeddings",
        "embedded_baseline": "baseline",
        "fit": "baseline",
    }
    stages = set()
    for text in re.split(r"^ *rule ", rules, flags=re.MULTILINE)[1:]:
        name = text.split(":")[0]
        stage = others.get(name, name)
        assert f'version=stage("{stage}")' in text, name
        stages.add(stage)
        assert "retries:" not in text, f"{name} would try a refusal again on one machine"
    assert stages == {*STAGES}


@settings(deadline=None)
@given(
    seeds=st.integers(1, 12),
    per_job=st.integers(1, 6),
    shots=st.lists(st.integers(1, 500), min_size=1, max_size=4, unique=True),
    runs=st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
)
def test_adding_a_seed_adds_cells_and_keeps_full_jobs(seeds, per_job, shots, runs) -> None:
    def cells(count: int) -> set[str]:
        values = deepcopy(DEMO)
        values["fewshot"].update(seeds=count, shots=shots, seeds_per_job=per_job)
        values["pretrain"]["seeds"] = runs
        values["maps"] = {}
        return set(Paths(Config.model_validate(values)).cells())

    before, after = cells(seeds), cells(seeds + 1)
    sweep = DEMO["fewshot"]
    others = len(sweep["baselines"]) + len(runs) * len(sweep["controls"])
    learners = len(shots) * (1 + 3 * len(runs) + others)
    assert len(before) == learners * -(-seeds // per_job)
    lost = before - after
    assert len(after - before) == learners
    assert not lost or (seeds % per_job and len(lost) == learners)
