"""Cubes to samples against a plain loop over pixels; then the set, its splits, and damage."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import geopandas
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from shapely.geometry import box

from cubes import make_config, make_cube, tiles
from plain_thinning import plain_thin
from sitsformer import cube, provenance, samples
from sitsformer.commands import patches as commands
from sitsformer.config import Config
from sitsformer.cube import CubeError
from sitsformer.patches import make_tile_store
from sitsformer.patches.leakage import leakage_table
from sitsformer.patches.merge import merge
from sitsformer.patches.sampling import tile_seed
from sitsformer.patches.splits import SplitError
from sitsformer.samples import SPLITS, UNASSIGNED, SampleError, load_samples, open_samples, shards
from sitsformer.samples.describe import describe
from sitsformer.samples.trace import trace

WORLD = {"max_length": 16, "clear_share": 0.5, "min_dates": 2}
"""Tiles of more than one chunk of 1,024 samples."""

SHIPPED = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100)
"""Codes of ESA WorldCover in the order of its classes."""


def plain_samples(config: Config, path: Path) -> tuple[dict, dict]:
    """Samples by (row, column), and dropped pixels by reason, from one pixel at a time."""
    chosen, settings = config.sets["land"], config.patches
    source = cube.open_cube(path).load()
    tile = cube.tile_of(source)
    values, score = source.reflectance.values, source.clear.values
    codes, confidence = source.worldcover.values, source.cdl_confidence.values
    classes = list(chosen.classes.values()) if chosen.classes else [(code,) for code in SHIPPED]
    days = [np.datetime64(time, "D") for time in source.time.values]
    seed = tile_seed(chosen.seed, tile.area, tile.name)
    half, window, n = settings.size // 2, chosen.purity // 2, tile.size
    kept: dict = {}
    dropped: dict = {}

    def class_of(i: int, j: int) -> int:
        return next((k for k, some in enumerate(classes) if codes[i, j] in some), -1)

    def reason(i: int, j: int) -> str | None:
        label = class_of(i, j)
        if label < 0 and chosen.unlabelled == "drop":
            return "unlabelled" if codes[i, j] == 0 else "other_class"
        if min(i, j) < half or max(i, j) >= n - half:
            return "edge"
        if chosen.split.by == "block":
            side = chosen.split.block
            corners = {
                ((tile.x[j] + 10 * dj) // side, (tile.y[i] + 10 * di) // side)
                for di in (-half, half)
                for dj in (-half, half)
            }
            if len(corners) > 1:
                return "split"
        if label >= 0 and chosen.purity > 1:
            if min(i, j) < window or max(i, j) >= n - window:
                return "purity"
            around = {
                class_of(a, b)
                for a in range(i - window, i + window + 1)
                for b in range(j - window, j + window + 1)
            }
            if len(around) > 1:
                return "purity"
        if label >= 0 and chosen.confidence > 0:
            sure = int(confidence[i, j])
            if sure == 255 or sure < chosen.confidence:
                return "confidence"
        return None

    def clear(t: int, i: int, j: int) -> bool:
        around = score[t, i - half : i + half + 1, j - half : j + half + 1].ravel().tolist()
        good = sum(s != 255 and s >= settings.clear_score for s in around)
        return good >= settings.clear_share * len(around) - 1e-9

    for i in range(n):
        for j in range(n):
            why = reason(i, j)
            inside = half <= i < n - half and half <= j < n - half
            dates = [inside and clear(t, i, j) for t in range(len(days))]
            if why is None and sum(dates) < settings.min_dates:
                why = "cloud"
            if why is None:
                x, y = int(tile.x[j] // 1), int(tile.y[i] // 1)
                chosen_dates = plain_thin(dates, settings.max_length, seed, x, y)
                patch = values[:, :, i - half : i + half + 1, j - half : j + half + 1]
                steps = [t for t in chosen_dates if t >= 0 and (patch[t] != 65535).all()]
                if len(steps) < settings.min_dates:
                    why = "missing"
            if why is not None:
                dropped[why] = dropped.get(why, 0) + 1
                continue
            kept[i, j] = (
                class_of(i, j),
                [days[t] for t in steps],
                patch[steps],
            )
    return kept, dropped


CASES = {
    "one pixel": ({}, {"size": 1}),
    "five, part clear": ({"purity": 3}, {"size": 5, "clear_share": 0.8}),
    "nine": ({"split": {"block": 150.0}}, {"size": 9, "clear_share": 0.5, "min_dates": 1}),
    "unlabelled kept": ({"unlabelled": "keep", "purity": 5}, {"size": 3, "max_length": 4}),
    "confidence": ({"confidence": 40, "classes": {"green": [10, 30], "farm": [40]}}, {"size": 3}),
    "strict": ({"purity": 7}, {"size": 3, "clear_score": 61, "min_dates": 6}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_sample_equals_a_plain_loop(tmp_path, case):
    chosen, patches = CASES[case]
    config = make_config(chosen=chosen, patches=patches)
    tile = tiles(config)[0]
    parcel = 9 if "purity" in chosen else 5
    path = make_cube(tmp_path / "c.zarr", tile, missing=0.002, parcel=parcel)
    manifest = make_tile_store(config, "land", "farm", tile.name, path, tmp_path / "s.zarr")
    expected, dropped = plain_samples(config, path)
    found, dataset = load_samples(tmp_path / "s.zarr"), open_samples(tmp_path / "s.zarr")
    assert len(expected) > 20
    assert {name: sum(counts.values()) for name, counts in manifest["dropped"].items()} == dropped
    assert sum(manifest["kept"].values()) == len(found) == len(expected)
    rows = np.searchsorted(-tile.y, -dataset.y.values)
    columns = np.searchsorted(tile.x, dataset.x.values)
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == set(expected)
    for position, place in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        label, days, patch = expected[place]
        steps = len(days)
        assert found.label[position] == label
        assert (found.reflectance[position, :steps] == patch).all()
        assert (found.reflectance[position, steps:] == 65535).all()
        doy = [(day - np.datetime64(day, "Y")).astype(int) + 1 for day in days]
        assert found.doy[position].tolist() == doy + [0] * (len(found.doy[position]) - steps)
        stored = dataset.date.values[position]
        assert stored[:steps].astype("datetime64[D]").tolist() == [day.item() for day in days]
        assert (stored[steps:] == -1).all()
    assert (dataset.split.values == UNASSIGNED).all()
    # Across New Year the days of the year fall, the dates do not.
    falls = [(np.diff(doy[doy > 0]) < 0).any() for doy in found.doy]
    assert any(falls)


def test_memory_and_chunks_do_not_change_a_byte(tmp_path):
    chosen = {"per_tile": 300, "split": {"block": 600.0}}
    digests = []
    for memory in (1.0, 1e-3, 1e-5):
        config = make_config(252, chosen=chosen, patches={"memory_gb": memory})
        tile = tiles(config)[0]
        path = tmp_path / "c.zarr"
        if not path.exists():
            make_cube(path, tile, dates=14)
        out = tmp_path / f"{memory}.zarr"
        make_tile_store(config, "land", "farm", tile.name, path, out)
        digests.append(provenance.digest(out))
    assert len(set(digests)) == 1
    # With four chunks side by side, some patches lie in two or four of them.
    rows = open_samples(out)
    near = (np.abs((rows.x.values - tile.west) / 10 - 126) < 2).sum()
    assert near > 0
    for index in range(0, 300, 29):
        assert trace_ok(out, index, tmp_path, path)


def trace_ok(store: Path, index: int, root: Path, cube_path: Path) -> bool:
    """Trace a sample with its cube put where the default layout has it."""
    source = cube.open_cube(cube_path)
    place = root / "cubes" / source.attrs["area"] / f"{source.attrs['tile']}.zarr"
    if not place.exists():
        shutil.copytree(cube_path, place)
    return trace(store, index, root / "cubes").differences == ()


def test_a_dask_cluster_gives_the_same_bytes(tmp_path):
    from distributed import LocalCluster

    chosen = {"per_tile": 200, "split": {"block": 600.0}}
    config = make_config(252, chosen=chosen)
    tile = tiles(config)[0]
    path = make_cube(tmp_path / "c.zarr", tile, dates=8)
    make_tile_store(config, "land", "farm", tile.name, path, tmp_path / "threads.zarr")
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        config = make_config(252, chosen=chosen, patches={"scheduler": cluster.scheduler_address})
        make_tile_store(config, "land", "farm", tile.name, path, tmp_path / "cluster.zarr")
    digests = {provenance.digest(tmp_path / f"{name}.zarr") for name in ("threads", "cluster")}
    assert len(digests) == 1


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Cubes, tile stores and the set of an area with several tiles."""
    root = tmp_path_factory.mktemp("world")
    return build(root, make_config(60, "all", patches=WORLD))


def build(root: Path, config: Config) -> dict:
    stores = []
    for area in config.sets["land"].areas:
        for number, tile in enumerate(tiles(config, area)):
            path = root / "cubes" / area / f"{tile.name}.zarr"
            if not path.exists():
                make_cube(path, tile, seed=number, dates=12)
            out = root / "patches" / "land" / area / f"{tile.name}.zarr"
            make_tile_store(config, "land", area, tile.name, path, out)
            stores.append(out)
    out = root / "patches" / "land.zarr"
    manifest = merge(config, "land", out, stores)
    return {"root": root, "config": config, "stores": stores, "set": out, "manifest": manifest}


def places(dataset: xr.Dataset) -> list[tuple]:
    return list(zip(dataset.x.values.tolist(), dataset.y.values.tolist(), strict=True))


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
        labels = [part.class_names[k] for k in part.label]
        assert [names[k] for k in whole.label[rows]] == labels
        tile = own.tile.attrs["names"][0]
        assert {dataset.tile.attrs["names"][t] for t in dataset.tile.values[rows]} == {tile}
        total += len(part)
    assert total == len(whole) == world["manifest"]["samples"]
    assert provenance.check(world["set"]) == []


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
    assert provenance.digest(tmp_path / "s.zarr") == provenance.digest(among)


def test_the_order_of_tile_stores_does_not_matter(world, tmp_path):
    merge(world["config"], "land", tmp_path / "s.zarr", world["stores"][::-1])
    assert provenance.digest(tmp_path / "s.zarr") == provenance.digest(world["set"])


def test_the_command_line(world):
    store = str(world["set"])
    shown = sitsformer("inspect", store)
    assert "split by block of 300 m" in shown and "dropped, split" in shown
    assert "Cropland" in shown and "0 overlapping" in shown
    run = CliRunner().invoke(commands.trace, [store, "5"])
    assert "equal:" in run.output and "split:" in run.output
    assert "error: " in sitsformer("trace", store, "99999", status=1)
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
    assert provenance.digest(out) == provenance.digest(world["set"])


def sitsformer(*arguments: str, status: int = 0) -> str:
    """Run the real command; its output, with its message when it is to fail."""
    run = subprocess.run(
        [sys.executable, "-m", "sitsformer", *arguments], capture_output=True, text=True
    )
    assert run.returncode == status, run.stderr
    assert "Traceback" not in run.stderr
    return run.stdout if status == 0 else run.stdout + run.stderr


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


def test_a_cloudy_tile_is_empty_and_said_so(tmp_path, caplog):
    config = make_config()
    tile = tiles(config)[0]
    path = make_cube(tmp_path / "c.zarr", tile, clear=0.0)
    manifest = make_tile_store(config, "land", "farm", tile.name, path, tmp_path / "s.zarr")
    assert manifest["kept"] == {} and "no samples" in manifest["warnings"][0]
    assert "no samples" in caplog.text
    assert len(load_samples(tmp_path / "s.zarr")) == 0
    with pytest.raises(SampleError, match="none of the 1 tiles has a sample"):
        merge(config, "land", tmp_path / "set.zarr", [tmp_path / "s.zarr"])
    assert not (tmp_path / "set.zarr").exists()


def test_a_small_class_is_mentioned(tmp_path):
    config = make_config(chosen={"per_tile": 200})
    tile = tiles(config)[0]
    path = make_cube(tmp_path / "c.zarr", tile, parcel=10, codes=(10, 20, 30))
    source = cube.open_cube(path).load()
    source.worldcover[4:6, 4:6] = 80
    cube.write(source, path, config={})
    manifest = make_tile_store(config, "land", "farm", tile.name, path, tmp_path / "s.zarr")
    assert any("Permanent water bodies" in line for line in manifest["warnings"])
    assert sum(manifest["kept"].values()) == 200


def test_splits_that_cannot_be_are_refused(tmp_path):
    config = make_config(chosen={"split": {"block": 30_000.0}, "per_tile": 50})
    with pytest.raises(SplitError, match="leaves validation and test without samples"):
        build(tmp_path, config)
    assert not (tmp_path / "patches" / "land.zarr").exists()


def test_cubes_that_do_not_fit_are_refused(tmp_path):
    config = make_config()
    tile = tiles(config)[0]
    path = make_cube(tmp_path / "c.zarr", tile)
    good = cube.open_cube(path).load()

    def cut(changed: Config, source: Path = path) -> None:
        make_tile_store(changed, "land", "farm", tile.name, source, tmp_path / "s.zarr")

    other = make_cube(tmp_path / "o.zarr", tiles(make_config(36))[0])
    with pytest.raises(SampleError, match="is not the cube of farm/"):
        cut(config, other)
    with pytest.raises(SampleError, match="no patch of 5 pixels fits into a block of 40 m"):
        cut(make_config(chosen={"split": {"block": 40.0}}))
    with pytest.raises(SampleError, match=r"min_dates \(9\) is above patches.max_length \(8\)"):
        cut(make_config(patches={"min_dates": 9}))
    cube.write(good.drop_vars("cdl_confidence"), tmp_path / "n.zarr", config={})
    with pytest.raises(SampleError, match="has no layer 'cdl_confidence'"):
        cut(make_config(chosen={"confidence": 50}), tmp_path / "n.zarr")
    cube.write(good.drop_vars("worldcover"), tmp_path / "l.zarr", config={})
    with pytest.raises(SampleError, match="has no label layer 'worldcover'"):
        cut(config, tmp_path / "l.zarr")
    for name, changed in {
        "comes too late": good.isel(time=slice(None, None, -1)),
        "is there twice": good.isel(time=[0, 0, 1]),
        "does not run in steps": good.assign_coords(x=good.x * 2),
    }.items():
        broken = tmp_path / "b.zarr"
        cube.write(changed, broken, config={})
        with pytest.raises(CubeError, match=name):
            cut(config, broken)
    assert not (tmp_path / "s.zarr").exists()


def test_a_damaged_cube_is_refused_and_check_names_the_chunk(tmp_path):
    config = make_config()
    tile = tiles(config)[0]
    path = make_cube(tmp_path / "c.zarr", tile)
    chunk = path / "reflectance/c/0/0/0/0"
    good = chunk.read_bytes()

    def cut() -> None:
        make_tile_store(config, "land", "farm", tile.name, path, tmp_path / "s.zarr")

    chunk.write_bytes(good[:-100])
    with pytest.raises(SampleError, match=r"damaged: altered: reflectance/c/0/0/0/0 \("):
        cut()
    chunk.unlink()
    with pytest.raises(SampleError, match="damaged: missing: reflectance/c/0/0/0/0;"):
        cut()
    assert "missing: reflectance/c/0/0/0/0" in sitsformer("check", str(path), status=1)
    altered = bytearray(good)
    altered[len(good) // 2] ^= 1
    chunk.write_bytes(altered)
    assert "altered: reflectance/c/0/0/0/0" in sitsformer("check", str(path), status=1)
    assert not (tmp_path / "s.zarr").exists()


def test_no_scheduler_at_the_address(tmp_path, monkeypatch):
    config = make_config(patches={"scheduler": "not-an-address://x"})
    tile = tiles(config)[0]
    path = make_cube(tmp_path / "c.zarr", tile)
    with pytest.raises(Exception, match="no Dask scheduler answers at not-an-address://x"):
        make_tile_store(config, "land", "farm", tile.name, path, tmp_path / "s.zarr")
    assert not (tmp_path / "s.zarr").exists()


def test_stores_that_do_not_belong_together_are_refused(world, tmp_path):
    config = world["config"]
    with pytest.raises(SampleError, match="is there twice"):
        merge(config, "land", tmp_path / "s.zarr", [world["stores"][0]] * 2)
    other = make_config(60, "all", {"per_tile": 20, "classes": {"a": [10], "b": [20]}})
    tile = tiles(other)[1]
    path = world["root"] / "cubes" / "farm" / f"{tile.name}.zarr"
    make_tile_store(other, "land", "farm", tile.name, path, tmp_path / "o.zarr")
    with pytest.raises(SampleError, match="were cut with different class_names"):
        merge(config, "land", tmp_path / "s.zarr", [world["stores"][0], tmp_path / "o.zarr"])
    with pytest.raises(SampleError, match="is not a tile store"):
        merge(config, "land", tmp_path / "s.zarr", [world["set"]])


def test_damage_is_found_by_check_and_by_reading(world, tmp_path):
    store = tmp_path / "s.zarr"
    shutil.copytree(world["set"], store)
    shard = store / "reflectance/c/0/0/0/0/0"
    data = bytearray(shard.read_bytes())
    data[1000] ^= 1
    shard.write_bytes(data)
    assert [line for line in provenance.check(store) if "reflectance/c/0/0/0/0/0" in line]
    with shards.Reader(store / "reflectance") as reader:
        last = reader.rows(0).stop - 1
    shown = sitsformer("check", str(store), status=1)
    assert f"chunk 0 (samples 0 to {last}) is damaged" in shown and "chunk 1" not in shown
    with pytest.raises(shards.ShardError, match="is damaged"):
        load_samples(store)
    with pytest.raises(shards.ShardError, match="is damaged"):
        merge_one = world["config"]
        tile_store = tmp_path / "t.zarr"
        shutil.copytree(world["stores"][0], tile_store)
        (tile_store / "reflectance/c/0/0/0/0/0").write_bytes(data)
        merge(merge_one, "land", tmp_path / "m.zarr", [tile_store])
    shard.unlink()
    assert any(line.startswith("missing: reflectance") for line in provenance.check(store))
    assert "c/0/0/0/0/0 cannot be read" in sitsformer("check", str(store), status=1)
    with pytest.raises(SampleError, match="0/0/0/0/0 is missing"):
        load_samples(store)
