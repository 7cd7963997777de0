"""Maps of whole areas: tiles that meet, files that GDAL and QGIS read, areas that are true."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pystac
import pytest
import rasterio
import rasterio.shutil
from rio_cogeo.cogeo import cog_validate

import gdal
from cubes import CODES
from sitsformer import artefacts, cube, mapproducts, maps
from sitsformer.classes import Classes
from sitsformer.config import Patches
from sitsformer.errors import SitsError, TemporaryError
from sitsformer.grid import Tile
from sitsformer.ground import same_dates
from sitsformer.legends import load_legend
from sitsformer.maps.area import make_area

WEST, NORTH, SIDE = 499980, 4650000, 36
CLASSES = Classes(
    ("tree cover", "crops & grass", "built <up>"),
    ("#006400", "#f096ff", "#fa0000"),
    ((10,), (40, 30), (50,)),
)
SETTINGS = Patches(size=5, max_length=6, min_dates=2)


def tile_at(column: int, row: int, side: int = SIDE) -> Tile:
    west, north = WEST + column * 10 * side, NORTH - row * 10 * side
    return Tile("county", f"32614_{west}_{north}", 32614, west, north, side)


def write_cube(path: Path, tile: Tile, scene: dict[str, np.ndarray], lacks: int = -1) -> Path:
    """A cube cut out of a scene; its granules were seen some seconds later than others'."""
    row, column = (NORTH - tile.north) // 10, (tile.west - WEST) // 10
    cut = (..., slice(row, row + tile.size), slice(column, column + tile.size))
    kept = np.arange(len(scene["reflectance"])) != lacks
    shift = np.timedelta64(3 * (row + column), "s")
    layers = {"worldcover": (scene["label"][cut], load_legend("worldcover"))}
    dataset = cube.build(
        tile, scene["times"][kept] + shift, scene["reflectance"][kept][cut],
        scene["clear"][kept][cut], layers, {},
    )  # fmt: skip
    cube.write(dataset, path, config={})
    return path


def make_scene(side: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Series that differ everywhere, clouds, and gaps."""
    rng = np.random.default_rng(seed)
    dates = 14
    reflectance = rng.integers(0, 6_000, (dates, 10, side, side), dtype=np.uint16)
    reflectance[:, :, rng.random((side, side)) < 0.002] = cube.MISSING
    blocks = rng.choice([0, 100], (dates, side // 6, side // 6), p=[0.35, 0.65])
    label = rng.choice(CODES, (side // 6, side // 6)).repeat(6, 0).repeat(6, 1).astype(np.uint8)
    return {
        "reflectance": reflectance,
        "clear": blocks.repeat(6, 1).repeat(6, 2).astype(np.uint8),
        "label": label,
        "times": np.datetime64("2021-04-01T10:00", "ns")
        + np.arange(dates) * np.timedelta64(10, "D"),
    }


def model(reflectance: np.ndarray, doy: np.ndarray) -> np.ndarray:
    """Depends on every pixel of the patch and on every date."""
    valid = doy > 0
    sums = np.where(valid, reflectance.sum((2, 3, 4), dtype=np.int64) * doy, 0).sum(1)
    logits = np.stack([np.sin(sums / 7e6), np.cos(sums / 5e6), np.sin(sums / 3e6)], 1)
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One large tile, and the same ground as four tiles and their map."""
    folder = tmp_path_factory.mktemp("area")
    scene = make_scene(2 * SIDE)
    large = write_cube(folder / "large.zarr", tile_at(0, 0, 2 * SIDE), scene)
    places = [(0, 0), (1, 0), (0, 1), (1, 1)]
    cubes = [write_cube(folder / f"{x}{y}.zarr", tile_at(x, y), scene) for x, y in places]
    files = [folder / "maps" / "county" / "tiles" / f"{tile_at(x, y).name}.tif" for x, y in places]
    for path, out in zip(cubes, files, strict=True):
        others = [other for other in cubes if other != path]
        found = maps.predict(
            path, SETTINGS, model, 300, neighbours=others, probabilities=len(CLASSES.names)
        )
        mapped = mapproducts.Mapped(
            found=found, classes=CLASSES, cube=cube.open_cube(path), patches=SETTINGS
        )
        mapproducts.write(mapped, out, ["probabilities"])
    out = folder / "maps" / "county" / "county.tif"
    make_area(files, out, layers=["probabilities"])
    return {"large": large, "map": out, **{f"tile{k}": file for k, file in enumerate(files)},
            **{f"cube{k}": path for k, path in enumerate(cubes)}}  # fmt: skip


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read(1)


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


@pytest.mark.parametrize("name", ["county.tif", "county.vrt", "tile0"])
def test_gdal_knows_the_classes(world: dict[str, Path], name: str) -> None:
    path = world.get(name, world["map"].with_name(name))
    names = gdal.categories(path)
    assert len(names) == 51 and names[0] == ""
    assert {value: name for value, name in enumerate(names) if name} == {
        10: "tree cover", 40: "crops & grass", 50: "built <up>",
    }  # fmt: skip
    rows = gdal.attributes(path)
    assert [row["Value"] for row in rows] == ["10", "40", "50"]
    assert rows[1] == {
        "Value": "40", "Class": "crops & grass", "Codes": "40 30",
        "Red": "240", "Green": "150", "Blue": "255", "Alpha": "255",
    }  # fmt: skip
    with rasterio.open(path) as source:
        assert source.colormap(1)[50] == (0xFA, 0, 0, 255) and source.colormap(1)[0][3] == 0
        assert source.nodata == 0 and source.dtypes == ("uint8",)
        assert source.tags(1)["CODES_40"] == "40 30"


def test_every_raster_is_a_cog(world: dict[str, Path]) -> None:
    rasters = sorted(world["map"].parent.rglob("*.tif"))
    assert len(rasters) == 4 + 4 * 5
    for path in rasters:
        valid, errors, warnings = cog_validate(path)
        assert valid and not errors, (path, errors, warnings)


def test_a_large_area_has_overviews_with_the_most_frequent_class(tmp_path: Path) -> None:
    scene = make_scene(600)
    path = write_cube(tmp_path / "c.zarr", tile_at(0, 0, 600), scene)
    classes = (np.arange(600)[:, None] // 64 % 3 + 1).repeat(600, 1).astype(np.uint16)
    empty = np.zeros((600, 600), np.uint8)
    found = maps.CropMap(classes, empty + 50, empty, empty.astype(np.uint16))
    tile = tmp_path / "tiles" / "t.tif"
    mapped = mapproducts.Mapped(
        found=found, classes=CLASSES, cube=cube.open_cube(path), patches=SETTINGS
    )
    mapproducts.write(mapped, tile)
    make_area([tile], tmp_path / "county.tif", cubes=[path])
    with rasterio.open(tmp_path / "county.tif") as source:
        assert source.overviews(1) == [2, 4]
        assert set(np.unique(source.read(1, out_shape=(150, 150)))) == {10, 40, 50}
    assert cog_validate(tmp_path / "county.tif")[0]


def test_the_style_of_qgis(world: dict[str, Path]) -> None:
    renderer = ET.parse(world["map"].with_suffix(".qml")).getroot().find("pipe/rasterrenderer")
    assert renderer.get("type") == "paletted" and renderer.get("band") == "1"
    entries = [dict(entry.attrib) for entry in renderer.iter("paletteEntry")]
    assert entries == [
        {"value": str(codes[0]), "color": colour, "alpha": "255", "label": name}
        for codes, colour, name in zip(CLASSES.codes, CLASSES.colours, CLASSES.names, strict=True)
    ]


def test_the_item_of_a_catalogue(world: dict[str, Path]) -> None:
    item = json.loads(world["map"].with_name("county_stac.json").read_text())
    assert (item["type"], item["stac_version"], item["id"]) == ("Feature", "1.1.0", "county")
    # By the schema of STAC that pystac brings along; those of extensions would be fetched.
    assert pystac.Item.from_dict({**item, "stac_extensions": []}).validate()
    about = item["properties"]
    assert about["datetime"] is None and about["start_datetime"] == "2021-04-01T00:00:00Z"
    assert about["end_datetime"] == "2021-08-09T23:59:59Z"
    with rasterio.open(world["map"]) as source:
        assert about["proj:code"] == f"EPSG:{source.crs.to_epsg()}"
        assert about["proj:shape"] == list(source.shape)
        assert about["proj:transform"] == list(source.transform)[:6]
        bounds = rasterio.warp.transform_bounds(source.crs, "EPSG:4326", *source.bounds)
    np.testing.assert_allclose(item["bbox"], bounds, atol=1e-9)
    ring = np.array(item["geometry"]["coordinates"][0])
    np.testing.assert_allclose([*ring.min(0), *ring.max(0)], bounds, atol=1e-4)
    for asset in item["assets"].values():
        assert (world["map"].parent / asset["href"]).is_file() and asset["type"] and asset["roles"]
    listed = item["assets"]["classes"]["classification:classes"]
    assert [(one["value"], one["name"], one["title"]) for one in listed] == [
        (10, "tree_cover", "tree cover"), (40, "crops_grass", "crops & grass"),
        (50, "built_up", "built <up>"),
    ]  # fmt: skip
    assert [one["color_hint"] for one in listed] == ["006400", "F096FF", "FA0000"]
    assert {"classes", "confidence", "margin", "dates", "areas", "picture"} <= set(item["assets"])


def test_without_a_sample_pixels_are_counted_and_nothing_else_is_said(
    world: dict[str, Path],
) -> None:
    table = pd.read_csv(world["map"].with_name("county_areas.csv"))
    values = read(world["map"])
    count = [int((values == codes[0]).sum()) for codes in CLASSES.codes]
    assert table.pixels.tolist() == [*count, sum(count)]
    assert table["class"].tolist() == [*CLASSES.names, "(all)"]
    assert table.code.tolist() == [10, 40, 50, -1]
    np.testing.assert_allclose(table.mapped_ha, table.pixels / 100, rtol=1e-5)
    assert table[["estimated_ha", "low_ha", "users_accuracy"]].isna().all(axis=None)
    assert table.basis.str.startswith("counted pixels alone").all()


def test_files_are_artefacts_with_records(world: dict[str, Path]) -> None:
    folder = world["map"].parent
    names = {f"county{ending}" for ending in mapproducts.area_endings(["probabilities"]).values()}
    assert {path.name for path in folder.iterdir() if path.is_file()} == names
    for name in names:
        assert artefacts.read_file(folder / name) is not None
        assert artefacts.check_file(folder / name) == []


def test_the_virtual_map_moves_with_its_folder(world: dict[str, Path], tmp_path: Path) -> None:
    before = read(world["map"].with_suffix(".vrt"))
    moved = tmp_path / "elsewhere"
    world["map"].parent.rename(moved)
    try:
        np.testing.assert_array_equal(read(moved / "county.vrt"), before)
        np.testing.assert_array_equal(read(moved / "county.tif"), before)
    finally:
        moved.rename(world["map"].parent)


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
