"""Splits: blocks, shares, classes, polygons, lists of areas."""

from itertools import product
from pathlib import Path

import geopandas
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import box

from cubes import make_config, tiles
from sitsformer.config import SplitBy
from sitsformer.patches import splits
from sitsformer.samples import UNASSIGNED


@given(
    side=st.sampled_from([10.0, 50.0, 640.0, 5000.0]),
    points=st.lists(
        st.tuples(st.integers(-20_000, 1_500_000), st.integers(-500_000, 10_500_000)),
        min_size=2,
        max_size=20,
        unique=True,
    ),
)
def test_block_numbers_are_squares_and_unique(side, points):
    x, y = np.array(points, float).T
    blocks = splits.block_ids(32631, x, y, side)
    squares = list(zip(np.floor(x / side), np.floor(y / side), strict=True))
    assert (blocks > 0).all()
    for i in range(len(points)):
        for j in range(i):
            assert (blocks[i] == blocks[j]) == (squares[i] == squares[j])
    assert not np.intersect1d(blocks, splits.block_ids(32632, x, y, side)).size


@pytest.mark.parametrize(("side", "size"), [(100.0, 5), (70.0, 3), (640.0, 9), (10.0, 1)])
def test_patches_inside_blocks_share_no_pixel_with_other_blocks(side, size):
    tile = tiles(make_config(size=48))[0]
    inside = splits.inside_blocks(tile, side, size)
    x, y = np.meshgrid(tile.x, tile.y)
    block = splits.block_ids(tile.epsg, x, y, side)
    half = size // 2
    expected = np.zeros_like(inside)
    for i in range(48):
        for j in range(48):
            # The patch may reach out of the tile here: blocks go on there.
            around = [
                splits.block_ids(tile.epsg, x[i, j] + 10.0 * dx, y[i, j] + 10.0 * dy, side)
                for dx in (-half, half)
                for dy in (-half, half)
            ]
            expected[i, j] = all(other == block[i, j] for other in around)
    assert (inside == expected).all()


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    blocks=st.integers(3, 60),
    classes=st.integers(1, 6),
)
def test_each_class_reaches_each_split_where_blocks_allow(seed, blocks, classes):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(0.4, 10, (blocks, classes)))
    split = splits.assign_blocks(counts, (0.6, 0.2, 0.2), seed)
    assert split.shape == (blocks,) and split.max() <= 2
    held = (counts > 0).sum(axis=0)
    for k in range(classes):
        there = {int(s) for s in split[counts[:, k] > 0]}
        if held[k] >= 1 and classes == 1:
            assert len(there) == min(3, held[k])
        if held[k]:
            assert there


def test_rare_classes_go_to_train_then_test():
    counts = np.array([[50, 9], [60, 0], [40, 0], [55, 7], [45, 0], [50, 0]])
    split = splits.assign_blocks(counts, (0.6, 0.2, 0.2), 0)
    assert sorted(split[[0, 3]].tolist()) == [0, 2]


def test_shares_are_met_with_many_blocks():
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(0.4, 20, (300, 8)))
    fractions = (0.7, 0.1, 0.2)
    split = splits.assign_blocks(counts, fractions, 1)
    for value, fraction in enumerate(fractions):
        mine = counts[split == value]
        assert abs(mine.sum() / counts.sum() - fraction) < 0.01
        assert (np.abs(mine.sum(axis=0) / counts.sum(axis=0) - fraction) < 0.06).all()


@pytest.mark.parametrize("seed", range(8))
def test_few_blocks_come_near_the_best_there_is(seed):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(1, 20, (6, 2))) + 1
    shares = np.array([0.6, 0.2, 0.2])

    def error(split: np.ndarray) -> float:
        held = np.stack([counts[split == s].sum(axis=0) for s in range(3)])
        classes = held / counts.sum(axis=0) - shares[:, None]
        everything = held.sum(axis=1) / counts.sum() - shares
        return float((classes**2).sum() / 2 + (everything**2).sum())

    possible = (np.array(split) for split in product(range(3), repeat=6))
    best = min(error(split) for split in possible if len(set(split.tolist())) == 3)
    found = splits.assign_blocks(counts, (0.6, 0.2, 0.2), seed)
    assert set(found.tolist()) == {0, 1, 2}
    assert error(found) < best + 0.05


def test_assignment_is_seeded_and_order_is_the_blocks():
    counts = np.random.default_rng(0).poisson(5, (40, 3))
    first, second = (splits.assign_blocks(counts, (0.6, 0.2, 0.2), 5) for _ in range(2))
    assert (first == second).all()
    assert (splits.assign_blocks(counts, (0.6, 0.2, 0.2), 6) != first).any()


def test_a_share_of_zero_gets_nothing():
    counts = np.random.default_rng(0).poisson(5, (40, 3))
    assert set(splits.assign_blocks(counts, (0.9, 0.1, 0.0), 0).tolist()) == {0, 1}


def test_areas_and_years():
    by_area = SplitBy(by="area", train=("a", "b"), test=("c",))
    assert splits.of_areas(by_area, ["c", "a", "x"], [1, 2, 3]).tolist() == [2, 0, UNASSIGNED]
    by_year = SplitBy(by="year", train=("2019", "2020"), test=("2021",))
    assert splits.of_areas(by_year, ["p", "q"], [2021, 2019]).tolist() == [2, 0]
    twice = SplitBy(by="area", train=("a",), test=("a",))
    with pytest.raises(splits.SplitError, match="'a' is listed in both train and test"):
        splits.of_areas(twice, ["a"], [2020])


def test_presence():
    label, split = np.array([0, 1, 0, -1]), np.array([0, 0, 2, 2], np.uint8)
    wanted = [True, False, True]
    assert splits.check_presence(label, split, ["a", "b"], wanted) == ["test has no sample of b"]
    with pytest.raises(splits.SplitError, match="leaves validation without samples"):
        splits.check_presence(label, split, ["a", "b"], [True, True, True])
    with pytest.raises(splits.SplitError, match="train has no sample of b"):
        splits.check_presence(label, np.array([0, 2, 2, 0], np.uint8), ["a", "b"], wanted)


def write_polygons(path: Path, epsg: int, shapes: dict[str, tuple[float, ...]]) -> str:
    frame = geopandas.GeoDataFrame(
        {"split": list(shapes)}, geometry=[box(*shape) for shape in shapes.values()], crs=epsg
    )
    frame.to_file(path)
    return str(path)


def test_polygons_become_a_map(tmp_path):
    tile = tiles(make_config(size=12))[0]
    west, south, east, north = tile.bounds
    path = write_polygons(
        tmp_path / "p.geojson",
        tile.epsg,
        {"train": (west, south, west + 50, north), "test": (west + 70, south, east, north)},
    )
    found = splits.polygon_map(tile, path)
    assert (found[:, :5] == 0).all() and (found[:, 7:] == 2).all()
    assert (found[:, 5:7] == UNASSIGNED).all()


def test_polygons_that_overlap_or_lack_a_column_are_refused(tmp_path):
    tile = tiles(make_config(size=12))[0]
    west, south, east, north = tile.bounds
    both = {"train": (west, south, west + 60, north), "test": (west + 50, south, east, north)}
    with pytest.raises(splits.SplitError, match="'test' and 'train' overlap"):
        splits.polygon_map(tile, write_polygons(tmp_path / "p.gpkg", tile.epsg, both))
    odd = write_polygons(tmp_path / "q.gpkg", tile.epsg, {"exam": (west, south, east, north)})
    with pytest.raises(splits.SplitError, match="'exam' is not one of"):
        splits.polygon_map(tile, odd)
    with pytest.raises(splits.SplitError, match="cannot be read"):
        splits.polygon_map(tile, str(tmp_path / "none.gpkg"))
