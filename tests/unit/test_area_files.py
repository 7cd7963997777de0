"""Files of a map of an area, as GDAL, QGIS, catalogues and spreadsheets read them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pystac
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

import gdal
from area_world import CLASSES, SETTINGS, make_scene, make_world, read, tile_at, write_cube
from sitsformer import artefacts, cube, mapproducts, maps
from sitsformer.maps.area import make_area


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_world(tmp_path_factory.mktemp("area"))


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
