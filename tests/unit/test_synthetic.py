"""Cubes of the embedded landscape: deterministic, seamless, plausible, wrong as often as stated."""

from datetime import date
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

from sitsformer import cube
from sitsformer.config import Area, Synthetic, Tiles
from sitsformer.errors import SitsError
from sitsformer.grid import Tile, tiles
from sitsformer.imagery.synthetic.labelling import (
    crop_label,
    land_cover,
    true_cover,
)
from sitsformer.imagery.synthetic.landscape import crop_of, lay_out
from sitsformer.imagery.synthetic.phenology import CROPS
from sitsformer.imagery.synthetic.source import SyntheticSource, harvest_year

EPSG, WEST, NORTH = 32615, 420_000, 4_770_000
BAND = {name: i for i, name in enumerate(("B02", "B03", "B04", "B05", "B06", "B07", "B08"))}


def area(start: str = "2021-03-15", end: str = "2021-10-31", **more: object) -> Area:
    values = {
        "source": "synthetic",
        "bounds": (-94.0, 43.0, -93.95, 43.04),
        "start": start,
        "end": end,
        "labels": ("worldcover", "cdl"),
    }
    return Area.model_validate({**values, **more})


def tile(west: int = WEST, north: int = NORTH, size: int = 126) -> Tile:
    return Tile("county", f"{EPSG}_{west}_{north}", EPSG, west, north, size)


def make(where: Tile, when: Area | None = None, **settings: object) -> xr.Dataset:
    source = SyntheticSource(Synthetic.model_validate(settings))
    return source.cube("county", when or area(), where)


@cache
def demo() -> xr.Dataset:
    return make(tile())


def ndvi(dataset: xr.Dataset) -> np.ndarray:
    values = dataset.reflectance.values.astype(np.float32)
    red, infrared = values[:, BAND["B04"]], values[:, BAND["B08"]]
    index = (infrared - red) / (infrared + red)
    return np.where(dataset.clear.values >= 75, index, np.nan)


def median(index: np.ndarray) -> np.ndarray:
    """Median over pixels at each date (time,); NaN where no pixel is clear."""
    seen = np.isfinite(index).any(1)
    values = np.full(len(index), np.nan)
    values[seen] = np.nanmedian(index[seen], axis=1)
    return values


def ground(metres: int = 12_000, step: int = 20, seed: int = 0):
    x, y = np.meshgrid(WEST + np.arange(0, metres, step), NORTH - np.arange(0, metres, step))
    return lay_out(seed, EPSG, 140.0, x.ravel().astype(float), y.ravel().astype(float))


def test_the_cube_keeps_the_contract() -> None:
    dataset = demo()
    cube.validate(dataset, "demo")
    assert 38 <= dataset.sizes["time"] <= 48
    assert set(cube.label_layers(dataset)) == {"worldcover", "cdl"}
    reflectance = dataset.reflectance.values
    assert reflectance.min() >= 1 and reflectance.max() < 20_000
    assert dataset.clear.values.max() <= 100
    assert dataset.attrs["harvest_year"] == 2021


def test_the_same_settings_give_the_same_bytes_and_another_seed_does_not() -> None:
    again, other = make(tile()), make(tile(), seed=1)
    for name in demo().data_vars:
        assert demo()[name].values.tobytes() == again[name].values.tobytes(), name
    assert (demo().worldcover.values != other.worldcover.values).mean() > 0.3


def test_tiles_join_without_a_seam() -> None:
    # One wide tile against four that make it up: the ground and the sky are the same, and only
    # the noise of single pixels, which belongs to the tile, differs.
    wide = make(tile(size=132))
    for west, north in ((0, 0), (660, 0), (0, -660), (660, -660)):
        part = make(tile(WEST + west, NORTH + north, size=66))
        there = wide.sel(x=part.x, y=part.y)
        for name in ("worldcover", "cdl", "cdl_confidence"):
            np.testing.assert_array_equal(part[name], there[name])
        np.testing.assert_array_equal(part.time, wide.time)
        assert np.abs(part.clear.values.astype(int) - there.clear.values).max() <= 1
        difference = part.reflectance.values.astype(float) - there.reflectance.values
        noise = 0.0015 + 0.012 * there.reflectance.values * 1e-4
        scaled = difference * 1e-4 / (noise * np.sqrt(2))
        assert abs(scaled.mean()) < 0.01
        assert abs(scaled.std() - 1) < 0.02


def test_coarse_bands_have_pixels_of_20_m_and_fine_ones_do_not() -> None:
    clear = demo().clear.values.mean((1, 2)).argmax()
    image = demo().reflectance.values[clear].astype(float)

    def inside(band: int) -> float:
        blocks = image[band].reshape(63, 2, 63, 2)
        return float(np.median(blocks.std((1, 3)) / blocks.mean((1, 3))))

    assert inside(3) < 0.04  # B05: noise alone
    assert image[BAND["B04"]].std() > 0
    edges = [np.abs(np.diff(image[band].reshape(63, 2, 126), axis=1)).mean() for band in (2, 3)]
    assert edges[0] / image[2].mean() > 1.5 * edges[1] / image[3].mean()


def test_no_crop_label_off_cropland() -> None:
    cropland = demo().worldcover.values == 40
    labelled = demo().cdl.values > 0
    assert labelled.any() and not (labelled & ~cropland).any()
    known = {crop.code for crop in CROPS.values()}
    assert set(np.unique(demo().cdl.values[labelled])) <= known
    np.testing.assert_array_equal(demo().cdl_confidence.values == 255, ~labelled)


@pytest.mark.parametrize("rate", [0.0, 0.08, 0.3])
def test_labels_are_wrong_at_the_stated_rate_by_field(rate: float) -> None:
    land = ground()
    fields = land.feature == 0
    cover, truth = land_cover(0, EPSG, land, rate), true_cover(land)
    wrong = share_of_fields(land.parcel[fields], (cover != truth)[fields])
    assert abs(wrong - rate) <= 0.03 * (rate > 0)
    crop, confidence = crop_label(0, EPSG, land, 2021, rate)
    labelled = crop > 0
    right, _ = crop_label(0, EPSG, land, 2021, 0.0)
    mistaken = (crop != right) & labelled
    assert abs(share_of_fields(land.parcel[labelled], mistaken[labelled]) - rate) <= 0.03 * (
        rate > 0
    )
    if rate:
        assert confidence[mistaken].mean() < confidence[labelled & ~mistaken].mean() - 5


def share_of_fields(parcel: np.ndarray, wrong: np.ndarray) -> float:
    """Share of wrong fields, each judged by its first point; errors fill whole fields."""
    _, first = np.unique(parcel, return_index=True)
    assert (np.bincount(parcel, wrong) % np.maximum(np.bincount(parcel), 1) == 0).all()
    return float(wrong[first].mean())


def test_every_cover_and_crop_is_there_in_plausible_shares() -> None:
    land = ground()
    shares = {code: (true_cover(land) == code).mean() for code in (10, 20, 30, 40, 50, 60, 80, 90)}
    assert 0.45 < shares[40] < 0.70
    assert 0.10 < shares[30] < 0.28
    assert all(share > 0.005 for share in shares.values()), shares
    crop, _ = crop_label(0, EPSG, land, 2021, 0.0)
    grown = crop[crop > 0]
    assert all((grown == plant.code).mean() > 0.02 for plant in CROPS.values())


def test_fields_have_the_size_asked_for() -> None:
    land = ground(6000, 10)
    fields = np.bincount(land.parcel) * 100
    assert 0.5 * 140**2 < np.median(fields) < 2.5 * 140**2
    larger = lay_out(0, EPSG, 280.0, *(np.asarray(a) for a in grid(6000, 10)))
    assert np.median(np.bincount(larger.parcel)) > 2 * np.median(np.bincount(land.parcel))


def grid(metres: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(WEST + np.arange(0.0, metres, step), NORTH - np.arange(0.0, metres, step))
    return x.ravel(), y.ravel()


def test_crops_rotate_and_alfalfa_stays() -> None:
    parcels = ground().parcels
    years = [crop_of(0, EPSG, parcels, year) for year in range(2018, 2026)]
    alfalfa = list(CROPS).index("alfalfa")
    changed = np.mean([(a != b).mean() for a, b in pairwise(years)])
    assert 0.6 < changed < 0.95
    kept = np.mean([(b == alfalfa)[a == alfalfa].mean() for a, b in pairwise(years)])
    assert 0.65 < kept < 0.9  # three in four years


def test_the_seasons_of_classes_look_like_their_classes() -> None:
    dataset = make(tile(size=252), cloudiness=0.2, label_error=0.0)
    index, day = ndvi(dataset), dataset.time.dt.dayofyear.values
    curve = {}
    for code in (1, 24, 36):
        curve[code] = median(index[:, dataset.cdl.values == code])
    corn, wheat = curve[1], curve[24]
    spring, summer, autumn = (day > 120) & (day < 150), (day > 205) & (day < 230), day > 290
    assert np.nanmean(wheat[spring]) > 0.7 > 0.4 > np.nanmean(corn[spring])
    assert np.nanmean(corn[summer]) > 0.8 > 0.5 > np.nanmean(wheat[summer])
    assert np.nanmean(corn[autumn]) < 0.45
    cover = dataset.worldcover.values
    assert np.nanmedian(index[:, cover == 10][summer]) > 0.75
    assert np.nanmedian(index[:, cover == 50][summer]) < 0.65


def test_the_southern_season_is_half_a_year_away() -> None:
    south = area("2020-08-01", "2021-07-15", bounds=(20.0, -33.04, 20.05, -33.0))
    where = tiles("karoo", south)[0]
    dataset = make(where, south, cloudiness=0.2, label_error=0.0)
    assert dataset.attrs["harvest_year"] == 2021
    corn = median(ndvi(dataset)[:, dataset.cdl.values == 1])
    assert dataset.time.values[np.nanargmax(corn)].astype("datetime64[M]").astype(str) in (
        "2020-12",
        "2021-01",
        "2021-02",
    )


def test_a_season_across_new_year_has_winter_wheat_in_autumn() -> None:
    when = area("2020-09-01", "2021-08-15", tiles=Tiles(size=126))
    dataset = make(tile(), when, cloudiness=0.2, label_error=0.0)
    assert dataset.attrs["harvest_year"] == 2021
    late = (dataset.time >= np.datetime64("2020-11-20")) & (dataset.time < np.datetime64("2021-01"))
    index = ndvi(dataset)[late.values]
    wheat, corn = (np.nanmedian(index[:, dataset.cdl.values == code]) for code in (24, 1))
    assert wheat > corn + 0.1


def test_harvest_year_is_that_of_the_middle() -> None:
    assert harvest_year(area("2020-10-01", "2021-09-30"), 43.0) == 2021
    assert harvest_year(area("2020-10-01", "2021-05-30"), -33.0) == 2021
    assert harvest_year(area("2021-03-01", "2021-10-30"), 43.0) == 2021


def test_years_differ_in_timing() -> None:
    def green_up(year: int) -> float:
        when = area(f"{year}-03-01", f"{year}-10-31")
        dataset = make(tile(size=66), when, cloudiness=0.0)
        curve = np.nanmean(ndvi(dataset)[:, dataset.worldcover.values == 40], axis=1)
        return float(dataset.time.dt.dayofyear.values[np.nanargmax(curve > 0.5)])

    days = [green_up(year) for year in (2017, 2018, 2019, 2020)]
    assert len(set(days)) > 1 and max(days) - min(days) < 60


def test_the_cloud_score_is_good_but_not_perfect() -> None:
    overcast, clear = make(tile(size=66), cloudiness=1.0), make(tile(size=66), cloudiness=0.0)
    assert np.median(overcast.clear.values) < 10 < 90 < np.median(clear.clear.values)
    dataset = make(tile(size=252))
    blue = dataset.reflectance.values[:, 0].astype(float) * 1e-4
    bright = blue > 0.35  # nothing on the ground is, but for some roofs
    missed = (dataset.clear.values >= 60)[bright].mean()
    assert 0.0 < missed < 0.05


def test_layers_are_those_asked_for() -> None:
    assert list(cube.label_layers(make(tile(size=66), area(labels=("worldcover",))))) == [
        "worldcover"
    ]


def test_a_season_without_an_overpass_is_named() -> None:
    short = area("2021-06-01", "2021-06-03")
    with pytest.raises(SitsError, match=r"areas\.county: no overpass between 2021-06-01"):
        for day in range(1, 29):
            one = replace_days(short, date(2021, 6, day))
            make(tile(size=66), one, revisit=30)


def replace_days(old: Area, day: date) -> Area:
    return old.model_copy(update={"start": day, "end": day})
