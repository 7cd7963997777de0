"""Cubes, stores and settings that are refused, and damage that is found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cubes import make_config, make_cube, tiles
from sample_world import build, sitsformer
from sitsformer import artefacts, cube
from sitsformer.config import Config, ConfigError
from sitsformer.cube import CubeError
from sitsformer.errors import SitsError
from sitsformer.patches import make_tile_store
from sitsformer.patches.merge import merge
from sitsformer.patches.splits import SplitError
from sitsformer.samples import SampleError, load_samples, shards

pytestmark = pytest.mark.usefixtures("warmed")


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
    with pytest.raises(CubeError, match=r"damaged: altered: reflectance/c/0/0/0/0 \("):
        cut()
    chunk.unlink()
    with pytest.raises(CubeError, match="damaged: missing: reflectance/c/0/0/0/0;"):
        cut()
    assert "missing: reflectance/c/0/0/0/0" in sitsformer("check", str(path), status=3)
    altered = bytearray(good)
    altered[len(good) // 2] ^= 1
    chunk.write_bytes(altered)
    assert "altered: reflectance/c/0/0/0/0" in sitsformer("check", str(path), status=3)
    with pytest.raises(CubeError, match=r"reflectance/c/0/0/0/0 is damaged \("):
        cut()
    assert not (tmp_path / "s.zarr").exists()


def test_no_scheduler_at_the_address(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="'cluster' is no address; write it as tcp://host:8786"):
        make_config(patches={"scheduler": "cluster"})
    config = make_config(patches={"scheduler": "not-an-address://x:1"})
    tile = tiles(config)[0]
    path = make_cube(tmp_path / "c.zarr", tile)
    with pytest.raises(SitsError, match="no Dask scheduler answers at not-an-address://x:1"):
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
    with pytest.raises(SampleError, match="were cut with different class names"):
        merge(config, "land", tmp_path / "s.zarr", [world["stores"][0], tmp_path / "o.zarr"])
    with pytest.raises(SampleError, match="is not a tile store"):
        merge(config, "land", tmp_path / "s.zarr", [world["set"]])
    renamed = config.model_copy(update={"sets": {"crops": config.sets["land"]}})
    with pytest.raises(SampleError, match="was cut for the set 'land', not for 'crops'"):
        merge(renamed, "crops", tmp_path / "s.zarr", world["stores"])


def test_damage_is_found_by_check_and_by_reading(world, tmp_path):
    store = tmp_path / "s.zarr"
    shutil.copytree(world["set"], store)
    shard = store / "reflectance/c/0/0/0/0/0"
    data = bytearray(shard.read_bytes())
    data[10_000] ^= 1
    shard.write_bytes(data)
    assert [line for line in artefacts.check(store) if "reflectance/c/0/0/0/0/0" in line]
    with shards.Reader(store / "reflectance") as reader:
        last = reader.rows(0).stop - 1
    shown = sitsformer("check", str(store), status=3)
    assert f"chunk 0 (samples 0 to {last}) is damaged" in shown and "chunk 1" not in shown
    with pytest.raises(shards.ShardError, match="is damaged"):
        load_samples(store)
    with pytest.raises(SampleError, match="is damaged"):
        merge_one = world["config"]
        tile_store = tmp_path / "t.zarr"
        shutil.copytree(world["stores"][0], tile_store)
        (tile_store / "reflectance/c/0/0/0/0/0").write_bytes(data)
        merge(merge_one, "land", tmp_path / "m.zarr", [tile_store])
    shard.unlink()
    assert any(line.startswith("missing: reflectance") for line in artefacts.check(store))
    assert "c/0/0/0/0/0 cannot be read" in sitsformer("check", str(store), status=3)
    with pytest.raises(SampleError, match="missing: reflectance/c/0/0/0/0/0"):
        load_samples(store)
