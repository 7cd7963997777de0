"""Intervals of areas hold what they promise: 200 samples of a map whose truth is known."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio

from sitsformer.classes import Classes
from sitsformer.evaluation import areas
from sitsformer.maps.assess import assess
from sitsformer.maps.codes import map_codes

NAMES = ("winter wheat", "maize", "soy", "grass")
CODES = map_codes(Classes(NAMES, ("#a57000", "#ffd300", "#267000", "#e8ffbf"),
                          ((4,), (1,), (5,), (9,))))  # fmt: skip
SHARES = (0.45, 0.3, 0.17, 0.08)
CONFUSION = np.array(
    [[0.85, 0.10, 0.03, 0.02], [0.08, 0.80, 0.10, 0.02], [0.03, 0.17, 0.75, 0.05],
     [0.12, 0.02, 0.06, 0.80]]
)  # fmt: skip
"""How fields of a class (rows) are mapped: more of the rare classes is missed than found."""
SIDE, FIELD, REPEATS, A_CLASS = 300, 6, 200, 150
LEVEL = 0.95


def landscape() -> tuple[np.ndarray, np.ndarray]:
    """True and mapped class of every pixel: whole fields are wrong, and some pixels beside."""
    rng = np.random.default_rng(3)
    fields = (SIDE // FIELD,) * 2
    truth = rng.choice(4, fields, p=SHARES)
    draw = rng.random(fields)
    mapped = (draw[..., None] > CONFUSION[truth].cumsum(-1)).sum(-1).clip(max=3)
    truth, mapped = (part.repeat(FIELD, 0).repeat(FIELD, 1) for part in (truth, mapped))
    speckle = rng.random(truth.shape) < 0.04
    return truth, np.where(speckle, rng.choice(4, truth.shape), mapped)


TRUTH, MAPPED = landscape()
PIXELS = np.bincount(MAPPED.ravel(), minlength=4)
REAL = np.bincount(TRUTH.ravel(), minlength=4) / 100.0
"""Hectares of each class, which only this test knows."""


def drawn(design: str, rng: np.random.Generator) -> np.ndarray:
    """Positions of a sample."""
    if design == "simple":
        return rng.choice(TRUTH.size, 4 * A_CLASS, replace=False)
    of_class = [np.flatnonzero(MAPPED.ravel() == k) for k in range(4)]
    return np.concatenate([rng.choice(pool, A_CLASS, replace=False) for pool in of_class])


def intervals(design: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Low, high and estimate (repeat, class), hectares."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(REPEATS):
        places = drawn(design, rng)
        sample = areas.Reference.plain(MAPPED.ravel()[places], TRUTH.ravel()[places], PIXELS)
        table = areas.table(PIXELS, NAMES, CODES.values, sample, LEVEL, "", 0.01)
        found.append(table[["low_ha", "high_ha", "estimated_ha"]].to_numpy()[:-1])
    low, high, middle = np.moveaxis(np.array(found), 2, 0)
    return low, high, middle


@pytest.mark.parametrize("design", ["stratified", "simple"])
def test_intervals_hold_the_truth_as_often_as_they_say(design: str) -> None:
    low, high, middle = intervals(design)
    holds = (low <= REAL) & (high >= REAL)
    # One standard error of a share over 200 samples is 1.5 %.
    assert abs(holds.mean() - LEVEL) < 0.02
    assert (np.abs(holds.mean(0) - LEVEL) < 0.045).all()
    error = middle.std(0) / np.sqrt(REPEATS)
    assert (np.abs(middle.mean(0) - REAL) < 4 * error).all()
    # Counted pixels are no estimate: what is missed more than found lies outside too often.
    counted = PIXELS / 100.0
    assert ((low <= counted) & (high >= counted)).mean() < 0.8


def test_the_command_says_the_same_of_a_file(tmp_path: Path) -> None:
    raster = tmp_path / "map.tif"
    place = rasterio.Affine(10, 0, 500_000, 0, -10, 4_650_000)
    with rasterio.open(
        raster, "w", driver="GTiff", width=SIDE, height=SIDE, count=1, dtype=CODES.dtype,
        crs="EPSG:32614", transform=place, nodata=CODES.nodata,
    ) as target:  # fmt: skip
        target.write(CODES.encode(MAPPED.astype(np.uint16) + 1), 1)
        target.update_tags(1, **CODES.tags)
    places = drawn("stratified", np.random.default_rng(11))
    row, column = np.unravel_index(places, TRUTH.shape)
    points = geopandas.points_from_xy(500_005 + 10 * column, 4_649_995 - 10 * row, crs="EPSG:32614")
    names = np.array(NAMES, object)[TRUTH.ravel()[places]]
    frame = geopandas.GeoDataFrame({"class": names}, geometry=points).to_crs(4326)
    frame.to_file(tmp_path / "points.gpkg", driver="GPKG")
    found = assess(raster, tmp_path / "points.gpkg", design="stratified", column=None, level=LEVEL)
    own = found.set_index("class").loc[list(NAMES)]
    sample = areas.Reference.plain(MAPPED.ravel()[places], TRUTH.ravel()[places], PIXELS)
    expected = areas.table(PIXELS, NAMES, CODES.values, sample, LEVEL, "", 0.01).set_index("class")
    columns = ["low_ha", "high_ha", "estimated_ha", "users_accuracy", "producers_accuracy"]
    pd.testing.assert_frame_equal(own[columns], expected.loc[list(NAMES)][columns])
