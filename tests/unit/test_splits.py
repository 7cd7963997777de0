"""Splits: blocks, shares, classes, polygons, lists of areas."""

import json
from itertools import product
from pathlib import Path
from typing import get_args

import geopandas
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from shapely.geometry import box

from cubes import make_config, tiles
from sitsformer import splitpolygons
from sitsformer.checks.problems import problems
from sitsformer.config import ConfigError, SplitBy, parse
from sitsformer.grid import Tile, to_lonlat
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
    with pytest.raises(ValidationError, match="'a' is listed in both train and test"):
        SplitBy(by="area", train=("a",), test=("a",))


def test_presence():
    label, split = np.array([0, 1, 0, -1]), np.array([0, 0, 2, 2], np.uint8)
    wanted = [True, False, True]
    assert splits.check_presence(label, split, ["a", "b"], wanted) == ["test has no sample of b"]
    with pytest.raises(splits.SplitError, match="leaves validation without samples"):
        splits.check_presence(label, split, ["a", "b"], [True, True, True])
    with pytest.raises(splits.SplitError, match="train has no sample of b"):
        splits.check_presence(label, np.array([0, 2, 2, 0], np.uint8), ["a", "b"], wanted)
    for by in get_args(SplitBy.model_fields["by"].annotation):
        remedy = "gather classes" if by == "group" else "an area" if by == "area" else "samples"
        with pytest.raises(splits.SplitError, match=remedy):
            splits.check_presence(label, split, ["a", "b"], [True, True, True], by)
    many, names = np.arange(3000), [f"c{k}" for k in range(3000)]
    with pytest.raises(splits.SplitError, match=r"c11, \.\.\. \(1000 in all\): no model can"):
        splits.check_presence(many, np.uint8([2] * 1000 + [0] * 2000), names, wanted)


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


def utm_ring(tile, west, north, east, south):
    """Ring in degrees of a rectangle given in pixels of a tile."""
    x = tile.west + 10.0 * np.array([west, east, east, west, west])
    y = tile.north - 10.0 * np.array([north, north, south, south, north])
    lon, lat = to_lonlat(tile.epsg, x, y)
    return np.column_stack([lon, lat]).tolist()


def write_features(path: Path, features, **others: object) -> str:
    made = [
        {"type": "Feature", "properties": {"split": split, **others}, "geometry": geometry}
        for geometry, split in features
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": made}))
    return str(path)


def polygon(ring):
    return {"type": "Polygon", "coordinates": [ring]}


def at(lon, lat, side=0.01):
    return [[lon, lat], [lon + side, lat], [lon + side, lat + side], [lon, lat + side], [lon, lat]]


@pytest.fixture
def tile():
    return tiles(make_config(size=12))[0]


def base(tile):
    return [
        (polygon(utm_ring(tile, 0, 0, 6, 12)), "train"),
        (polygon(utm_ring(tile, 6, 0, 12, 12)), "test"),
    ]


def test_what_lies_elsewhere_changes_nothing(tmp_path, tile):
    plain = splits.polygon_map(tile, write_features(tmp_path / "a.geojson", base(tile)))
    assert (plain[:, :6] == 0).all() and (plain[:, 6:] == 2).all()
    ring = utm_ring(tile, 0, 0, 6, 12)
    high = [[*point, 12.5] for point in ring]
    whole_earth = [[-179, -89], [179, -89], [179, 89], [-179, 89], [-179, -89]]
    forms = [
        [*base(tile), *((polygon(at(lon, lat)), "validation") for lon in (-180, -90, 0, 90, 179)
                        for lat in (-89, 0, 80))],
        [*base(tile), (None, None), ({"type": "Point", "coordinates": [3.0, 50.0]}, "")],
        [(polygon(high), "train"), base(tile)[1]],
        [({"type": "MultiPolygon", "coordinates": [[ring], [at(176.0, -40.0)]]}, " Train "),
         (base(tile)[1][0], "TESTING")],
        [({"type": "GeometryCollection", "geometries": [
            polygon(ring), {"type": "Point", "coordinates": ring[0]}]}, "training"),
         base(tile)[1]],
    ]  # fmt: skip
    for features in forms:
        found = splits.polygon_map(tile, write_features(tmp_path / "b.geojson", features))
        np.testing.assert_array_equal(found, plain)
    world = write_features(tmp_path / "c.geojson", [(polygon(whole_earth), "val")])
    assert (splits.polygon_map(tile, world) == 1).all()


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:3035", "ESRI:54009", "EPSG:3395"])
def test_polygons_of_any_crs_are_at_their_place(tmp_path, tile, crs):
    plain = write_features(tmp_path / "a.geojson", base(tile))
    frame = geopandas.read_file(plain).to_crs(crs)
    frame.to_file(tmp_path / "b.gpkg")
    np.testing.assert_array_equal(
        splits.polygon_map(tile, str(tmp_path / "b.gpkg")), splits.polygon_map(tile, plain)
    )


def test_a_bow_tie_is_mended_to_its_two_halves(tmp_path, tile, caplog):
    a, b, c, d, _ = utm_ring(tile, 0, 0, 12, 12)
    path = write_features(tmp_path / "a.geojson", [(polygon([a, c, b, d, a]), "train")])
    found = splits.polygon_map(tile, path)
    assert (found[:3, 6] == UNASSIGNED).sum() + (found[6, :3] == 0).sum() in (3, 6)
    assert 60 <= (found == 0).sum() <= 84
    assert "feature 1 was mended: Self-intersection" in caplog.text


def test_shapes_that_are_no_polygons_are_refused_by_their_number(tmp_path, tile):
    line = [[3.0, 50.0], [3.1, 50.0]]
    for geometry, message in (
        (None, "feature 3 has no shape"),
        ({"type": "Polygon", "coordinates": []}, "feature 3 has no shape"),
        ({"type": "Point", "coordinates": [3.0, 50.0]}, "feature 3 is a Point without an area"),
        ({"type": "LineString", "coordinates": line}, "feature 3 is a LineString without"),
        (polygon([*line, line[0], line[0]]), "feature 3 is a Polygon without an area"),
    ):
        path = write_features(tmp_path / "a.geojson", [*base(tile), (geometry, "train")])
        with pytest.raises(ConfigError, match=message):
            splits.polygon_map(tile, path)


def test_files_that_cannot_be_split_polygons_are_refused(tmp_path, tile):
    def refused(path, message):
        with pytest.raises(ConfigError, match=message):
            splits.polygon_map(tile, str(path))

    refused(tmp_path / "none.gpkg", "cannot be read")
    (tmp_path / "text.geojson").write_text("hello")
    refused(tmp_path / "text.geojson", "cannot be read")
    (tmp_path / "table.csv").write_text("split,x\ntrain,1\n")
    refused(tmp_path / "table.csv", "holds no polygons")
    shape = base(tile)[0][0]
    refused(write_features(tmp_path / "a.geojson", [(shape, "exam")]), "split 'exam'; write train")
    refused(write_features(tmp_path / "b.geojson", [(shape, 0)]), "feature 1 has the split '0'")
    refused(write_features(tmp_path / "c.geojson", [(shape, None)]), "no feature has a split")
    frame = geopandas.GeoDataFrame({"part": ["train"]}, geometry=[box(3, 50, 4, 51)], crs=4326)
    frame.to_file(tmp_path / "d.gpkg")
    refused(tmp_path / "d.gpkg", "need one column `split` .* found part")
    frame = frame.rename(columns={"part": "Split"})
    frame.to_file(tmp_path / "e.gpkg", layer="one")
    assert (splits.polygon_map(tile, str(tmp_path / "e.gpkg")) == UNASSIGNED).all()
    frame.to_file(tmp_path / "e.gpkg", layer="two")
    refused(tmp_path / "e.gpkg", "several layers, one, two")
    frame.set_crs(None, allow_override=True).to_file(tmp_path / "f.gpkg")
    refused(tmp_path / "f.gpkg", "no coordinate reference system")


def test_coordinates_of_another_crs_are_refused(tmp_path, tile):
    west, south, east, north = tile.bounds
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    path = write_features(tmp_path / "a.geojson", [(polygon(ring), "train")])
    with pytest.raises(ConfigError, match="are no longitudes and latitudes"):
        splits.polygon_map(tile, path)
    # Metres of UTM, taken for those of a grid of the United States, lie in the Arctic.
    frame = geopandas.GeoDataFrame({"split": ["train"]}, geometry=[box(*tile.bounds)], crs=5070)
    frame.to_file(tmp_path / "b.gpkg")
    with pytest.raises(ConfigError, match="its coordinates would lie at"):
        splits.polygon_map(tile, str(tmp_path / "b.gpkg"))


def test_polygons_that_miss_every_tile_are_told_before_anything_runs(tmp_path, tile):
    def lacking(name, features, *wanted):
        path = write_features(tmp_path / f"{name}.geojson", features)
        return list(splitpolygons.problems(path, [tile], dict.fromkeys(wanted, "the sweep")))

    assert lacking("a", base(tile), "train", "test") == lacking("a", base(tile)) == []
    moved = [(base(tile)[0][0], "Training"), (polygon(at(10.0, 10.0)), "test")]
    assert lacking("b", moved) == lacking("b", moved, "train") == []
    (line,) = lacking("b", moved, "train", "test")
    assert "no polygon of test touches a tile" in line
    (line,) = lacking("b", moved, "train", "validation")
    assert "b.geojson has no polygon for validation, and the sweep needs samples there" in line
    apart = [(polygon(at(10.0, 10.0)), "train")]
    (line,) = lacking("c", apart)
    assert "no polygon of train touches" in line and "10.0000 to 10.0100" in line
    values = make_config(size=12).model_dump(mode="json")
    name = next(iter(values["sets"]))
    values["sets"][name]["split"] = {"by": "polygons", "polygons": str(tmp_path / "c.geojson")}
    assert any(f"sets.{name}.split.polygons: " in line for line in problems(parse(values)))


def test_polygons_at_180_degrees_reach_the_tile_on_both_sides(tmp_path):
    tile = Tile("a", "t", 32660, 828870, 1106940, 12)
    lat = to_lonlat(tile.epsg, tile.x[:1], tile.y[:1])[1][0]
    features = [
        (polygon(at(179.9, lat - 0.05, 0.1)), "train"),
        (polygon(at(-180.0, lat - 0.05, 0.1)), "test"),
    ]
    found = splits.polygon_map(tile, write_features(tmp_path / "a.geojson", features))
    east = to_lonlat(tile.epsg, *np.meshgrid(tile.x, tile.y))[0] < 0
    np.testing.assert_array_equal(found, np.where(east, 2, 0))
    assert 0 < east.mean() < 1
