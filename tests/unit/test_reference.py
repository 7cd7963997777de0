"""When test samples are a sample of a mapped area, and what is said where they are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from area_world import CLASSES, SETTINGS, make_scene, tile_at, write_cube
from cubes import make_config
from sitsformer import cube, mapproducts, maps
from sitsformer.maps import predictor, reference
from sitsformer.maps.area import make_area
from sitsformer.maps.drawable import Drawable, drawable
from sitsformer.patches import make_tile_store, tile_store
from sitsformer.patches.merge import merge

SIDE = 120


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tile `county` with samples of its own, and its map, which errs for a third of the grass."""
    folder = tmp_path_factory.mktemp("reference")
    scene = make_scene(SIDE)
    scene["label"][scene["label"] == 0] = 10
    scene["label"][scene["label"] == 20] = 10
    tile = tile_at(0, 0, SIDE)
    path = write_cube(folder / "c.zarr", tile, scene)
    truth = CLASSES.index(scene["label"]).astype(int)
    wrong = np.random.default_rng(3).random(truth.shape) < 0.3
    classes = (np.where(wrong & (truth == 1), 0, truth) + 1).astype(np.uint16)
    empty = np.zeros_like(classes)
    found = maps.CropMap(classes, (empty + 50).astype(np.uint8), empty.astype(np.uint8), empty + 9)
    mapped = mapproducts.Mapped(
        found=found, classes=CLASSES, cube=cube.open_cube(path), patches=SETTINGS
    )
    mapproducts.write(mapped, folder / "t.tif")
    return {"folder": folder, "cube": path, "tile": folder / "t.tif"}


def store(world: dict[str, Path], out: Path, **chosen: object) -> Path:
    """Samples of the tile, cut and merged as the workflow does it."""
    classes = dict(zip(CLASSES.names, CLASSES.codes, strict=True))
    split = {"by": "block", "block": 150, "fractions": [0.3, 0.2, 0.5]}
    config = make_config(
        areas={"county": {}}, patches={"size": 3, "min_dates": 2},
        chosen={"classes": classes, "per_tile": 900, "split": split, **chosen},
    )  # fmt: skip
    tile, parts = cube.tile_of(cube.open_cube(world["cube"])), out.with_name("part.zarr")
    with pytest.MonkeyPatch.context() as patch:
        # The tile is not of the config's bounds.
        patch.setattr(tile_store, "find_tile", lambda *_: tile)
        make_tile_store(config, "land", "county", tile.name, world["cube"], parts)
    merge(config, "land", out, [parts])
    return out


def look(world: dict[str, Path], path: Path, out: Path, **options: object):
    return make_area([world["tile"]], out, store=path, cubes=[world["cube"]], **options)


def test_samples_of_the_area_correct_its_map(world, tmp_path: Path) -> None:
    path = store(world, tmp_path / "s.zarr")
    mapped = look(world, path, tmp_path / "county.tif")
    table = mapped.table
    assert " blocks drawn at random, weighted by tile and class" in table.basis[0]
    truth = CLASSES.index(cube.open_cube(world["cube"]).worldcover.values)
    hectares = np.bincount(truth.ravel() + 1, minlength=4)[1:] / 100
    # The map loses a third of the second class; the samples give it back.
    assert table.mapped_ha[1] < 0.8 * hectares[1]
    low, high = table.low_ha[:3] - 1e-6, table.high_ha[:3] + 1e-6
    assert (low <= hectares).all() and (hectares <= high).all()
    assert abs(table.estimated_ha[1] - hectares[1]) < 0.12 * hectares[1]
    assert 0.6 < table.producers_accuracy[1] < 0.8 and table.users_accuracy[1] > 0.99
    found = drawable(tmp_path / "county.tif", mapped.codes, [world["cube"]], path)
    assert found == Drawable(mapped=SIDE * SIDE, of_tiles=1, of_map=1)


@pytest.mark.parametrize(
    ("season", "chosen", "reason"),
    [
        (2019, {}, "they are of 2020, the map of 2019"),
        (2020, {"purity": 5}, "of its pixels could not be drawn"),
        (
            None,
            {"classes": {"tree cover": (10,), "crops & grass": (40, 30)}},
            "not those of the map",
        ),
    ],
)
def test_why_samples_are_carried_over(world, tmp_path: Path, season, chosen, reason) -> None:
    path = store(world, tmp_path / "s.zarr", **chosen)
    drawer = predictor.Predictor(
        predict=lambda r, d: np.eye(3)[r[:, 0, 0, 0, 0].astype(int) % 3],
        classes=CLASSES, layer="worldcover", bands=(), patch=3,
    )  # fmt: skip
    table = look(world, path, tmp_path / "county.tif", season=season, predictor=drawer).table
    assert table.basis[0].startswith("carried over from the ")
    assert "not valid for this area: " in table.basis[0] and reason in table.basis[0]
    assert table[["estimated_ha", "low_ha", "high_ha", "users_variance"]].isna().all(axis=None)
    assert 0.2 < table.users_accuracy.iloc[-1] < 0.7


def part(folder: Path, crumbs: int, mapped: slice, labelled: int = SIDE) -> dict[str, Path]:
    """A tile of two large fields, from a column on of crumbs, and the map of a part of it."""
    scene = make_scene(SIDE)
    label = np.full((SIDE, SIDE), 10, np.uint8)
    label[SIDE // 2 :] = 40
    some = np.random.default_rng(1).choice([10, 40], (SIDE, SIDE))
    label[:, crumbs:] = some[:, crumbs:]
    truth = label.copy()
    label[:, labelled:] = 0
    scene["label"] = label
    path = write_cube(folder / "c.zarr", tile_at(0, 0, SIDE), scene)
    classes = np.zeros(label.shape, np.uint16)
    classes[:, mapped] = CLASSES.index(truth)[:, mapped] + 1
    empty = np.zeros_like(classes)
    found = maps.CropMap(classes, (empty + 50).astype(np.uint8), empty.astype(np.uint8), empty + 9)
    mapped_tile = mapproducts.Mapped(
        found=found, classes=CLASSES.only([0, 1]), cube=cube.open_cube(path), patches=SETTINGS
    )
    mapproducts.write(mapped_tile, folder / "t.tif")
    return {"folder": folder, "cube": path, "tile": folder / "t.tif"}


SMALL_BLOCKS = {"by": "block", "block": 100, "fractions": [0.3, 0.2, 0.5]}


@pytest.mark.parametrize(
    ("crumbs", "mapped", "says"),
    [
        # Half of the tile could not be drawn, and nearly all that is mapped could.
        (SIDE // 2, slice(0, SIDE // 2 - 2), "blocks drawn at random, weighted by tile and class"),
        # The other way round: what is mapped is what nobody could draw.
        (SIDE - 3, slice(SIDE - 4, SIDE), "could not be drawn (no label, none of a class"),
    ],
)
def test_only_what_is_mapped_has_to_be_drawable(tmp_path: Path, crumbs, mapped, says) -> None:
    """As a map has it that ends at the outline of its area, or holds cropland alone."""
    world = part(tmp_path, crumbs, mapped)
    classes = dict(zip(CLASSES.names[:2], CLASSES.codes[:2], strict=True))
    path = store(
        world, tmp_path / "s.zarr", per_tile="all", split=SMALL_BLOCKS, purity=3, classes=classes
    )
    made = look(world, path, tmp_path / "county.tif")
    assert says in made.table.basis[0]
    # Without the labels of these pixels nobody can tell.
    made = make_area([world["tile"]], tmp_path / "county.tif", store=path)
    share = f"{(mapped.stop - mapped.start) / SIDE:.0%}"
    assert f"the map holds {share} of its tiles, and how much of that" in made.table.basis[0]


def test_few_labels_are_no_sample_of_many_pixels(tmp_path: Path) -> None:
    """As those of a survey, which are in no cube: a tenth of the tile has one, half is mapped."""
    world = part(tmp_path, SIDE, slice(0, SIDE // 2), labelled=SIDE // 10)
    classes = dict(zip(CLASSES.names[:2], CLASSES.codes[:2], strict=True))
    split = {"by": "block", "block": 60, "fractions": [0.3, 0.2, 0.5]}
    path = store(world, tmp_path / "s.zarr", per_tile="all", split=split, classes=classes)
    for cubes in ([], [world["cube"]]):
        made = make_area([world["tile"]], tmp_path / "county.tif", store=path, cubes=cubes)
        assert "80% of its pixels could not be drawn" in made.table.basis[0]


def test_an_area_without_samples_of_its_own(world, tmp_path: Path) -> None:
    path = store(world, tmp_path / "s.zarr")
    codes = maps.read_codes(world["tile"])
    found = reference.look_up(path, world["tile"], codes, "other", None, pytest.fail)
    assert found.sample is None
    assert "in county (2020), not valid for this area: they lie in other areas" in found.basis


def test_values_at_places_of_a_raster_of_many_blocks(tmp_path: Path) -> None:
    import rasterio

    values = np.arange(600 * 700, dtype=np.uint32).reshape(600, 700).astype(np.uint16)
    path = tmp_path / "r.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=700, height=600, count=1, dtype="uint16", tiled=True,
        blockxsize=256, blockysize=256, crs="EPSG:32614",
        transform=rasterio.transform.from_origin(500_000, 4_650_000, 10, 10),
    ) as target:  # fmt: skip
        target.write(values, 1)
    rng = np.random.default_rng(0)
    row, column = rng.integers(-20, 640, 3000), rng.integers(-20, 740, 3000)
    x, y = 500_000 + 10.0 * column + rng.uniform(0, 10, 3000), 4_650_000 - 10.0 * row - 5
    inside = (row >= 0) & (row < 600) & (column >= 0) & (column < 700)
    expected = np.where(inside, values[np.clip(row, 0, 599), np.clip(column, 0, 699)], 7)
    np.testing.assert_array_equal(reference.values_at(path, x, y, 7), expected)
