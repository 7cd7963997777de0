"""When test samples are a sample of a mapped area, and what is said where they are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_area_maps import CLASSES, make_scene, tile_at, write_cube

from sitsformer import cube, maps
from sitsformer.maps import predictor, reference
from sitsformer.maps.area import labelled

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
    truth = CLASSES.index(cube.open_cube(world["cube"]).worldcover.values)
    hectares = np.bincount(truth.ravel() + 1, minlength=4)[1:] / 100
    # The map loses a third of the second class; the samples give it back.
    assert table.mapped_ha[1] < 0.8 * hectares[1]
    assert (table.low_ha[:3] <= hectares).all() and (hectares <= table.high_ha[:3]).all()
    assert abs(table.estimated_ha[1] - hectares[1]) < 0.12 * hectares[1]
    assert 0.6 < table.producers_accuracy[1] < 0.8 and table.users_accuracy[1] > 0.99
    assert labelled(tmp_path / "county.tif", mapped.codes, [world["cube"]], "worldcover") == 1


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


def test_an_area_without_samples_of_its_own(world, tmp_path: Path) -> None:
    path = store(world, tmp_path / "s.zarr")
    codes = maps.read_codes(world["tile"])
    found = reference.look_up(path, world["tile"], codes, "other", None, lambda layer: None)
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
