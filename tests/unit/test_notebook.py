"""An area drawn on a map, or given as GeoJSON, becomes a checked config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas
import pytest
from shapely.affinity import translate
from shapely.geometry import box, mapping, shape
from test_new_config import VISITS, written

from sitsformer.checks.problems import problems
from sitsformer.config import load
from sitsformer.errors import SitsError
from sitsformer.grid import area_geometry
from sitsformer.notebook import drawn, init

if TYPE_CHECKING:
    import geemap

COUNTY = box(-94.90, 43.10, -94.87, 43.12)
SEASON = ("2021-03-01", "2021-10-31")


def feature(geometry: Any, **style: Any) -> dict[str, Any]:
    """What the browser sends of a shape."""
    return {
        "type": "Feature", "properties": {"style": {"color": "#3388ff"} | style},
        "geometry": json.loads(json.dumps(mapping(geometry))),
    }  # fmt: skip


@pytest.fixture
def own_map() -> geemap.Map:
    # Here: at the head every process of the suite would load it.
    import geemap

    return geemap.Map(ee_initialize=False)


def test_a_shape_drawn_on_a_map_becomes_a_config(own_map: geemap.Map, tmp_path: Path) -> None:
    own_map.draw_control.data = [feature(COUNTY)]
    folder = tmp_path / "work" / "mine"
    path = init(own_map, SEASON, VISITS, folder, source="synthetic")
    assert path == folder / "config" / "config.yaml"
    config = load(path)
    assert problems(config) == []
    assert area_geometry(config.areas["county_2021"]).equals(COUNTY)
    assert (folder / "workflow" / "Snakefile").is_file()
    before = written(tmp_path)
    with pytest.raises(SitsError, match="exists: name another folder"):
        init(own_map, SEASON, VISITS, folder, source="synthetic")
    assert written(tmp_path) == before


def test_all_that_is_drawn_is_the_area(own_map: geemap.Map) -> None:
    far = box(-94.80, 43.10, -94.79, 43.11)
    own_map.draw_control.data = [feature(COUNTY), feature(far)]
    assert shape(drawn(own_map)).equals(COUNTY.union(far))
    own_map.draw_control.data = [feature(translate(COUNTY, -720))]  # moved around the world twice
    assert shape(drawn(own_map)).symmetric_difference(COUNTY).area < 1e-9
    own_map.draw_control.data = [feature(COUNTY.centroid, radius=500.0)]
    circle = geopandas.GeoSeries([shape(drawn(own_map))], crs=4326).to_crs(32615)
    assert circle.area[0] == pytest.approx(3.1416 * 500**2, rel=0.01)


@pytest.mark.parametrize(
    "given",
    [
        COUNTY,
        mapping(COUNTY),
        feature(COUNTY),
        {"type": "FeatureCollection", "features": [feature(COUNTY)]},
        geopandas.GeoSeries([COUNTY], crs=4326).to_crs(3857),
    ],
)
def test_geojson_and_shapes_are_taken(given: Any) -> None:
    assert shape(drawn(given)).symmetric_difference(COUNTY).area < 1e-9


def test_what_is_no_area_is_told_and_nothing_is_written(
    own_map: geemap.Map, tmp_path: Path
) -> None:
    cases: list[tuple[Any, str]] = [
        (own_map, "nothing is drawn: draw a rectangle"),
        (own_map.user_roi, "nothing is drawn"),
        (type(own_map)(ee_initialize=False, draw_ctrl=False), "no tool to draw with"),
        (feature(COUNTY.centroid), "is a Point, which has no pixels"),
        ({"type": "Polygone", "coordinates": []}, "is no GeoJSON"),
        ("-94.9,43.1,-94.87,43.12", "this is a str"),
        (box(10.0, 50.0, 10.03, 50.02), "crops"),
    ]
    for given, message in cases:
        with pytest.raises(SitsError, match=message):
            init(given, SEASON, VISITS, tmp_path / "work" / "mine", source="synthetic")
        assert list(tmp_path.iterdir()) == []
