"""`sitsformer assess` by a raster: what of it is a unit, and what is no sample."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from click.testing import CliRunner

from area_world import CLASSES, GROUND, NORTH, WEST, draw, make_ground
from sitsformer.commands.assess import assess as command
from sitsformer.errors import SitsError
from sitsformer.evaluation import areas
from sitsformer.maps.assess import assess


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray, np.ndarray]:
    return make_ground(tmp_path_factory.mktemp("assess"))


def write_raster(path: Path, values: np.ndarray, pixel: float, crs: int = 32614) -> Path:
    place = rasterio.transform.from_origin(WEST, NORTH, pixel, pixel)
    with rasterio.open(
        path, "w", driver="GTiff", width=values.shape[1], height=values.shape[0], count=1,
        dtype="uint8", crs=crs, transform=place,
    ) as target:  # fmt: skip
        target.write(values.astype(np.uint8), 1)
    return path


def test_rasters_of_floats_and_of_several_bands(ground, tmp_path: Path) -> None:
    path, classes, truth = ground
    row, column = draw(classes)
    values = np.full((2, GROUND, GROUND), np.nan, np.float32)
    values[0], values[1, row, column] = 7, np.array([10, 40, 50])[truth[row, column]]
    with rasterio.open(
        tmp_path / "r.tif", "w", driver="GTiff", width=GROUND, height=GROUND, count=2,
        nodata=np.nan, dtype="float32", crs=32614,
        transform=rasterio.transform.from_origin(WEST, NORTH, 10, 10),
    ) as target:  # fmt: skip
        target.write(values)
    found = assess(path, tmp_path / "r.tif", design="stratified", band=2)
    assert found["class"].tolist() == [*CLASSES.names, "(all)"] and found.samples[3] == 180
    refused = [
        ({}, "has 2 bands: say with --band which one"),
        ({"band": 3}, "has no band 3: it has 2"),
        ({"band": 1}, "has no class of the map: it has 7, and the map"),
        ({"column": "crop"}, "is a raster: leave --column out"),
    ]
    for options, message in refused:
        with pytest.raises(SitsError, match=message):
            assess(path, tmp_path / "r.tif", design="simple", **options)


def test_a_reference_of_the_whole_map_is_no_sample(ground, tmp_path: Path) -> None:
    path, classes, truth = ground
    reference = write_raster(tmp_path / "all.tif", np.array([10, 40, 50])[truth], 10)
    found = assess(path, reference, design="simple")
    real = np.bincount(truth[classes > 0]) / 100
    np.testing.assert_allclose(found.estimated_ha[:3], real)
    for name in ("low_ha", "high_ha"):
        np.testing.assert_allclose(found[name][:3], real)
    assert (found[["users_variance", "producers_variance"]] == 0).all(axis=None)
    assert found.users_accuracy.iloc[-1] == (truth == classes.astype(int) - 1)[classes > 0].mean()
    mapped = int((classes > 0).sum())
    assert found.basis[0] == (
        f"{mapped} units of all.tif, every pixel of the map that has a class: there is no sampling "
        f"error; {6 * GROUND} more lie where the map has no class"
    )
    done = CliRunner().invoke(
        command, [str(path), str(reference), "--design", "simple", "--out", str(tmp_path / "t.csv")]
    )
    assert done.exit_code == 0 and "interval" not in done.output
    assert done.output.count(" ha (counted ") == 3


def test_a_reference_of_most_of_the_map_says_so(ground, tmp_path: Path, caplog) -> None:
    """A register of fields: what lies beyond its fields, nobody knows."""
    path, classes, truth = ground
    codes = np.array([10, 40, 50])[truth]
    codes[:, -GROUND // 4 :] = 0
    reference = write_raster(tmp_path / "register.tif", codes, 10)
    with caplog.at_level(logging.WARNING, "sitsformer"):
        found = assess(path, reference, design="simple")
    assert "covers 75% of the map, which is no sample of single places" in caplog.text
    assert found.basis[0].endswith(
        "they cover 75% of the map, and the rest is taken to be like that"
    )
    there = (classes > 0) & (codes > 0)
    assert found.samples.iloc[-1] == there.sum() and (found.low_ha < found.high_ha)[:2].all()


def test_a_pixel_of_a_coarser_reference_is_one_unit(ground, tmp_path: Path) -> None:
    """Nine pixels of the map were one place to whoever looked: they are no nine draws."""
    path, classes, truth = ground
    side = GROUND // 3
    rng = np.random.default_rng(5)
    place = rng.choice(np.arange(2 * side, side * side), 150, replace=False)
    row, column = np.divmod(place, side)
    middle = 3 * row + 1, 3 * column + 1
    values = np.zeros((side, side), int)
    values[row, column] = np.array([10, 40, 50])[truth[middle]]
    found = assess(path, write_raster(tmp_path / "r.tif", values, 30), design="simple")
    pixels = np.bincount(classes.ravel(), minlength=4)[1:]
    sample = areas.Reference.plain(classes[middle] - 1, truth[middle], pixels)
    expected = areas.table(pixels, CLASSES.names, (10, 40, 50), sample, 0.95, "", 0.01)
    same = [name for name in expected.columns if name != "basis"]
    pd.testing.assert_frame_equal(found[same], expected[same])
    assert found.samples.iloc[-1] == 150


def test_a_small_pixel_of_a_finer_reference_is_a_unit(ground, tmp_path: Path, caplog) -> None:
    """One of 2 m anywhere on a pixel of the map; of several the one next to its middle."""
    path, classes, truth = ground
    row, column = draw(classes)
    rng = np.random.default_rng(6)
    values = np.zeros((5 * GROUND, 5 * GROUND), int)
    codes = np.array([10, 40, 50])[truth[row, column]]
    values[5 * row + rng.integers(0, 5, len(row)), 5 * column + rng.integers(0, 5, len(row))] = (
        codes
    )
    reference = write_raster(tmp_path / "r.tif", values, 2)
    found = assess(path, reference, design="stratified")
    assert found.samples.tolist() == [60, 60, 60, 180]
    right = (truth[row, column] == classes[row, column] - 1)[classes[row, column] == 2].mean()
    assert found.users_accuracy[1] == pytest.approx(right)
    values[5 * row, 5 * column] = 50  # a corner says else
    values[5 * row + 2, 5 * column + 2] = codes
    again = assess(path, write_raster(tmp_path / "s.tif", values, 2), design="stratified")
    pd.testing.assert_frame_equal(again.drop(columns="basis"), found.drop(columns="basis"))
    assert "side by side" not in caplog.text


def test_units_in_patches_are_told(ground, tmp_path: Path, caplog) -> None:
    path, _, truth = ground
    values = np.zeros((GROUND, GROUND), int)
    for row, column in np.random.default_rng(7).integers(10, GROUND - 10, (25, 2)).tolist():
        here = slice(row, row + 5), slice(column, column + 5)
        values[here] = np.array([10, 40, 50])[truth[here]]
    with caplog.at_level(logging.WARNING, "sitsformer"):
        found = assess(path, write_raster(tmp_path / "r.tif", values, 10), design="simple")
    assert "most units lie side by side" in caplog.text
    assert found.basis[0].endswith("most lie side by side, and count as draws of their own")
