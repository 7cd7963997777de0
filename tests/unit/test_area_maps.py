"""Maps of whole areas: tiles that meet, what is no area, and how much memory it takes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import rasterio.shutil

from area_world import (
    CLASSES,
    SETTINGS,
    SIDE,
    make_scene,
    make_world,
    model,
    read,
    tile_at,
    write_cube,
)
from sitsformer import cube, mapproducts, maps
from sitsformer.classes import Classes
from sitsformer.errors import SitsError, TemporaryError
from sitsformer.ground import same_dates
from sitsformer.maps.area import make_area


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_world(tmp_path_factory.mktemp("area"))


def test_a_map_of_four_tiles_is_that_of_one_large_tile(world: dict[str, Path]) -> None:
    found = maps.predict(world["large"], SETTINGS, model, 1000, probabilities=3)
    folder, codes = world["map"].parent, maps.map_codes(CLASSES)
    assert (found.classes > 0).mean() > 0.5 and len(np.unique(found.classes)) == 4
    np.testing.assert_array_equal(read(world["map"]), codes.encode(found.classes))
    for layer in ("confidence", "margin", "dates"):
        np.testing.assert_array_equal(read(folder / f"county_{layer}.tif"), getattr(found, layer))
    with rasterio.open(folder / "county_probabilities.vrt") as source:
        np.testing.assert_array_equal(source.read(), found.probabilities.astype(np.float32))
    # The outermost pixels have no whole patch, and are no copies.
    edge = np.ones_like(found.classes, bool)
    edge[2:-2, 2:-2] = False
    assert (read(world["map"])[edge] == 0).all()
    assert (read(folder / "county_dates.tif")[edge] == 65535).all()
    assert (read(folder / "county_margin.tif")[edge] == 255).all()


def test_without_neighbours_and_without_their_date_the_edge_has_less(
    world: dict[str, Path], tmp_path: Path
) -> None:
    settings = SETTINGS.model_copy(update={"max_length": 14})
    alone = maps.predict(world["cube0"], settings, model, 300)
    assert (alone.classes[:, -2:] == 0).all() and (alone.classes[-2:] == 0).all()
    east = write_cube(tmp_path / "east.zarr", tile_at(1, 0), make_scene(2 * SIDE), lacks=4)
    less = maps.predict(world["cube0"], settings, model, 300, neighbours=[east])
    np.testing.assert_array_equal(less.classes[:, :-2], alone.classes[:, :-2])
    whole = maps.predict(world["cube0"], settings, model, 300, neighbours=[world["cube1"]])
    lost = whole.dates[2:-2, -2:].astype(int) - less.dates[2:-2, -2:]
    assert set(np.unique(lost)) == {0, 1}


def test_what_is_no_neighbour_is_refused(world: dict[str, Path], tmp_path: Path) -> None:
    scene = make_scene(4 * SIDE)
    for column in (0, 2):
        far = write_cube(tmp_path / f"{column}.zarr", tile_at(column, 0), scene)
        with pytest.raises(SitsError, match="is no neighbour of tile 32614_499980_4650000"):
            maps.predict(world["cube0"], SETTINGS, model, 300, neighbours=[far])


def test_dates_go_together_that_are_of_one_pass() -> None:
    start = np.datetime64("2021-05-01T10:00:00", "ns")
    minute, day = np.timedelta64(1, "m"), np.timedelta64(1, "D")
    ours = start + np.array([0 * minute, 100 * minute, 5 * day, 9 * day])
    theirs = start + np.array([1 * minute, 100 * minute, 5 * day + 20 * minute, 9 * day - minute])
    first, second = same_dates(ours, theirs)
    assert list(zip(first, second, strict=True)) == [(0, 0), (1, 1), (3, 3)]
    # Two of theirs near one of ours: the nearer one, once.
    first, second = same_dates(ours[:1], start + np.array([0, 15]).astype("timedelta64[s]"))
    assert list(zip(first, second, strict=True)) == [(0, 0)]


def test_the_season_of_an_area_is_from_the_first_day_of_a_tile_to_the_last_of_one(
    tmp_path: Path,
) -> None:
    scene, tiles = make_scene(2 * SIDE), []
    for column, lacks in enumerate((0, len(scene["times"]) - 1)):
        tile = tile_at(column, 0)
        path = write_cube(tmp_path / f"{tile.name}.zarr", tile, scene, lacks=lacks)
        mapped = mapproducts.Mapped(
            found=maps.predict(path, SETTINGS, model, 300), classes=CLASSES,
            cube=cube.open_cube(path), patches=SETTINGS,
        )  # fmt: skip
        tiles.append(tmp_path / "tiles" / f"{tile.name}.tif")
        mapproducts.write(mapped, tiles[-1])
    make_area(tiles, tmp_path / "county.tif")
    seasons = {}
    for path in (*tiles, tmp_path / "county.vrt", tmp_path / "county.tif"):
        with rasterio.open(path) as source:
            seasons[path.name] = source.tags()["START"], source.tags()["END"]
    (early, late), whole = (seasons[path.name] for path in tiles), ("2021-04-01", "2021-08-09")
    assert early == ("2021-04-11", "2021-08-09") and late == ("2021-04-01", "2021-07-30")
    assert seasons["county.vrt"] == seasons["county.tif"] == whole
    item = pystac.Item.from_file(tmp_path / "county_stac.json")
    start, end = item.common_metadata.start_datetime, item.common_metadata.end_datetime
    assert (str(start.date()), str(end.date())) == whole


def test_tiles_that_do_not_belong_together_are_refused(
    world: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(SitsError, match="two of the files are of one tile"):
        make_area([world["tile0"], world["tile0"]], tmp_path / "a.tif")
    other = Classes(("a", "b", "c"), CLASSES.colours, CLASSES.codes)
    found = maps.predict(world["cube1"], SETTINGS, model, 300)
    mapped = mapproducts.Mapped(
        found=found, classes=other, cube=cube.open_cube(world["cube1"]), patches=SETTINGS
    )
    mapproducts.write(mapped, tmp_path / "other.tif")
    with pytest.raises(SitsError, match="differ in tags"):
        make_area([world["tile0"], tmp_path / "other.tif"], tmp_path / "a.tif")
    for name in ("a.png", "a", "a.tiff"):
        with pytest.raises(SitsError, match=r"give a name that ends in \.tif"):
            make_area([world["tile0"]], tmp_path / name)
    with pytest.raises(SitsError, match=r"give a name that ends in \.tif"):
        mapproducts.write(mapped, tmp_path / "a.png")
    with pytest.raises(SitsError, match="cannot be read as the map of a tile"):
        make_area([tmp_path / "none.tif"], tmp_path / "a.tif")
    with pytest.raises(SitsError, match="no tags CLASS_1"):
        maps.read_codes(world["map"].with_name("county_confidence.tif"))
    assert not list(tmp_path.glob("a*"))


def test_a_damaged_tile_is_named_and_leaves_no_half_a_map(
    world: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(world["tile0"].parent, tmp_path / "tiles")
    tiles = [tmp_path / "tiles" / world[f"tile{k}"].name for k in range(4)]
    margin = tiles[2].with_name(f"{tiles[2].stem}_margin.tif")
    margin.write_bytes(margin.read_bytes()[:-300])
    out = tmp_path / "maps" / "county.tif"
    with pytest.raises(SitsError, match=f"{re.escape(str(margin))} is damaged .*make it again"):
        make_area(tiles, out)
    assert list(out.parent.iterdir()) == []


def test_a_map_that_the_disk_has_no_room_for_is_no_map(
    world: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GDAL says it in words of its own, or not at all."""
    write = rasterio.shutil.copy

    def cut(source: str, out: str, **options: object) -> None:
        write(source, out, **options)
        content = Path(out).read_bytes()
        Path(out).write_bytes(content[: len(content) // 2])

    monkeypatch.setattr(rasterio.shutil, "copy", cut)
    out = tmp_path / "county.tif"
    with pytest.raises(TemporaryError, match=r"county\.tif cannot be written: the disk is full"):
        make_area([world[f"tile{k}"] for k in range(4)], out)
    assert list(tmp_path.iterdir()) == []


def test_an_area_is_put_together_in_less_memory_than_it_has_pixels(
    world: dict[str, Path], tmp_path: Path
) -> None:
    """25 million pixels that no compression helps with, in a process of its own."""
    script = """
import resource, sys
from dataclasses import replace
from pathlib import Path
import numpy as np, rasterio
from sitsformer.maps import mosaic
source, folder = Path(sys.argv[1]), Path(sys.argv[2])
with rasterio.open(source) as known:
    profile, tags = known.profile | {"width": 500, "height": 500}, known.tags()
with rasterio.open(folder / "tile.tif", "w", **profile) as made:
    made.write(np.random.default_rng(0).integers(0, 255, (1, 500, 500), np.uint8))
    made.update_tags(**tags)
(piece,) = mosaic.read_pieces([folder / "tile.tif"])
pieces = [
    replace(piece, west=piece.west + 5000 * (k % 10), north=piece.north - 5000 * (k // 10))
    for k in range(100)
]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
mosaic.CACHE_MB = 8
mosaic.write_cog(pieces, folder / "area.tif", "average")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, world["tile0"], tmp_path], capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert (tmp_path / "area.tif").stat().st_size > 25e6
    assert int(done.stdout) < 24


def test_labels_of_a_picture_are_those_of_the_cubes(world: dict[str, Path]) -> None:
    from dataclasses import replace

    tiles = [world[f"tile{k}"] for k in range(4)]
    cubes = [world[f"cube{k}"] for k in range(4)]
    mapped = replace(
        make_area(tiles, world["map"], layers=["probabilities"], cubes=cubes), layer="worldcover"
    )
    truth = CLASSES.index(make_scene(2 * SIDE)["label"]) + 1
    np.testing.assert_array_equal(mapped.labels(), truth)
    assert replace(mapped, layer="cdl").labels() is None
    # Of three tiles and a cube of a tile that is not mapped.
    some = replace(mapped, pieces=mapped.pieces[:2], cubes=tuple(cubes[:3]))
    np.testing.assert_array_equal(some.labels(), truth[:SIDE])
