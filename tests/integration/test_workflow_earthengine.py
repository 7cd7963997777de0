"""The examples for Earth Engine, every stage, with the real client against the local server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from workflow import ROOT, command

from earthengine.catalogue import Place
from earthengine.server import LocalEarthEngine
from sitsformer import artefacts, cube
from sitsformer.config import Config, parse
from sitsformer.paths import Paths

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("warmed")]

SMALLER: dict[str, Any] = {
    "results": "results",
    "patches": {"size": 3, "max_length": 16, "min_dates": 4},
    "model": {"embedding": "linear", "hidden": 16, "layers": 1, "heads": 2, "norm": "pre"},
}
"""Keys of the examples that only decide how long they take."""


def example(name: str) -> dict[str, Any]:
    """An example as it is shipped, but with fewer and smaller tiles and less training."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "config" / "examples" / name).read_text())
    values |= SMALLER
    for area in values["areas"].values():
        area["tiles"] = {"size": 126, "count": 2}
        area["start"], area["end"] = "2021-04-01", "2021-09-30"
        west, south = area["bounds"][:2]
        area["bounds"] = [west, south, west + 0.06, south + 0.05]
    for chosen in values["sets"].values():
        chosen["per_tile"] = 250
        chosen["purity"] = 1
        chosen["confidence"] = 0
        chosen["split"] = {"by": "block", "block": 120, "fractions": [0.5, 0.2, 0.3]}
    objective = values["pretrain"]["objectives"][-1]
    values["pretrain"] |= {"epochs": 1, "batch_size": 64, "objectives": [objective]}
    values["fewshot"] |= {
        "inits": ["none", objective],
        "shots": [3],
        "seeds": 2,
        "steps": 8,
        "batch_size": 16,
        "baselines": ["nearest_centroid"],
    }
    values["maps"]["shots"] = 3
    values["evaluation"] = {"bootstrap": 20}
    return values


@contextmanager
def served(config: Config) -> Iterator[LocalEarthEngine]:
    """A local Earth Engine with scenes for every area of a config."""
    places = []
    for area in config.areas.values():
        assert area.bounds is not None
        west, south, east, north = area.bounds
        places.append(Place(west, south, east + 0.02, north, area.start, area.end))
    with LocalEarthEngine(places) as server:
        yield server


def run_all(folder: Path, values: dict[str, Any], *options: str) -> None:
    """Run the workflow of a config."""
    result = subprocess.run(
        command(folder, values, *options),
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "HOME": str(folder), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


def everything_is_there(folder: Path, values: dict[str, Any], labels: set[str], sent: int) -> None:
    """What an example makes, from cubes to the map, by so many lists of images asked for."""
    paths = Paths(parse(values))
    cubes = [item for chosen in values["sets"] for item in paths.cubes(chosen)]
    assert sent == len(cubes) == 4
    for path in cubes:
        assert artefacts.check(folder / path) == []
        opened = cube.open_cube(folder / path)
        assert set(cube.label_layers(opened)) <= labels
        assert opened.attrs["source"] == "Google Earth Engine"
    assert (folder / "results" / "report.html").stat().st_size > 50_000
    table = pd.read_csv(folder / "results" / "tables" / "fewshot.csv")
    assert {"nearest_centroid", *values["fewshot"]["inits"]} <= set(table.method) | set(table.init)
    assert list((folder / "results" / "maps").rglob("*.tif"))


def test_the_example_of_beauce_runs_end_to_end(tmp_path: Path) -> None:
    """That of Iowa: test_workflow_embeddings.py."""
    values = example("beauce.yaml")
    with served(parse(values)) as server:
        values["earthengine"] = {"url": server.url, "project": "proj-test"}
        run_all(tmp_path, values)
        sent = len(server.sent(":compute"))
    everything_is_there(tmp_path, values, {"worldcover"}, sent)


def test_a_dry_run_needs_no_credentials(tmp_path: Path) -> None:
    values = yaml.safe_load((ROOT / "config" / "examples" / "full.yaml").read_text())
    result = subprocess.run(
        command(tmp_path, values, "--dry-run"),
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
