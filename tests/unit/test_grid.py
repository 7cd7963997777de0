"""Areas -> tiles: snapped, nested, covering, a pure function of the config."""

import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from shapely.geometry import Point, Polygon, box
from shapely.ops import unary_union

from sitsformer.config import Area, ConfigError
from sitsformer.grid import ROUNDING, Tile, find_tile, tiles, to_lonlat, utm_epsg


def area(bounds: tuple[float, float, float, float], **keys: object) -> Area:
    return Area.model_validate(
        {
            "source": "synthetic",
            "bounds": bounds,
            "start": "2021-01-01",
            "end": "2021-12-31",
            **keys,
        }
    )


corners = st.tuples(
    st.floats(-179.5, 179.0), st.floats(-79, 83), st.floats(0.005, 0.06), st.floats(0.005, 0.06)
)


@settings(max_examples=40, deadline=None)
@given(corners, st.integers(2, 40), st.data())
def test_tiles_cover_the_area_without_overlap_on_a_60_m_lattice(corner, sixes, data) -> None:
    west, south, width, height = corner
    bounds = (west, south, west + width, south + height)
    found = tiles("a", area(bounds, tiles={"size": 6 * sixes}))
    assert len({tile.name for tile in found}) == len(found)
    for tile in found:
        assert tile.west % 60 == 0 and tile.north % 60 == 0
        assert np.all(np.diff(tile.x) == 10) and np.all(np.diff(tile.y) == -10)
        assert (tile.x[0], tile.y[0]) == (tile.west + 5, tile.north - 5)
    union = unary_union([box(*tile.bounds) for tile in found])
    assert union.area == pytest.approx(sum(box(*tile.bounds).area for tile in found))
    lon = data.draw(st.floats(bounds[0], bounds[2]))
    lat = data.draw(st.floats(bounds[1], bounds[3]))
    x, y = Transformer.from_crs(4326, found[0].epsg, always_xy=True).transform(lon, lat)
    assert union.buffer(ROUNDING).contains(Point(x, y))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(0, 5))
def test_drawn_tiles_are_tiles_of_the_area_in_order(count, seed) -> None:
    bounds = (4.0, 50.9, 4.05, 50.93)
    everything = tiles("a", area(bounds))
    drawn = tiles("a", area(bounds, tiles={"count": count, "seed": seed}))
    assert drawn == [tile for tile in everything if tile in drawn]
    assert len(drawn) == count


def test_a_drawn_tile_stays_when_more_are_drawn() -> None:
    bounds = (4.0, 50.9, 4.05, 50.93)
    for count in range(1, 9):
        fewer = tiles("a", area(bounds, tiles={"count": count}))
        more = tiles("a", area(bounds, tiles={"count": count + 1}))
        assert set(fewer) <= set(more)


def test_zones_and_hemispheres() -> None:
    assert utm_epsg(4.0, 51.0) == 32631
    assert utm_epsg(-93.6, 42.0) == 32615
    assert utm_epsg(36.8, -1.3) == 32737
    assert utm_epsg(180.0, 10.0) == 32660


def test_an_area_across_the_equator_has_one_grid() -> None:
    found = tiles("a", area((36.80, -0.02, 36.84, 0.01)))
    assert {tile.epsg for tile in found} == {32737}
    assert max(tile.north for tile in found) > 10_000_000 > min(tile.bounds[1] for tile in found)


def test_an_area_across_a_zone_border_takes_the_zone_of_its_centre() -> None:
    found = tiles("a", area((5.97, 50.0, 6.02, 50.02)))
    assert {tile.epsg for tile in found} == {32631}


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((3.0, 50.0, 10.0, 51.0), "split the area at the zone border"),
        ((-179.9, 10.0, 179.9, 11.0), "must be given as two areas"),
        ((3.0, 83.9, 3.1, 84.1), "beyond UTM"),
    ],
)
def test_areas_that_fit_no_single_grid_are_refused(bounds, message) -> None:
    with pytest.raises(ConfigError, match=message):
        tiles("a", area(bounds))


def test_polygons_of_a_file_in_another_crs(tmp_path: Path) -> None:
    corner = Transformer.from_crs(4326, 3857, always_xy=True).transform
    ring = [corner(*p) for p in ((4.0, 50.9), (4.03, 50.9), (4.03, 50.92), (4.0, 50.9))]
    path = tmp_path / "fields.geojson"
    path.write_text(
        json.dumps(
            {
                "type": "FeatureCollection",
                "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}},
                "features": [
                    {
                        "type": "Feature",
                        "properties": {},
                        "geometry": {"type": "Polygon", "coordinates": [ring]},
                    }
                ],
            }
        )
    )
    whole = tiles("a", area((4.0, 50.9, 4.03, 50.92), tiles={"size": 48}))
    triangle = tiles(
        "a",
        Area.model_validate(
            {
                "source": "synthetic",
                "geometry": str(path),
                "start": "2021-01-01",
                "end": "2021-12-31",
                "tiles": {"size": 48},
            }
        ),
    )
    to_utm = Transformer.from_crs(3857, triangle[0].epsg, always_xy=True).transform
    outline = Polygon([to_utm(*point) for point in ring])
    assert len(triangle) < len(whole)
    assert all(box(*tile.bounds).intersects(outline) for tile in triangle)
    assert unary_union([box(*tile.bounds) for tile in triangle]).contains(outline)


def area_of(path: Path, size: int) -> Area:
    return Area.model_validate(
        {
            "source": "synthetic",
            "geometry": str(path),
            "start": "2021-01-01",
            "end": "2021-12-31",
            "tiles": {"size": size},
        }
    )


def write_shape(path: Path, ring: list, kind: str = "Polygon") -> Path:
    feature = {
        "type": "Feature",
        "properties": {},
        "geometry": {"type": kind, "coordinates": [ring] if kind == "Polygon" else ring},
    }
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    zone=st.sampled_from([32601, 32631, 32715, 32660]),
    column=st.integers(5_000, 11_000),
    row=st.integers(2, 145_000),
    sixes=st.integers(2, 40),
    digits=st.sampled_from([6, 7, 9, 15]),
)
def test_a_square_of_the_lattice_is_one_tile(tmp_path, zone, column, row, sixes, digits) -> None:
    west, north, side = 60 * column, 60 * (row + 100), 60 * sixes
    x = np.array([west, west + side, west + side, west, west], float)
    y = np.array([north, north, north - side, north - side, north], float)
    lon, lat = to_lonlat(zone, x, y)
    assume(lat.min() > -79 and lat.max() < 83)
    assume((lat[0] >= 0) == (zone < 32700) and np.ptp(lon) < 10 and (lon < 180).all())
    assume(utm_epsg(lon[:4].mean(), lat[:4].mean()) == zone)
    ring = np.column_stack([lon.round(digits), lat.round(digits)]).tolist()
    (tile,) = tiles("a", area_of(write_shape(tmp_path / "one.geojson", ring), 6 * sixes))
    assert (tile.epsg, tile.west, tile.north) == (zone, west, north)
    path = tmp_path / "one.gpkg"
    square = geopandas.GeoDataFrame(
        geometry=[box(west, north - side, west + side, north)], crs=zone
    )
    square.to_file(path)
    assert tiles("a", area_of(path, 6 * sixes)) == [tile]


def test_a_large_square_in_the_grid_of_its_zone_is_covered_by_no_more(tmp_path: Path) -> None:
    square = geopandas.GeoDataFrame(geometry=[box(480_000, 6_960_000, 540_000, 7_020_000)])
    square.set_crs(32632).to_file(tmp_path / "one.gpkg")
    assert len(tiles("a", area_of(tmp_path / "one.gpkg", 3000))) == 4


def test_a_bow_tie_is_mended_and_told(tmp_path: Path, caplog) -> None:
    ring = [[4.0, 50.9], [4.03, 50.92], [4.03, 50.9], [4.0, 50.92], [4.0, 50.9]]
    found = tiles("a", area_of(write_shape(tmp_path / "tie.geojson", ring), 48))
    whole = tiles("a", area((4.0, 50.9, 4.03, 50.92), tiles={"size": 48}))
    assert 0 < len(found) < len(whole)
    assert "feature 1 was mended" in caplog.text


@pytest.mark.parametrize(
    ("ring", "kind", "message"),
    [
        ([], "Polygon", "feature 1 has no shape"),
        ([4.0, 50.9], "Point", "feature 1 is a Point without an area"),
        ([[4.0, 50.9], [4.1, 50.9]], "LineString", "feature 1 is a LineString without an area"),
        ([[4, 50], [5, 50], [4, 50], [4, 50]], "Polygon", "Polygon without an area"),
        ([[5e5, 5e6], [6e5, 5e6], [6e5, 6e6], [5e5, 5e6]], "Polygon", "no longitudes and latit"),
        ([[4, 91], [5, 91], [5, 92], [4, 91]], "Polygon", "no longitudes and latitudes"),
        ([[4, 85], [5, 85], [5, 86], [4, 85]], "Polygon", "beyond UTM"),
        ([[4, -88], [5, -88], [5, -85], [4, -88]], "Polygon", "beyond UTM"),
        ([[179, 1], [-179, 1], [-179, 2], [179, 1]], "Polygon", "given as two areas"),
        ([[4, 50], [9, 50], [9, 51], [4, 50]], "Polygon", "split the area at the zone border"),
    ],
)
def test_shapes_that_are_no_area_are_refused(tmp_path: Path, ring, kind, message) -> None:
    with pytest.raises(ConfigError, match=message):
        tiles("a", area_of(write_shape(tmp_path / "one.geojson", ring, kind), 48))


def test_coordinates_of_another_crs_are_refused_where_that_can_be_told(tmp_path: Path) -> None:
    square = geopandas.GeoDataFrame(geometry=[box(501_360, 5_628_660, 501_480, 5_628_780)])
    square.set_crs(32631).to_file(tmp_path / "right.gpkg")
    assert len(tiles("a", area_of(tmp_path / "right.gpkg", 12))) == 1
    square.set_crs(2154).to_file(tmp_path / "wrong.gpkg")
    with pytest.raises(ConfigError, match=r"RGF93 v1 / Lambert-93, which is used at .* would lie"):
        tiles("a", area_of(tmp_path / "wrong.gpkg", 12))
    # Norway uses zone 33 for all of its width.
    west = geopandas.GeoDataFrame(geometry=[box(5.0, 60.0, 5.01, 60.01)], crs=4326)
    west.to_crs(25833).to_file(tmp_path / "norway.gpkg")
    assert tiles("a", area_of(tmp_path / "norway.gpkg", 12))[0].epsg == 32631


def test_an_area_of_less_than_the_rounding_is_refused(tmp_path: Path) -> None:
    speck = geopandas.GeoDataFrame(geometry=[box(479_999.9, 6_959_999.9, 480_000.1, 6_960_000.1)])
    speck.set_crs(32632).to_file(tmp_path / "one.gpkg")
    with pytest.raises(ConfigError, match=r"no tiles; it is 0.20 x 0.20 m small"):
        tiles("a", area_of(tmp_path / "one.gpkg", 48))


def test_files_that_are_no_area_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.geojson").write_text("{")
    for name in ("text.geojson", "none.geojson"):
        with pytest.raises(ConfigError, match="cannot be read"):
            tiles("a", area_of(tmp_path / name, 48))
    empty = tmp_path / "empty.geojson"
    empty.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(ConfigError, match="holds no polygons"):
        tiles("a", area_of(empty, 48))


def test_find_tile_names_what_there_is() -> None:
    one = area((4.0, 50.9, 4.01, 50.91))
    tile = tiles("a", one)[0]
    assert find_tile("a", one, tile.name) == tile
    with pytest.raises(ConfigError, match=tile.name):
        find_tile("a", one, "32631_0_0")


def test_lonlat_round_trip() -> None:
    tile = Tile("a", "t", 32631, 570240, 5642580, 12)
    lon, lat = to_lonlat(tile.epsg, tile.x, tile.y)
    x, y = Transformer.from_crs(4326, tile.epsg, always_xy=True).transform(lon, lat)
    np.testing.assert_allclose(x, tile.x, atol=1e-3)
    np.testing.assert_allclose(y, tile.y, atol=1e-3)
