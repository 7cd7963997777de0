"""What runs again after a change of a file that the config names, over the demo's DAG."""

from __future__ import annotations

import os
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import geopandas
import pytest
from dryruns import DryRuns
from reruns import (
    CROPS,
    MAPPED,
    TABLES,
    changed,
    demo,
)
from shapely import box

import phenology
from made_run import make_model

pytestmark = pytest.mark.long


OWN = 'BASELINES = {"mine": None}\n'


@pytest.fixture(scope="module")
def fields(dry: DryRuns, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder in which the demo was made out of files of the user, wherever it can be."""
    folder = tmp_path_factory.mktemp("fields")
    (folder / "images").mkdir()
    for name in ("images/S2_20210801.tif", "images/S2_20210811.tif", "labels.tif", "peer.parquet"):
        (folder / name).write_text("pixels")
    (folder / "legend.csv").write_text("code,name,colour\n1,maize,#ffcc00\n2,wheat,#aa8800\n")
    (folder / "mine.py").write_text(OWN)
    west, south, east, north = demo()["areas"]["county_2021"]["bounds"]
    frame = geopandas.GeoDataFrame(geometry=[box(west, south, east, north)], crs=4326)
    frame.to_file(folder / "outline.geojson")
    parts = [box(west + k * 0.02, south, west + (k + 1) * 0.02, north) for k in range(3)]
    words = ["train", "validation", "test"]
    frame = geopandas.GeoDataFrame({"split": words}, geometry=parts, crs=4326)
    frame.to_file(folder / "split.geojson")
    values = changed(
        demo(),
        {
            "sets.crops.label": "crops",
            "sets.crops.split": {"by": "polygons", "polygons": "split.geojson"},
            "fewshot.baselines": ["mine", "peer"],
            "fewshot.options": {"mine": {"file": "mine.py"}, "peer": {"features": "peer.parquet"}},
            "maps.mask": "none",
        },
    )
    county = values["areas"]["county_2021"]
    del county["bounds"]
    county |= {
        "geometry": "outline.geojson",
        "source": "rasters",
        "labels": ["crops"],
        "tiles": {"size": 126},
        "rasters": {
            "path": "images",
            "clouds": {"by": "none"},
            "labels": {"crops": {"path": "labels.tif", "legend": "legend.csv"}},
        },
    }
    dry.pretend(folder, values)
    return folder, values


FILES = {
    "images/S2_20210801.tif": ("cube", "other pixels"),
    "labels.tif": ("cube", "other pixels"),
    "legend.csv": ("cube", "code,name,colour\n1,maize,#ffcc00\n2,barley,#aa8800\n"),
    "split.geojson": ("patches", None),
    "mine.py": ("baseline", OWN + "# other\n"),
    "peer.parquet": ("baseline", "other features"),
}
"""File of the user -> the first stage that it decides, and other content."""


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_of_the_user_runs_again_what_is_made_of_it(
    dry: DryRuns, fields: tuple[Path, dict[str, Any]], name: str
) -> None:
    folder, values = fields
    path = folder / name
    before, times = path.read_bytes(), path.stat()
    first, content = FILES[name]
    tiles = len(list((folder / "results" / "cubes" / "county_2021").iterdir()))
    expected = {
        "cube": {"cube": tiles, "patches": tiles, **CROPS},
        "patches": {"patches": tiles, **CROPS},
        "baseline": {"baseline": 2, **TABLES},
    }[first]
    try:
        path.write_bytes(before)  # touched: newer, and the same
        assert dry.jobs(folder, values) == {}
        other = before.replace(b"-94.9", b"-94.8") if content is None else content.encode()
        path.write_bytes(other)
        assert dry.jobs(folder, values) == expected
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert dry.jobs(folder, values) == {}


def test_another_acquisition_makes_the_cubes_again(
    dry: DryRuns, fields: tuple[Path, dict[str, Any]]
) -> None:
    folder, values = fields
    tiles = len(list((folder / "results" / "cubes" / "county_2021").iterdir()))
    times = (folder / "images").stat()
    new = folder / "images" / "S2_20210821.tif"
    new.write_text("pixels")
    assert dry.jobs(folder, values) == {"cube": tiles, "patches": tiles, **CROPS}
    new.unlink()
    os.utime(folder / "images", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert dry.jobs(folder, values) == {}


def test_an_outline_that_moves_no_tile_makes_no_cube_again(
    dry: DryRuns, fields: tuple[Path, dict[str, Any]]
) -> None:
    """The source of this area looks at its tiles alone; that of the demo has one sky an area."""
    folder, values = fields
    path = folder / "outline.geojson"
    before, times = path.read_bytes(), path.stat()
    path.write_bytes(before.replace(b"43.145", b"43.14501"))
    assert path.read_bytes() != before
    assert dry.jobs(folder, values) == {}
    path.write_bytes(before)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    bounds = demo()["areas"]["county_2021"]["bounds"]
    other = deepcopy(values)
    del other["areas"]["county_2021"]["geometry"]
    other["areas"]["county_2021"]["bounds"] = bounds
    assert dry.jobs(folder, other) == {}


def test_keys_of_clouds_concern_who_looks_at_them(
    dry: DryRuns, fields: tuple[Path, dict[str, Any]]
) -> None:
    folder, values = fields
    clouds = "areas.county_2021.rasters.clouds"
    assert dry.jobs(folder, changed(values, {f"{clouds}.blue_max": 0.5})) == {}
    found = dry.jobs(folder, changed(values, {f"{clouds}.by": "simple"}))
    assert isinstance(found, dict) and found["cube"] > 0


@pytest.fixture(scope="module")
def given(dry: DryRuns, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder in which the demo was made of a store and of models that others made."""
    folder = tmp_path_factory.mktemp("given")
    phenology.write(folder / "fields.zarr", phenology.make(60, side=3))
    make_model(folder / "dual", "dual", ("water", "trees"))
    make_model(folder / "crop", "classification", phenology.NAMES)
    changes = {
        "sets.crops": {"store": "fields.zarr"},
        "patches.size": 3,
        "model.hidden": 16,
        "pretrain.models": {"dual": "dual"},
        "maps.model": "crop",
    }
    values = changed(demo(), changes)
    for key in ("learner", "init", "adaptation", "shots", "pretrain_seed"):
        values["maps"].pop(key, None)
    dry.pretend(folder, values)
    return folder, values


OF_OTHERS = {
    "fields.zarr": {"fewshot": 8, "baseline": 4, "mosaic": 1, **TABLES},
    "dual": {"fewshot": 2, **TABLES},
    "crop": {**MAPPED, "report": 1},
}
"""Store or model of the user -> the jobs that read it, and what is made of theirs."""


@pytest.mark.parametrize("name", OF_OTHERS)
@pytest.mark.parametrize("way", ["anew", "within"])
def test_a_changed_store_or_model_of_the_user_runs_again_what_reads_it(
    dry: DryRuns, given: tuple[Path, dict[str, Any]], name: str, way: str
) -> None:
    """Put in the place of the old one, or copied over it file by file."""
    folder, values = given
    path, aside, record = folder / name, folder / "aside", folder / name / "provenance.json"
    kept, times = record.read_bytes(), record.stat()
    if way == "anew":
        path.rename(aside)
        shutil.copytree(aside, path)
        os.utime(path)
    else:
        record.write_bytes(kept + b" ")
    assert dry.jobs(folder, values) == OF_OTHERS[name]
    if way == "anew":
        shutil.rmtree(path)
        aside.rename(path)
    else:
        record.write_bytes(kept)
        os.utime(record, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert dry.jobs(folder, values) == {}
