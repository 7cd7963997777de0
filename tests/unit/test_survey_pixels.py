"""Surveys: which pixels points and polygons ask for, and what became of each feature."""

import geopandas
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from sitsformer.config import ConfigError
from sitsformer.surveys import account
from survey_world import TILE, area_tiles, at, placed, polygons, save

# Pixels


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(0, 3), st.sampled_from("ab"), st.sampled_from([1, 2])
        ),
        min_size=1,
        max_size=12,
    )
)
def test_points_in_one_pixel_are_settled_by_weight_then_by_order(tmp_path_factory, drawn):
    path = tmp_path_factory.mktemp("points") / "a.gpkg"
    save(
        path,
        [at(c, r, 1 + k / 2, 9 - k / 2) for k, (c, r, _, _) in enumerate(drawn)],
        crop=[name for _, _, name, _ in drawn],
        sure=[weight for *_, weight in drawn],
    )
    _, found = placed(path, weight="sure")
    for pixel in {(c, r) for c, r, _, _ in drawn}:
        here = [k for k, (c, r, _, _) in enumerate(drawn) if (c, r) == pixel]
        most = max(drawn[k][3] for k in here)
        winners = {drawn[k][2] for k in here if drawn[k][3] == most}
        expected = 0
        if len(winners) == 1:
            expected = min(k for k in here if drawn[k][2] in winners) + 1
        assert found.feature[pixel[1], pixel[0]] == expected
        for k in here:
            if k + 1 != expected:
                same = len(winners) == 1 and drawn[k][2] in winners
                assert found.lost[k + 1] == {"duplicate" if same else "conflict": 1}
    assert (found.feature > 0).sum() + len(found.lost) == len(drawn)


def test_edges_of_pixels_belong_to_one_pixel_and_to_one_tile(tmp_path):
    corner = Point(TILE.west + 600, TILE.north - 600)
    path = save(tmp_path / "a.gpkg", [corner, at(0, 0, 0, 10)], crop=["a", "b"])
    there = [placed(path, tile)[1].feature for tile in area_tiles()]
    assert sum(int((feature == 1).sum()) for feature in there) == 1
    assert there[0][0, 0] == 2


def test_polygons_ask_for_the_pixels_well_inside(tmp_path):
    shape = Polygon([(0, 0), (170, 20), (140, 160), (20, 120)])
    moved = Polygon([(TILE.west + 40 + x, TILE.north - 300 + y) for x, y in shape.exterior.coords])
    path = save(tmp_path / "a.gpkg", [moved], crop=["a"])
    _, found = placed(path, kind="polygons", per_polygon="all", erode=12)
    x, y = np.meshgrid(TILE.x, TILE.y)
    centres = [Point(*place) for place in zip(x.ravel(), y.ravel(), strict=True)]
    inside = np.array([moved.contains(one) for one in centres]).reshape(x.shape)
    far = np.array([moved.exterior.distance(one) > 12 for one in centres]).reshape(x.shape)
    assert ((found.feature == 1) == (inside & far)).all()
    assert found.lost == {1: {"erosion": int((inside & ~far).sum())}}


@pytest.mark.parametrize("size", [1, 3])
def test_a_field_in_two_tiles_gives_its_number_of_samples_once(tmp_path, size):
    """Also pixels at the edge of a tile, whose patches reach into the other."""
    polygons().to_file(tmp_path / "a.gpkg")
    samples = 0
    for tile in area_tiles():
        _, found = placed(tmp_path / "a.gpkg", tile, size, kind="polygons", column="code")
        samples += int((found.feature == 58).sum())
    assert samples == 20  # of 7 x 4 pixels inside


def test_overlapping_fields_of_two_classes_lose_the_overlap(tmp_path):
    shapes = [box(TILE.west + x, TILE.north - 100, TILE.west + x + 60, TILE.north) for x in (0, 40)]
    path = save(tmp_path / "a.gpkg", shapes, crop=["a", "b"])
    _, found = placed(path, kind="polygons", erode=0, per_polygon="all")
    assert (found.feature[:10, :4] == 1).all() and (found.feature[:10, 6:10] == 2).all()
    assert (found.feature[:10, 4:6] == 0).all()
    assert found.lost == {1: {"conflict": 20}, 2: {"conflict": 20}}


def test_shapes_that_are_not_polygons_are_named(tmp_path):
    path = save(tmp_path / "a.gpkg", [LineString([(0, 0), (1, 1)])], crop=["a"])
    with pytest.raises(ConfigError, match="feature 1 is a LineString, and `kind: points` takes"):
        placed(path)


# What became of them


def test_the_last_reason_is_the_outcome(tmp_path):
    path = save(tmp_path / "a.gpkg", [at(1, 1), at(2, 2), at(3, 3), Point(0, 0)], crop=list("abcd"))
    found, _ = placed(path)
    counts = {1: {"kept": 3, "cloud": 2}, 2: {"edge": 5, "cloud": 1}, 3: {"split": 2, "edge": 1}}
    table = account.table(found, counts)
    assert table.outcome.tolist() == ["kept", "cloud", "split", "outside"]
    assert table.samples.tolist() == [3, 0, 0, 0]
    told = account.summary(table)
    assert sum(told["kept"].values()) + sum(sum(d.values()) for d in told["dropped"].values()) == 4
    assert told["pixels"] == {"outside": 1, "edge": 6, "split": 2, "cloud": 3}


@pytest.mark.parametrize("crs", [TILE.epsg, 4326, 3857])
def test_what_lies_far_from_the_tiles_changes_nothing(tmp_path, crs):
    """All fields of a crop as one feature, on two continents; and a forest as large as a county."""
    near = [box(*at(c, c).buffer(47).bounds) for c in (10, 30, 50)]
    forest = at(5, 45).buffer(63)
    save(tmp_path / "near.gpkg", [MultiPolygon(near), forest], crop=["Maize", "Forest"])
    far = [box(TILE.west + 9e4, TILE.north, TILE.west + 9.1e4, TILE.north + 1e3)]
    if crs != TILE.epsg:  # a UTM zone does not reach there
        there = geopandas.GeoSeries([box(85.0, -43.2, 85.2, -43.1)], crs=4326)
    wide = geopandas.GeoSeries([MultiPolygon(near + far), forest], crs=TILE.epsg).to_crs(crs)
    if crs != TILE.epsg:
        wide[0] = MultiPolygon([*wide[0].geoms, there.to_crs(crs)[0]])
    frame = geopandas.GeoDataFrame({"crop": ["Maize", "Forest"]}, geometry=wide.values, crs=crs)
    frame.to_file(tmp_path / "wide.gpkg")
    given = {"kind": "polygons", "per_polygon": 15}
    _, expected = placed(tmp_path / "near.gpkg", **given)
    _, found = placed(tmp_path / "wide.gpkg", **given)
    assert (expected.feature == 1).sum() == 15
    assert (found.feature == expected.feature).all() and found.lost == expected.lost


def test_a_feature_as_large_as_a_country_is_drawn_within_the_tiles(tmp_path):
    path = tmp_path / "large.gpkg"
    shape = geopandas.GeoDataFrame(
        {"crop": ["Forest"]}, geometry=[box(-100.0, 38.0, -90.0, 48.0)], crs=4326
    )
    shape.to_file(path)
    _, found = placed(path, kind="polygons", per_polygon="all")
    assert (found.feature == 1).all() and not found.lost
