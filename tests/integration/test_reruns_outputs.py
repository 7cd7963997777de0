"""What runs again after a deleted output, over the demo's DAG: every output; and what need not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest
from dryruns import DryRuns
from reruns import (
    CROPS,
    EVERYTHING,
    LANDCOVER,
    MAPPED,
    MAPS,
    TABLES,
    Jobs,
    changed,
    demo,
    pretrained,
)

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def finished(dry: DryRuns, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    dry.pretend(folder, demo())
    return folder


def after(rule: str, path: str) -> Jobs:
    """What is made again when an output of a rule is missing."""
    crops = "/crops" in path or "county" in path
    one = {"patches": 1, **(CROPS if crops else LANDCOVER)}
    return {
        "cube": {"cube": 1, **one},
        "patches": one,
        "merge": CROPS if crops else LANDCOVER,
        "pretrain": pretrained(1) if "dual" in path else {"pretrain": 1, "fewshot": 2, **TABLES},
        "fewshot": {"fewshot": 1, **TABLES},
        "baseline": {"baseline": 1, **TABLES},
        "crop_model": {**MAPS, "report": 1},
        "map": {**MAPPED, "report": 1},
        "mosaic": {"mosaic": 1, "report": 1},
        "evaluate": TABLES,
        "report": {"report": 1},
    }[rule]


def rounds(outputs: dict[str, str]) -> Iterator[list[str]]:
    """Outputs that may be deleted at once, as none of them is made of another or beside it."""
    of = {rule: [path for path in outputs if outputs[path] == rule] for rule in EVERYTHING}
    stores = [path for rule in ("cube", "patches", "merge") for path in of[rule]]
    crops = [path for path in stores if "/crops" in path or "county" in path]
    together = (
        (of["evaluate"], [*of["crop_model"], *of["map"], *of["mosaic"]]),
        (of["fewshot"], of["baseline"]),
        (crops, [path for path in stores if path not in crops]),
        (of["pretrain"],),
        (of["report"],),
    )
    for several in together:
        for paths in zip_longest(*several):
            yield [path for path in paths if path is not None]


def all_of(several: list[Jobs]) -> Jobs:
    """Jobs of what was deleted at once: stores are each one's own, what is made of them is not."""
    own = ("cube", "patches", "merge")
    return {
        rule: (sum if rule in own else max)(jobs.get(rule, 0) for jobs in several)
        for rule in {rule for jobs in several for rule in jobs}
    }


def test_whatever_is_deleted_is_made_again_with_what_depends_on_it(
    dry: DryRuns, finished: Path
) -> None:
    outputs = dry.outputs(finished, demo())
    assert set(outputs.values()) == {*EVERYTHING}
    deleted = list(rounds(outputs))
    assert sorted(path for paths in deleted for path in paths) == sorted(outputs)
    aside = finished / "aside"
    aside.mkdir()
    for paths in deleted:
        for number, path in enumerate(paths):
            (finished / path).rename(aside / str(number))
        expected = all_of([after(outputs[path], path) for path in paths])
        assert dry.jobs(finished, demo()) == expected, paths
        for number, path in enumerate(paths):
            (aside / str(number)).rename(finished / path)
    assert dry.jobs(finished, demo()) == {}


def test_what_need_not_be_kept_may_go(dry: DryRuns, tmp_path: Path) -> None:
    """With `keep` a deleted cube or tile store is missed by nobody until somebody reads it."""
    values = changed(demo(), {"keep": "cubes"})
    dry.pretend(tmp_path, values)
    shutil.rmtree(tmp_path / "results" / "patches" / "crops")
    assert dry.jobs(tmp_path, values) == {}
    values["keep"] = "none"
    assert dry.jobs(tmp_path, values) == {"report": 1}  # a page without figures of cubes
    status, said = dry.run(tmp_path, tmp_path / "config.yaml", "--touch")
    assert status == 0, said
    shutil.rmtree(tmp_path / "results" / "cubes")
    assert dry.jobs(tmp_path, values) == {}
    assert dry.jobs(tmp_path, changed(values, {"evaluation.bootstrap": 500})) == TABLES
    found = dry.jobs(tmp_path, changed(values, {"sets.crops.per_tile": 500}))
    assert found == {"cube": 3, "patches": 3, **CROPS}


def test_one_more_pretraining_run_fits_no_baseline_again(dry: DryRuns, tmp_path: Path) -> None:
    """Its controls are made of the fits that are there; these may be deleted."""
    controls = {"fewshot.controls": ["random_forest"], "fewshot.refine": ["land_cover"]}
    values = changed(demo(), controls)
    dry.pretend(tmp_path, values)
    more = changed(values, {"pretrain.seeds": [0, 1]})
    jobs = {"pretrain": 3, "fewshot": 6, "baseline": 2, **TABLES}
    assert dry.jobs(tmp_path, more) == jobs
    shutil.rmtree(tmp_path / "results" / "fits")
    assert dry.jobs(tmp_path, values) == {}
    # All that is made of the new fits: the baseline's own cells, and those of both runs.
    assert dry.jobs(tmp_path, more) == jobs | {"fit": 2, "baseline": 6}
