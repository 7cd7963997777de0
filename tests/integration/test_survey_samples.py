"""200 points and 60 polygons from files to samples, tables and a report: each one accounted for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
from pyproj import Transformer
from workflow import run

from cubes import make_cube
from sample_world import sitsformer
from sitsformer.config import parse
from sitsformer.patches import make_tile_store
from sitsformer.patches.merge import merge
from sitsformer.samples import about, open_samples, read_manifest
from sitsformer.samples.trace import trace
from survey_world import AREA, RARE, area_tiles, points, polygons, survey_config

pytestmark = pytest.mark.usefixtures("warmed")

POINTS = {
    "kind": "points",
    "path": "points.gpkg",
    "column": "crop",
    "date": "year",
    "weight": "sure",
    "group": "farm",
}
FIELDS = {"kind": "polygons", "path": "fields.geojson", "column": "code"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of points and fields, and cubes of random pixels for their tiles."""
    folder = tmp_path_factory.mktemp("surveys")
    points().to_crs(3857).to_file(folder / "points.gpkg")
    polygons().to_crs(4326).to_file(folder / "fields.geojson")
    for number, tile in enumerate(area_tiles()):
        place = folder / "cubes" / "county" / f"{tile.name}.zarr"
        make_cube(place, tile, seed=number, dates=20, clear=0.9, missing=0.001)
    return folder


def made(
    world: Path, name: str, survey: dict[str, Any], chosen: dict[str, Any], size: int = 3
) -> tuple[Any, dict[str, Any], pd.DataFrame]:
    """Samples, manifest and table of features of a set."""
    survey = survey | {"path": str(world / survey["path"])}
    values = survey_config({"survey": survey}, {name: {"label": "survey"} | chosen})
    values["patches"] = {"size": size, "max_length": 8, "min_dates": 6}
    config = parse(values)
    stores = []
    for tile in area_tiles():
        stores.append(world / "patches" / name / "county" / f"{tile.name}.zarr")
        cube = world / "cubes" / "county" / f"{tile.name}.zarr"
        make_tile_store(config, name, "county", tile.name, cube, stores[-1])
    out = world / "patches" / f"{name}.zarr"
    merge(config, name, out, stores)
    table = pd.read_csv(out / "features.csv", keep_default_na=False)
    return open_samples(out), read_manifest(out), table


def add_up(manifest: dict[str, Any], table: pd.DataFrame, samples: Any) -> None:
    """Each feature has one outcome, and each sample one feature."""
    counted = manifest["features"]
    dropped = sum(sum(counts.values()) for counts in counted["dropped"].values())
    assert sum(counted["kept"].values()) + dropped == counted["features"] == len(table)
    assert table.feature.tolist() == list(range(1, len(table) + 1))
    of_feature = np.bincount(samples.feature.values, minlength=len(table) + 1)[1:]
    assert (table.samples == of_feature).all()
    assert ((table.outcome == "kept") == (table.samples > 0)).all()
    assert manifest["samples"] == samples.sizes["sample"] == table.samples.sum()


def apart(samples: Any, size: int) -> None:
    """No group and no pixel of a patch is in two splits."""
    split = samples.split.values
    for group in np.unique(samples.group.values):
        assert len(set(split[samples.group.values == group].tolist())) == 1
    x, y = samples.x.values, samples.y.values
    near = np.maximum(abs(x[:, None] - x), abs(y[:, None] - y)) < size * 10
    assert (split[:, None] == split)[near].all()


@pytest.mark.parametrize("size", [1, 3])
def test_points_split_by_group_lose_nothing_to_the_split(world: Path, size: int) -> None:
    samples, manifest, table = made(world, f"group{size}", POINTS, {"split": {"by": "group"}}, size)
    add_up(manifest, table, samples)
    apart(samples, size)
    lost = {k: sum(v.values()) for k, v in manifest["features"]["dropped"].items()}
    fixed = {"no_class": 1, "no_shape": 2, "no_weight": 2, "season": 2, "conflict": 2}
    assert {k: lost[k] for k in fixed} == fixed
    assert lost["outside"] == 3 and lost["duplicate"] == 1 and "split" not in lost
    assert set(manifest["features"]["dropped"]["rare"]) <= set(RARE)
    assert ("edge" in lost) == (size > 1)
    said = " ".join(manifest["warnings"])
    assert all(f"class {name!r} has" in said for name in RARE)
    assert about(samples).classes.names == ("Alfalfa", "Maize", "Soya", "Winter wheat")


def test_exactly_the_given_pixels_become_samples(world: Path) -> None:
    samples, _, table = made(world, "exact", POINTS, {"split": {"by": "group"}}, 1)
    given = points()
    names = about(samples).classes.names
    for k in range(samples.sizes["sample"]):
        feature = int(samples.feature[k])
        point, x, y = given.geometry[feature - 1], float(samples.x[k]), float(samples.y[k])
        # Through another CRS and back: a micrometre.
        assert abs(point.x - x) <= 5 + 1e-6 and abs(point.y - y) <= 5 + 1e-6
        assert names[int(samples.label[k])] == given.crop[feature - 1]
        lon, lat = Transformer.from_crs(given.crs, 4326, always_xy=True).transform(point.x, point.y)
        assert float(table.lon[feature - 1]) == pytest.approx(lon, abs=1e-6)
        assert float(table.lat[feature - 1]) == pytest.approx(lat, abs=1e-6)


def test_a_split_by_small_blocks_says_what_would_help(world: Path) -> None:
    chosen = {"split": {"by": "block", "block": 100.0}}
    samples, manifest, table = made(world, "blocks", POINTS, chosen)
    add_up(manifest, table, samples)
    apart(samples, 3)
    assert sum(manifest["features"]["dropped"]["split"].values()) > 20
    (line,) = [line for line in manifest["warnings"] if line.startswith("split cost")]
    assert "`patches.size: 1`" in line and "above 100" in line and "split.by: group" in line


@pytest.mark.parametrize("by", ["group", "block"])
def test_fields_are_sampled_with_a_cap_and_never_parted(world: Path, by: str) -> None:
    chosen = {"split": {"by": by, "block": 300.0}}
    samples, manifest, table = made(world, f"fields_{by}", FIELDS, chosen)
    add_up(manifest, table, samples)
    apart(samples, 3)
    assert table.samples.max() <= 20
    two = samples.tile.values[samples.feature.values == 58]
    assert len(np.unique(two)) == 2  # a field in two tiles
    assert table.outcome[59] == "no_pixel"
    assert table.conflict[10] > 0 and table.conflict[58] > 0
    fields = polygons()
    for k in range(samples.sizes["sample"]):
        field = fields.geometry[int(samples.feature[k]) - 1]
        centre = geopandas.points_from_xy([samples.x.values[k]], [samples.y.values[k]])[0]
        assert field.contains(centre) and field.exterior.distance(centre) > 9.9


def test_polygons_and_lists_of_areas_drop_what_a_group_has_elsewhere(world: Path) -> None:
    """A split that the user draws may part a field: the smaller part goes, and is counted."""
    tiles = area_tiles()
    west, south, _, north = (
        f(tile.bounds[i] for tile in tiles) for i, f in enumerate((min, min, max, max))
    )
    middle, east = west + 605, max(tile.bounds[2] for tile in tiles)
    from shapely.geometry import box

    halves = geopandas.GeoDataFrame(
        {"split": ["train", "test"]},
        geometry=[box(west, south, middle, north), box(middle, south, east, north)],
        crs=tiles[0].epsg,
    )
    halves.to_file(world / "halves.gpkg")
    chosen = {"split": {"by": "polygons", "polygons": str(world / "halves.gpkg")}}
    samples, manifest, table = made(world, "halves", FIELDS, chosen)
    add_up(manifest, table, samples)
    assert table.group[57] > 0 and table.samples[57] > 0
    for feature in np.unique(samples.feature.values):
        assert len(np.unique(samples.split.values[samples.feature.values == feature])) == 1


def test_samples_of_a_survey_trace_back_and_are_described(world: Path) -> None:
    made(world, "traced", POINTS, {"split": {"by": "group"}})
    store = world / "patches" / "traced.zarr"
    for index in (0, 7):
        found = trace(store, index, world / "cubes")
        assert found.differences == () and found.sample["feature"] >= 1
    said = sitsformer("inspect", str(store))
    assert "200 features of" in said and "2 dropped, season: of another season" in said
    assert "whole" in sitsformer("check", str(store))


def test_a_survey_under_cloud_throughout_is_refused_with_its_reasons(world: Path) -> None:
    survey = POINTS | {"path": str(world / "points.gpkg")}
    values = survey_config({"survey": survey}, {"cloudy": {"label": "survey"}})
    values["patches"] = {"size": 3, "max_length": 50, "min_dates": 40}
    config = parse(values)
    stores = []
    for tile in area_tiles():
        stores.append(world / "patches" / "cloudy" / f"{tile.name}.zarr")
        cube = world / "cubes" / "county" / f"{tile.name}.zarr"
        make_tile_store(config, "cloudy", "county", tile.name, cube, stores[-1])
    with pytest.raises(Exception, match=r"none of the 6 tiles has a sample.*'cloud': 1\d\d"):
        merge(config, "cloudy", world / "patches" / "cloudy.zarr", stores)


@pytest.mark.long
def test_the_whole_workflow_accounts_for_every_feature(tmp_path: Path) -> None:
    points().to_crs(3857).to_file(tmp_path / "points.gpkg")
    polygons().to_crs(4326).to_file(tmp_path / "fields.geojson")
    lonlat = points().iloc[:188].to_crs(4326)
    table = pd.DataFrame({"crop": lonlat.crop, "lon": lonlat.geometry.x, "lat": lonlat.geometry.y})
    table.to_csv(tmp_path / "points.csv", index=False)
    labels = {
        "survey": POINTS,
        "fields": FIELDS,
        "table": {"kind": "points", "path": "points.csv", "column": "crop", "min_samples": 2},
    }
    values = survey_config(
        labels,
        {
            "crops": {"label": "survey", "split": {"by": "group"}},
            "parcels": {"label": "fields", "split": {"by": "block", "block": 300.0}},
            "written": {"label": "table", "split": {"by": "group"}},
        },
        model={"embedding": "linear", "hidden": 16, "layers": 1, "heads": 2, "pooling": "mean_max"},
        evaluation={"bootstrap": 50},
        # Two tiles instead of six: jobs are what takes the time here.
        areas={"county": AREA | {"tiles": {"size": 132}}},
    )
    values["pretrain"] |= {"objectives": ["ssl"], "epochs": 1, "batch_size": 64}
    values["fewshot"] |= {
        "shots": [5], "seeds": 2, "seeds_per_job": 2, "steps": 10, "batch_size": 16,
        "adaptations": ["full"], "inits": ["ssl"], "baselines": ["nearest_centroid"],
    }  # fmt: skip
    result = run(tmp_path, values)
    assert result.returncode == 0, result.stdout + result.stderr
    page = (tmp_path / "results" / "report.html").read_text()
    assert "Set crops: 200 features of survey" in page
    for name, features in (("crops", 200), ("parcels", 60), ("written", 188)):
        store = tmp_path / "results" / "patches" / f"{name}.zarr"
        frame = pd.read_csv(store / "features.csv", keep_default_na=False)
        add_up(json.loads((store / "manifest.json").read_text()), frame, open_samples(store))
        assert len(frame) == features
        log = (tmp_path / "results" / "logs" / "merge" / f"{name}.log").read_text()
        assert f"{features} features: " in log
    # Another file: the samples are made anew, the cubes are not.
    shutil.copy(tmp_path / "points.gpkg", tmp_path / "again.gpkg")
    labels["survey"] = POINTS | {"path": "again.gpkg"}
    planned = run(tmp_path, values | {"labels": labels}, "--dry-run").stdout
    assert "patches" in planned and "rule cube" not in planned
