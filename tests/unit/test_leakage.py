"""The leakage table: distances, shared pixels, and what pretraining has seen."""

from dataclasses import replace

import numpy as np
import pytest
from pyproj import Geod, Transformer

import phenology
from sitsformer.patches import leakage
from sitsformer.patches.leakage import SampleGroup, compare, leakage_table


def group(name: str, x: list[float], y: list[float], epsg: int = 32631, **changes) -> SampleGroup:
    lon, lat = Transformer.from_crs(epsg, 4326, always_xy=True).transform(x, y)
    made = SampleGroup(
        name=name,
        lon=np.array(lon),
        lat=np.array(lat),
        x=np.array(x),
        y=np.array(y),
        epsg=np.full(len(x), epsg, np.int32),
        block=np.arange(len(x)),
        areas=("farm",),
        years=(2021,),
        label="cdl",
        side=50.0,
        pixel=10,
    )
    return replace(made, **changes)


@pytest.mark.parametrize(("step", "shared"), [(0, 1), (10, 1), (40, 1), (50, 0), (60, 0)])
def test_patches_that_share_pixels_are_counted(step, shared):
    first = group("train", [500_005.0, 510_005.0], [5_600_005.0] * 2)
    for dx, dy in ((step, 0), (0, -step), (step, step)):
        second = group("test", [500_005.0 + dx], [5_600_005.0 + dy])
        found = compare(first, second)
        assert found.overlapping == shared
        assert found.nearest == pytest.approx(np.hypot(dx, dy), rel=1e-3, abs=1e-6)


def test_distances_reach_across_utm_zones():
    first = group("train", [600_005.0], [5_600_005.0], 32631)
    second = group("test", [300_005.0], [5_600_005.0], 32632)
    _, _, ground = Geod(ellps="WGS84").inv(first.lon[0], first.lat[0], second.lon[0], second.lat[0])
    found = compare(first, second)
    assert found.nearest == pytest.approx(ground, rel=1e-3)
    assert found.overlapping == 0


@pytest.mark.parametrize("loose", ["both", "first", "second"])
def test_converted_samples_overlap_by_the_distance_of_their_centres(loose):
    x, y = [500_005.0, 500_015.0, 500_105.0], [5_600_005.0] * 3
    first, second = group("pretraining", x[:1], y[:1]), group("test", x, y)
    if loose in ("both", "first"):
        first = replace(first, x=np.full(1, np.nan), y=np.full(1, np.nan), epsg=np.zeros(1, int))
    if loose in ("both", "second"):
        second = replace(second, x=np.full(3, np.nan), y=np.full(3, np.nan), epsg=np.zeros(3, int))
    assert compare(first, second).overlapping == 2  # 0 m and 10 m apart; patches of 50 m


def test_what_is_shared_and_seen():
    first = group("pretraining", [5.0], [5.0], areas=("a", "b"), years=(2019, 2020), label="lc")
    second = group("test", [5.0], [5.0], areas=("b", "c"), years=(2020,))
    found = compare(first, second)
    assert (found.shared_areas, found.shared_years) == (("b",), (2020,))
    assert found.shared_blocks == 1 and not found.same_label
    assert found.row()["shared_areas"] == ["b"]


def test_an_empty_group_has_no_distance():
    assert compare(group("train", [], []), group("test", [5.0], [5.0])).nearest is None
    unknown = np.array([np.nan])
    lost = replace(group("train", [5.0], [5.0]), lon=unknown, lat=unknown, x=unknown, y=unknown)
    for first, second in ((lost, group("test", [5.0], [5.0])), (lost, lost)):
        found = compare(first, second)
        assert found.nearest is None and found.overlapping == 0


def test_pretraining_is_compared_with_every_split(tmp_path):
    store = phenology.write(tmp_path / "s.zarr", phenology.make(200))
    table = {(row.first, row.second): row for row in leakage_table(store, store)}
    assert ("pretraining", "test") in table and ("train", "test") in table
    assert table["pretraining", "train"].nearest == 0
    assert table["pretraining", "train"].overlapping > 0
    assert table["pretraining", "train"].same_label
    assert len(table) == len(leakage.pairs(leakage.split_groups(opened(store)))) + 3


def opened(store):
    from sitsformer.samples import open_samples

    return open_samples(store)
