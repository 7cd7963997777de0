"""Tile stores merged to a set: its splits, its order, its commands."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

import geopandas
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from shapely.geometry import box

from cubes import make_config, tiles
from sample_world import WORLD, build, places, sitsformer
from sitsformer import artefacts, cube, samples
from sitsformer.commands import patches as commands
from sitsformer.patches import make_tile_store
from sitsformer.patches.leakage import leakage_table
from sitsformer.patches.merge import merge
from sitsformer.patches.splits import SplitError
from sitsformer.samples import SPLITS, load_samples, open_samples, shards
from sitsformer.samples.describe import describe
from sitsformer.samples.trace import trace

pytestmark = pytest.mark.usefixtures("warmed")


def test_the_set_holds_all_samples_of_its_tiles(world):
    assert len(world["stores"]) >= 4
    whole, dataset = load_samples(world["set"]), open_samples(world["set"])
    position = {place: i for i, place in enumerate(places(dataset))}
    names = dataset.label.attrs["flag_names"]
    total = 0
    for store in world["stores"]:
        part, own = load_samples(store), open_samples(store)
        rows = np.array([position[place] for place in places(own)])
        assert (whole.reflectance[rows] == part.reflectance).all()
        assert (whole.doy[rows] == part.doy).all()
        assert (dataset.date.values[rows] == own.date.values).all()
        labels = [part.classes.names[k] for k in part.label]
        assert [names[k] for k in whole.label[rows]] == labels
        tile = own.tile.attrs["names"][0]
        assert {dataset.tile.attrs["names"][t] for t in dataset.tile.values[rows]} == {tile}
        total += len(part)
    assert total == len(whole) == world["manifest"]["samples"]
    assert artefacts.check(world["set"]) == []


def test_whole_chunks_are_copied_not_made_anew(world):
    packed = set()
    for store in world["stores"]:
        with shards.Reader(store / "reflectance") as reader:
            packed |= {reader.packed(chunk) for chunk in range(reader.shape[0] // reader.chunk)}
    assert packed
    with shards.Reader(world["set"] / "reflectance") as reader:
        assert packed <= {reader.packed(chunk) for chunk in range(reader.chunks)}


def test_nothing_disappears_unsaid(world):
    manifest = world["manifest"]
    for counts in (manifest, *manifest["tiles"].values()):
        lost = sum(sum(classes.values()) for classes in counts["dropped"].values())
        assert sum(counts["kept"].values()) + lost == counts["pixels"]
    assert manifest["pixels"] == 60 * 60 * len(world["stores"])
    in_splits = sum(sum(classes.values()) for classes in manifest["splits"].values())
    assert in_splits == manifest["samples"]
    assert samples.read_manifest(world["set"]) == json.loads(json.dumps(manifest))
    assert "Permanent water bodies" in manifest["removed_classes"]


def overlapping_pixels(dataset: xr.Dataset) -> set[tuple[int, int]]:
    """Pairs of splits that share a pixel, from the pixels themselves."""
    half = dataset.sizes["px"] // 2
    of_pixel: dict[tuple, set[int]] = {}
    split = dataset.split.values
    for i, (x, y) in enumerate(places(dataset)):
        for dx in range(-half, half + 1):
            for dy in range(-half, half + 1):
                of_pixel.setdefault((x + 10 * dx, y + 10 * dy), set()).add(int(split[i]))
    return {pair for found in of_pixel.values() for pair in combinations(sorted(found), 2)}


def test_splits_share_no_pixel_and_hold_every_class(world):
    dataset = open_samples(world["set"])
    assert overlapping_pixels(dataset) == set()
    split, label = dataset.split.values, dataset.label.values
    shares = np.bincount(split, minlength=3) / len(split)
    assert np.abs(shares - [0.6, 0.2, 0.2]).max() < 0.05
    for value in range(3):
        assert len(np.unique(label[split == value])) == 5
    table = {(row.first, row.second): row for row in leakage_table(world["set"])}
    assert set(table) == set(combinations(SPLITS, 2))
    for (first, second), row in table.items():
        assert row.overlapping == row.shared_blocks == 0
        a, b = (np.array(places(dataset))[split == SPLITS.index(name)] for name in (first, second))
        plain = np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2)).min()
        assert row.nearest == pytest.approx(plain, rel=1e-3)


def test_a_tile_does_not_depend_on_other_tiles(world, tmp_path):
    alone = make_config(60, 1, patches=WORLD)
    tile = tiles(alone)[0]
    path = world["root"] / "cubes" / "farm" / f"{tile.name}.zarr"
    make_tile_store(alone, "land", "farm", tile.name, path, tmp_path / "s.zarr")
    among = world["root"] / "patches" / "land" / "farm" / f"{tile.name}.zarr"
    assert artefacts.digest(tmp_path / "s.zarr") == artefacts.digest(among)


def test_the_order_of_tile_stores_does_not_matter(world, tmp_path):
    merge(world["config"], "land", tmp_path / "s.zarr", world["stores"][::-1])
    assert artefacts.digest(tmp_path / "s.zarr") == artefacts.digest(world["set"])


def test_the_command_line(world):
    store = str(world["set"])
    shown = sitsformer("inspect", store)
    assert "split by block of 300 m" in shown and "dropped, split" in shown
    assert "Cropland" in shown and "0 overlapping" in shown
    run = CliRunner().invoke(commands.trace, [store, "5"])
    assert "equal:" in run.output and "split:" in run.output
    assert "error: " in sitsformer("trace", store, "99999", status=3)
    lines = describe(world["root"] / "cubes" / "farm" / f"{tiles(world['config'])[0].name}.zarr")
    assert any("12 dates" in line for line in lines)


def test_the_commands_do_what_the_functions_do(world, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(world["config"].model_dump_json())
    out = tmp_path / "set.zarr"
    options = ["--config", str(config), "land"]
    tile = tiles(world["config"])[0].name
    path = world["root"] / "cubes" / "farm" / f"{tile}.zarr"
    made = tmp_path / "tile.zarr"
    run = CliRunner().invoke(commands.patches, [*options, "farm", tile, str(path), str(made)])
    assert run.exit_code == 0 and "samples; dropped: " in run.output
    stores = [str(made), *map(str, world["stores"][1:])]
    run = CliRunner().invoke(commands.merge, [*options, str(out), *stores])
    assert run.exit_code == 0 and "(train " in run.output
    assert artefacts.digest(out) == artefacts.digest(world["set"])


def test_the_example_of_the_docs_works_as_typed(world, tmp_path, monkeypatch):
    text = (Path(__file__).parents[2] / "docs" / "samples.md").read_text()
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert example is not None
    statements = [line for line in example[1].splitlines() if line]
    assert len(statements) == 5
    (tmp_path / "results" / "patches").mkdir(parents=True)
    (tmp_path / "results" / "patches" / "crops.zarr").symlink_to(world["set"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    from matplotlib import pyplot

    pyplot.figure()
    exec(example[1], {})
    (line,) = pyplot.gca().lines
    one = load_samples(world["set"])
    steps = one.doy[0] > 0
    red, infrared = (one.reflectance[0, steps, k, 2, 2].astype(float) for k in (2, 6))
    assert np.allclose(line.get_ydata(), (infrared - red) / (infrared + red))
    assert pyplot.gca().get_ylabel() == "NDVI"
    pyplot.close("all")


def test_an_altered_cube_is_noticed_by_trace(world, tmp_path):
    dataset = open_samples(world["set"])
    name = dataset.tile.attrs["names"][int(dataset.tile[0])]
    changed = cube.open_cube(world["root"] / "cubes" / f"{name}.zarr").load()
    changed["reflectance"] = changed.reflectance + np.uint16(1)
    changed["worldcover"] = changed.worldcover * np.uint8(0) + np.uint8(80)
    cube.write(changed, tmp_path / f"{name}.zarr", config={})
    found = trace(world["set"], 0, tmp_path).differences
    assert any("values differ" in line for line in found)
    assert any(line.startswith("label:") for line in found)


def test_splits_by_area_and_by_year(tmp_path):
    areas = {
        "farm": {},
        "hill": {"bounds": [5.1, 50.0, 5.12, 50.01]},
        "again": {"start": "2021-10-01", "end": "2022-09-30"},
    }
    split = {"by": "area", "train": ["farm"], "test": ["hill"]}
    chosen = {"areas": ["farm", "hill"], "per_tile": 50, "split": split}
    found = build(tmp_path / "area", make_config(30, 1, chosen, areas=areas))
    dataset = open_samples(found["set"])
    assert (dataset.split.values == dataset.area.values * 2).all()
    assert overlapping_pixels(dataset) == set()
    chosen = chosen | {"areas": ["farm", "again"]}
    overlap = make_config(30, 1, chosen | {"split": split | {"test": ["again"]}}, areas=areas)
    with pytest.raises(SplitError, match="areas in different splits must not overlap"):
        build(tmp_path / "overlap", overlap)
    years = {"by": "year", "train": ["2020"], "test": ["2021"]}
    found = build(tmp_path / "year", make_config(30, 1, chosen | {"split": years}, areas=areas))
    row = leakage_table(found["set"])[0]
    assert row.shared_years == () and row.nearest is not None
    unlisted = make_config(30, 1, chosen | {"split": years | {"test": ["2019"]}}, areas=areas)
    with pytest.raises(SplitError, match=r"area 'again' \(season 2021\) is in none"):
        build(tmp_path / "unlisted", unlisted)


def test_splits_by_polygons(tmp_path):
    tile = tiles(make_config(60))[0]
    west, south, east, north = tile.bounds
    frame = geopandas.GeoDataFrame(
        {"split": ["train", "test"]},
        geometry=[box(west, south, west + 303, north), box(west + 303, south, east, north - 100)],
        crs=tile.epsg,
    ).to_crs(4326)
    frame.to_file(tmp_path / "p.gpkg")
    split = {"by": "polygons", "polygons": str(tmp_path / "p.gpkg")}
    found = build(tmp_path, make_config(60, 1, {"split": split}))
    dataset = open_samples(found["set"])
    assert overlapping_pixels(dataset) == set()
    split_of = dataset.split.values
    assert set(split_of.tolist()) == {0, 2}
    assert dataset.x.values[split_of == 0].max() < west + 303 - 20
    assert dataset.x.values[split_of == 2].min() > west + 303 + 10
    assert found["manifest"]["dropped"]["split"]
