"""Products become observations: grouping, order, label years."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest

from earthengine import fixtures
from earthengine.catalogue import Place
from earthengine.fixtures import END, FIRST, START, area, in_place, observed, only_tile, row
from earthengine.server import LocalEarthEngine
from sitsformer.config import Tiles
from sitsformer.grid import Tile, tiles, to_lonlat
from sitsformer.imagery.earthengine import listing
from sitsformer.labels import products


def test_granules_of_one_datatake_are_one_date_whatever_the_order() -> None:
    rows = [row(0, mgrs="15TVG"), row(1, mgrs="15TWG"), row(2, take="GS2B_20210504T170851_021000")]
    for given_rows in (rows, rows[::-1]):
        seen, superseded = listing.group(given_rows, {"I0", "I1", "I2"}, 32615)
        assert [len(item.granules) for item in seen] == [2, 1]
        assert seen[0].time == FIRST
        assert superseded == ()


def test_of_two_processings_the_newest_is_kept() -> None:
    rows = [
        row(0, baseline="05.10", generated=5),
        row(1, baseline="03.00", generated=9),
        row(2, baseline="05.10", generated=7),
    ]
    seen, superseded = listing.group(rows, set(), 32615)
    assert [granule.index for granule in seen[0].granules] == ["I2"]
    assert superseded == ("I0", "I1")


def test_two_datastrips_of_one_granule_are_both_kept() -> None:
    rows = [row(0), row(1, strip="20210503T170910")]
    seen, superseded = listing.group(rows, set(), 32615)
    assert len(seen[0].granules) == 2
    assert superseded == ()


def test_scored_granules_and_those_of_the_own_zone_lie_on_top() -> None:
    rows = [row(0, mgrs="15TVG"), row(1, mgrs="14TQM"), row(2, mgrs="15TWG")]
    seen, _ = listing.group(rows, {"I0", "I1"}, 32615)
    assert [granule.index for granule in seen[0].granules] == ["I2", "I1", "I0"]


def test_two_observations_of_one_millisecond_stay_two() -> None:
    rows = [row(0, time=FIRST), row(1, take="GS2B_20210504T170851_021000", time=FIRST)]
    seen, _ = listing.group(rows, set(), 32615)
    assert [item.time for item in seen] == [FIRST, FIRST + 1]


def test_a_product_without_properties_is_grouped_by_its_index() -> None:
    rows = [[f"20210503T170851_20210503T17154{i}_T15TVG", FIRST, None, None, None, None, None]
            for i in range(2)]  # fmt: skip
    seen, superseded = listing.group(rows, set(), 32615)
    assert len(seen) == 1
    assert superseded == (rows[0][0],)


def test_a_listing_survives_json() -> None:
    found = listing.Listing(tuple(observed(3)), ("X",), {"cdl": ("cropland",)})
    chosen = in_place(fixtures.OVERLAP)
    values = json.loads(json.dumps(found.to_json()))
    assert listing.kept(values, chosen) == found


def test_a_listing_that_lacks_what_the_labels_need_is_asked_for_again() -> None:
    found = listing.Listing(tuple(observed(3)), (), {}).to_json()
    before = {"observations": [], "superseded": [], "worldcover": None, "cdl": ["cropland"]}
    with_cdl, without = in_place(fixtures.OVERLAP), in_place(fixtures.FRANCE, labels=())
    assert listing.kept(None, without) is None
    assert listing.kept(before, without) is None
    assert listing.kept(found, with_cdl) is None
    assert listing.kept(found, without) is not None


@pytest.mark.parametrize(
    ("start", "end", "year", "worldcover"),
    [
        (date(2021, 3, 1), date(2021, 11, 30), 2021, 2021),
        (date(2020, 10, 1), date(2021, 7, 31), 2021, 2021),
        (date(2019, 8, 1), date(2020, 2, 1), 2019, 2020),
        (date(2023, 3, 1), date(2023, 9, 1), 2023, 2021),
        (date(2016, 12, 31), date(2017, 1, 1), 2017, 2020),
    ],
)
def test_label_years_follow_the_days_of_the_season(
    start: date, end: date, year: int, worldcover: int
) -> None:
    chosen = area((-93.0, 42.0, -92.99, 42.01), start=start, end=end)
    assert chosen.season_year == year
    assert products()["worldcover"].year(chosen.season_year) == worldcover


def test_the_outline_of_a_tile_goes_around_it_once() -> None:
    from shapely.geometry import Polygon

    tile = only_tile(in_place(fixtures.OVERLAP))
    ring = Polygon(listing.outline(tile))
    assert ring.is_valid
    # 600 m x 600 m in square degrees at 42 degrees north.
    assert ring.area == pytest.approx(600 / 111_320 / 0.743 * 600 / 111_060, rel=0.01)


@pytest.mark.parametrize("bounds", [(179.99, 10.0, 180.0, 10.004), (-180.0, 10.0, -179.99, 10.004)])
def test_tiles_at_180_degrees_list_the_images_of_their_own_place(bounds) -> None:
    """The ring of such a tile must not go around the Earth."""
    import ee

    west, south, east, north = bounds
    here = Place(west, south, min(east, 179.999), north, START, END)
    elsewhere = [Place(lon, 9.9, lon + 0.2, 10.1, START, END) for lon in (20.0, 100.0, -60.0)]
    chosen = area(bounds, size=60)
    # Of the tiles of the area, the one that lies across 180 degrees.
    tile = next(
        tile
        for tile in tiles("here", chosen.model_copy(update={"tiles": Tiles(size=60)}))
        if np.ptp(to_lonlat(tile.epsg, *np.meshgrid(tile.x, tile.y))[0]) > 180
    )
    assert np.ptp(np.array(listing.outline(tile)), axis=0).max() < 0.02
    with LocalEarthEngine([here, *elsewhere]) as server:
        ee.Reset()
        ee.Initialize(credentials=None, url=server.url, project="proj-test")
        found = listing.within(listing.IMAGES, chosen, tile).aggregate_array("system:index")
        indices = found.getInfo()
        ee.Reset()
    zones = {server.catalogue.scenes[index].granule.epsg % 100 for index in indices}
    assert indices and zones <= {1, 60}


@pytest.mark.parametrize("west", [500_000, 828_870])
def test_the_rings_of_a_tile_cover_it_once(west) -> None:
    from shapely.geometry import MultiPoint, Polygon
    from shapely.ops import unary_union

    tile = Tile("a", "t", 32660, west, 1_106_940, 60)
    rings = listing.rings_of(tile)
    assert len(rings) == (1 if west == 500_000 else 2)
    assert all(-180 <= lon <= 180 for ring in rings for lon, _ in ring)
    lon, lat = to_lonlat(tile.epsg, *np.meshgrid(tile.x, tile.y))
    parts = [Polygon(ring) for ring in rings]
    assert unary_union(parts).contains(MultiPoint(np.column_stack([lon.ravel(), lat.ravel()])))
    assert sum(part.area for part in parts) == pytest.approx(Polygon(listing.outline(tile)).area)
