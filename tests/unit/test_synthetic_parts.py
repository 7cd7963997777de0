"""Noise, canopy table, phenology and sky of the embedded landscape, each alone."""

from dataclasses import fields, replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from sitsformer.imagery.synthetic import canopy, tints, weather
from sitsformer.imagery.synthetic.landscape import Parcels
from sitsformer.imagery.synthetic.noise import fractal, smooth, stream, uniform
from sitsformer.imagery.synthetic.phenology import (
    CROPS,
    KINDS,
    Growth,
    Stands,
    grow,
    latitude_shift,
)
from sitsformer.imagery.synthetic.tints import tint
from sitsformer.sensors import BANDS

coordinate = st.floats(-1e7, 1e7)
BAND_OF = {name: i for i, name in enumerate(BANDS)}
PLACE = (-95.0, 43.0, 500_000.0, 4_760_000.0)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=4))
def test_uniform_is_a_function_of_its_indices_alone(key: int, indices: list[int]) -> None:
    alone = uniform(key, *indices)
    among = uniform(key, *(np.array([7, index, -3]) for index in indices))
    assert among[1] == alone
    assert 0 < alone < 1


@settings(max_examples=50, deadline=None)
@given(coordinate, coordinate, st.integers(0, 100))
def test_smooth_noise_does_not_depend_on_what_else_is_asked(x: float, y: float, layer: int) -> None:
    alone = smooth(5, x, y, 300.0, layer)
    grid = smooth(5, np.array([x + 1000, x]), np.array([[y], [y - 50]]), 300.0, layer)
    assert abs(grid[0, 1] - alone) < 1e-9
    assert abs(smooth(5, x + 0.01, y, 300.0, layer) - alone) < 1e-3  # it has no steps


@pytest.mark.parametrize("place", [(0.0, 0.0), (37.5, 111.0)])
def test_noise_is_standard_normal_everywhere(place: tuple[float, float]) -> None:
    layers = np.arange(4000)
    values = fractal(3, *place, (900.0, 250.0), (1.0, 0.5), layers)
    assert abs(values.mean()) < 0.06
    assert abs(values.std() - 1) < 0.04
    assert abs((values > 1.0).mean() - 0.1587) < 0.02


def test_streams_of_different_names_differ() -> None:
    assert stream(0, "a") != stream(0, "b") != stream(1, "b")
    assert abs(np.corrcoef(uniform(1, np.arange(2000)), uniform(2, np.arange(2000)))[0, 1]) < 0.08


def look(lai: float, brown: float = 0.0, cab: float = 45.0, soil: float = 0.4) -> np.ndarray:
    one = [np.array([[value]]) for value in (cab, brown, lai, soil)]
    plant, view = np.zeros((1, 1), int), np.zeros(1, int)
    return canopy.reflectance(plant, view, np.array([35.0]), *one)[0, 0]


def ndvi(bands: np.ndarray) -> float:
    return float((bands[6] - bands[2]) / (bands[6] + bands[2]))


def test_canopy_agrees_with_a_plain_interpolator() -> None:
    table = canopy.table()
    draw = np.random.default_rng(0)
    shape = (5, 7)
    plant, view = draw.integers(0, 3, shape), draw.integers(0, 2, shape[1])
    sun = draw.uniform(20, 70, shape[1])
    cab, brown = draw.uniform(15, 60, shape), draw.uniform(0, 1, shape)
    lai, soil = draw.uniform(0, 6, shape), draw.uniform(0, 1, shape)
    found = canopy.reflectance(plant, view, sun, cab, brown, lai, soil)
    nodes = (table.cab, table.brown, table.lai, table.soil, table.sun)
    for i, t in np.ndindex(shape):
        plain = RegularGridInterpolator(nodes, table.values[plant[i, t], view[t]])
        expected = plain((cab[i, t], brown[i, t], lai[i, t], soil[i, t], sun[t]))
        np.testing.assert_allclose(found[i, t], expected, atol=2e-6)


def test_canopies_look_like_canopies() -> None:
    greenness = [ndvi(look(lai)) for lai in (0.0, 0.5, 1.5, 4.0)]
    assert greenness == sorted(greenness)
    assert greenness[0] < 0.2 < 0.85 < greenness[-1]
    dense, bare, dead = look(4.0), look(0.0), look(4.0, brown=1.0)
    assert dense[8] < bare[8]  # leaf water darkens the short-wave infrared
    assert ndvi(dead) < 0.7 < ndvi(dense)
    assert look(3.0, cab=60)[3] < look(3.0, cab=20)[3]  # chlorophyll darkens the red edge
    assert (look(99.0) == look(6.0)).all()  # held to the table


def stands(name: str, early: float = 0.0) -> Stands:
    one, none = np.ones(1), np.zeros(1)
    shift = np.full(1, early)
    return Stands(
        kind=np.array([KINDS.index(name)]),
        early=shift,
        late=shift,
        vigour=one,
        cab=none,
        phase=none,
        cover=none,
        straw=one,
        structure=none,
        water=none,
    )


def peak(name: str, early: float = 0.0) -> float:
    day = np.arange(-100.0, 366.0)
    growth = grow(stands(name, early), day)
    return float(day[np.argmax(growth.lai[0] * (1 - growth.brown[0]))])


def test_crops_follow_their_calendar() -> None:
    assert 125 < peak("winter wheat") < peak("barley") < peak("spring wheat") < peak("corn") < 225
    assert peak("corn") < peak("soybeans") < 235 < peak("sugarbeets") < 270
    assert peak("corn", 10) == peak("corn") + 10


@pytest.mark.parametrize("name", [name for name, crop in CROPS.items() if crop.harvest])
def test_harvest_leaves_the_field_bare(name: str) -> None:
    crop = CROPS[name]
    growth = grow(stands(name), np.array([crop.fall + crop.harvest + 12, crop.fall - 30]))
    assert growth.lai[0, 0] < 0.05 < 2 < growth.lai[0, 1]


def test_a_winter_crop_is_green_before_its_year_and_a_summer_crop_is_not() -> None:
    before = np.array([-20.0])
    assert grow(stands("winter wheat"), before).lai[0, 0] > 0.4
    assert grow(stands("corn"), before).lai[0, 0] < 0.05


def test_alfalfa_is_cut_and_grows_back() -> None:
    lai = grow(stands("alfalfa"), np.arange(140.0, 270.0)).lai[0]
    drops = np.flatnonzero(np.diff(lai) < -0.5)
    assert 2 <= len(drops) <= 4
    assert lai.max() > 3 > 1.3 > lai.min()


@pytest.mark.parametrize("name", [name for name, crop in CROPS.items() if crop.straw])
def test_straw_lies_there_from_harvest_on_and_rots(name: str) -> None:
    crop = CROPS[name]
    harvest = crop.fall + crop.harvest
    straw = grow(stands(name), harvest + np.array([-15.0, 8.0, 68.0])).straw[0]
    assert straw[0] < 0.01 < crop.straw / 2 < straw[1] <= crop.straw
    assert abs(straw[2] / straw[1] - np.exp(-1)) < 0.02


def parcels(count: int) -> Parcels:
    identity = np.stack([np.arange(count), *np.zeros((3, count), int)], axis=1)
    return Parcels(identity, np.zeros(count, int), *np.zeros((2, count)))


def growth(lai: np.ndarray, **traits: np.ndarray) -> Growth:
    """Stands of a leaf area (stand, time) with nothing else that sets them apart."""
    none = {field.name: np.zeros(lai.shape) for field in fields(Growth)}
    return Growth(**{**none, "lai": lai, **traits})


DAYS = 18_700 + 5 * np.arange(40)


def test_soils_of_fields_differ_as_said_and_stay_as_they_are() -> None:
    of_soil, _ = tint(0, 32615, parcels(800), growth(np.zeros((800, 40))), DAYS)
    field = of_soil.mean(1)
    brightness = field[:, BAND_OF["B04"]]
    expected = np.hypot(tints.SOIL_SPREAD["brightness"], 0.3 * tints.SOIL_SPREAD["redness"])
    assert abs(brightness.std() - expected) < 0.03
    first, second = of_soil[:, :20].mean(1), of_soil[:, 20:].mean(1)
    assert np.corrcoef(first[:, BAND_OF["B11"]], second[:, BAND_OF["B11"]])[0, 1] > 0.95
    # Clay darkens the short-wave infrared alone.
    clay = field[:, BAND_OF["B12"]] - field[:, BAND_OF["B04"]]
    assert clay.std() > 1.2 * (field[:, BAND_OF["B05"]] - field[:, BAND_OF["B04"]]).std()


def test_the_soil_of_a_field_is_the_same_whatever_fields_are_beside_it() -> None:
    all_of_them = tint(0, 32615, parcels(5), growth(np.zeros((5, 40))), DAYS)
    two = tint(0, 32615, parcels(2), growth(np.zeros((2, 40))), DAYS)
    np.testing.assert_array_equal(all_of_them[:, :2], two)


def test_wet_leaves_are_dark_in_the_short_wave_infrared_and_there_alone() -> None:
    lai = np.ones((2, 40))
    water = np.stack([np.zeros(40), np.full(40, 0.3)])
    _, dry = tint(0, 32615, parcels(2), growth(lai), DAYS)
    _, wet = tint(0, 32615, parcels(2), growth(lai, water=water), DAYS)
    change = np.exp(wet - dry)
    np.testing.assert_array_equal(change[0], 1)
    assert (change[1, :, BAND_OF["B12"]] < 0.75).all() and (change[1, :, BAND_OF["B04"]] == 1).all()


def test_plants_beside_the_fields_look_as_the_table_says() -> None:
    of_soil, of_leaf = tint(0, 32615, parcels(2), growth(np.ones((5, 40))), DAYS)
    assert not of_soil[2:].any() and not of_leaf[2:].any()
    assert of_soil[:2].all() and of_leaf[:2].all()


def test_leaves_hide_the_ground() -> None:
    seen = tints.ground_seen(np.array([0.0, 1.0, 3.0, 6.0]))
    assert seen[0] == 1 and (np.diff(seen) < 0).all() and seen[-1] < 0.03


def test_the_season_is_later_towards_the_poles() -> None:
    shift = latitude_shift(np.array([35.0, 44.0, 50.0, -50.0, 80.0]))
    assert shift[0] < shift[1] == 0 < shift[2] == shift[3] < shift[4] == 35


@pytest.mark.parametrize(
    ("latitude", "day", "hour", "zenith", "azimuth"),
    [
        (43.0, "2021-06-21", 12.0, 43.0 - 23.44, 180.0),
        (43.0, "2021-12-21", 12.0, 43.0 + 23.44, 180.0),
        (-35.0, "2021-12-21", 12.0, 35.0 - 23.44, 0.0),
        (0.0, "2021-03-20", 9.0, 45.0, 90.0),
    ],
)
def test_sun(latitude: float, day: str, hour: float, zenith: float, azimuth: float) -> None:
    number = np.array([(np.datetime64(day) - np.datetime64("1970-01-01")).astype(int)])
    found = weather.sun(latitude, number, np.array([hour]))
    assert abs(found[0][0] - zenith) < 0.8
    assert abs((found[1][0] - azimuth + 180) % 360 - 180) < 3


def passes(cloudiness: float = 0.55, revisit: int = 5, seed: int = 0) -> weather.Overpasses:
    season = (date(2021, 3, 1), date(2021, 10, 31))
    return weather.overpasses(seed, revisit, cloudiness, season, PLACE)


@pytest.mark.parametrize("revisit", [1, 5, 10])
def test_overpasses_come_as_often_as_said(revisit: int) -> None:
    found = passes(revisit=revisit)
    expected = 245 / revisit
    assert 0.9 * expected - 1 <= len(found.day) <= expected + 1
    assert (np.diff(found.time) > np.timedelta64(0)).all()
    assert found.time[0] >= np.datetime64("2021-03-01")
    assert found.time[-1] < np.datetime64("2021-11-01")
    assert set(found.view) == {0, 1}


def test_two_orbits_alternate_unevenly() -> None:
    gaps = np.diff(passes().day)
    assert {4, 6} <= set(gaps) <= {4, 6, 10, 14, 16}


@pytest.mark.parametrize("cloudiness", [0.2, 0.55, 0.8])
def test_mean_cover_is_the_one_asked_for(cloudiness: float) -> None:
    covers = [passes(cloudiness, seed=seed).cover.mean() for seed in range(12)]
    assert abs(np.mean(covers) - cloudiness) < 0.06


def test_share_of_the_sky_under_cloud_is_the_cover() -> None:
    season = weather.overpasses(1, 1, 0.5, (date(2020, 1, 1), date(2021, 12, 1)), PLACE)
    middle = np.abs(season.cover - 0.5) < 0.35
    chosen = weather.Overpasses(*(getattr(season, name)[middle] for name in vars(season)))
    clouds = weather.sky(1, chosen, 500_040, 4_760_040, 126).cloud
    assert abs((clouds > 0).mean() - chosen.cover.mean()) < 0.08


def test_clear_and_overcast_skies() -> None:
    assert weather.sky(0, passes(0.0), 500_040, 4_760_040, 66).cloud.max() == 0
    assert weather.sky(0, passes(1.0), 500_040, 4_760_040, 66).cloud.min() > 0.5


@pytest.mark.parametrize(("azimuth", "east", "north"), [(180, 0, -600), (90, 600, 0), (0, 0, 600)])
def test_a_shadow_is_the_cloud_seen_towards_the_sun(azimuth: int, east: int, north: int) -> None:
    found = passes(seed=4)
    height = weather.cloud_height(4, found.day)
    found = replace(
        found,
        zenith=np.rad2deg(np.arctan(600 / height)),  # the sun's ray is 600 m away in the cloud
        azimuth=np.full(len(found.day), float(azimuth)),
    )
    here = weather.sky(4, found, 500_040, 4_760_040, 60)
    towards = weather.sky(4, found, 500_040 + east, 4_760_040 + north, 60)
    assert 0.1 < (here.shadow > 0).mean() < 0.9
    np.testing.assert_allclose(here.shadow, weather.SHADE * towards.cloud, atol=1e-9)
