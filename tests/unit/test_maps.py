"""Wall-to-wall maps of a made cube, and areas against the worked example of Olofsson et al."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from cubes import make_config, make_cube, tiles
from sitsformer import cube, mapproducts, maps
from sitsformer.classes import Classes
from sitsformer.config import Patches
from sitsformer.errors import SitsError
from sitsformer.evaluation import areas
from sitsformer.grid import Tile
from sitsformer.legends import load_legend
from sitsformer.patches import make_tile_store
from sitsformer.samples import load_samples, open_samples

CLASSES = Classes(("corn", "soybeans"), ("#ffd300", "#267000"), ((1,), (5,)))
SIZE = 30


def made_cube(path: Path, dates: int = 12, seed: int = 0) -> np.ndarray:
    """A cube in which corn is bright in B08 in the west and soy is dark in the east."""
    rng = np.random.default_rng(seed)
    tile = Tile("county", "32614_499980_4650000", 32614, 499980, 4650000, SIZE)
    corn = np.arange(SIZE)[None, :] < 17
    truth = np.broadcast_to(np.where(corn, 1, 5), (SIZE, SIZE)).astype(np.uint8)
    reflectance = rng.integers(900, 1100, (dates, 10, SIZE, SIZE)).astype(np.uint16)
    reflectance[:, 6] += np.where(truth == 1, 3000, 0).astype(np.uint16)
    clear = rng.choice([0, 100], (dates, SIZE // 6, SIZE // 6), p=[0.3, 0.7])
    clear = clear.repeat(6, 1).repeat(6, 2).astype(np.uint8)
    clear[:, 20:24, 20:24] = 10
    reflectance[3, :, 5, 5] = cube.MISSING
    times = np.datetime64("2021-04-01") + 10 * np.arange(dates)
    worldcover = np.where(np.arange(SIZE)[:, None] < 10, 40, 10).repeat(SIZE, 1).astype(np.uint8)
    layers = {
        "cdl": (truth, load_legend("cdl")),
        "worldcover": (worldcover, load_legend("worldcover")),
    }
    dataset = cube.build(tile, times, reflectance, clear, layers, {})
    cube.write(dataset, path, config={})
    return truth


def oracle(reflectance: np.ndarray, doy: np.ndarray) -> np.ndarray:
    """Tells corn by the centre pixel's B08, and checks what it is given."""
    valid = doy > 0
    assert (np.diff(valid.astype(int), axis=1) <= 0).all()
    assert (reflectance[valid] != cube.MISSING).all()
    assert (reflectance[~valid] == cube.MISSING).all()
    middle = reflectance.shape[-1] // 2
    bright = np.where(valid, reflectance[:, :, 6, middle, middle], 0).max(1) > 2500
    return np.stack([np.where(bright, 0.9, 0.2), np.where(bright, 0.1, 0.8)], 1)


def never_clear(path: Path, size: int) -> np.ndarray:
    """Pixels whose patch is wholly clear and seen on no date; the edge is like its neighbour."""
    dataset, half = cube.open_cube(path), size // 2
    good = (dataset.clear.values >= 60) & (dataset.reflectance.values[:, 0] != cube.MISSING)
    found = np.ones((SIZE, SIZE), bool)
    for i in range(half, SIZE - half):
        for j in range(half, SIZE - half):
            window = good[:, i - half : i + half + 1, j - half : j + half + 1]
            found[i, j] = not window.all((1, 2)).any()
    return np.pad(found[half : SIZE - half, half : SIZE - half], half, "edge")


@pytest.mark.parametrize(("size", "batch"), [(1, 1000), (3, 77), (5, 1000)])
def test_every_pixel_is_predicted_from_its_own_patch(tmp_path: Path, size: int, batch: int) -> None:
    truth = made_cube(tmp_path / "c.zarr")
    settings = Patches(size=size, max_length=6, min_dates=1)
    found = maps.predict(tmp_path / "c.zarr", settings, oracle, batch)
    expected = CLASSES.index(truth) + 1
    cloudy = never_clear(tmp_path / "c.zarr", size)
    assert cloudy[20:24, 20:24].all()
    assert cloudy.mean() < 0.2
    np.testing.assert_array_equal(found.classes[~cloudy], expected[~cloudy])
    assert (found.classes[cloudy] == maps.NONE).all()
    np.testing.assert_array_equal(
        found.confidence[~cloudy], np.where(expected[~cloudy] == 1, 90, 80)
    )


def test_a_batch_is_what_the_samples_would_be(tmp_path: Path) -> None:
    made_cube(tmp_path / "c.zarr")
    settings = Patches(size=3, max_length=4, min_dates=1)
    dataset = cube.open_cube(tmp_path / "c.zarr")
    days = dataset.time.dt.dayofyear.values
    checked = 0
    for row, column, reflectance, doy in maps._pixels(dataset, tmp_path / "c.zarr", settings, 500):
        for i in range(0, len(row), 97):
            for t in np.flatnonzero(doy[i]):
                window = (slice(row[i] - 1, row[i] + 2), slice(column[i] - 1, column[i] + 2))
                date = int(np.flatnonzero(days == doy[i, t])[0])
                values = dataset.reflectance.values[date][:, *window]
                np.testing.assert_array_equal(reflectance[i, t], values)
                assert (dataset.clear.values[date][window] >= 60).all()
                checked += 1
    assert checked > 20


@pytest.mark.parametrize("seed", [0, 7])
def test_a_pixel_of_a_map_is_the_stored_sample_bit_for_bit(tmp_path: Path, seed: int) -> None:
    """More clear dates than fit, and gaps: the same dates are kept whatever the seed of the set."""
    config = make_config(chosen={"seed": seed, "split": {"block": 600.0}}, patches={"size": 3})
    tile = tiles(config)[0]
    path = make_cube(tmp_path / "c.zarr", tile, dates=40, clear=0.8, missing=0.002)
    make_tile_store(config, "land", "farm", tile.name, path, tmp_path / "s.zarr")
    stored, dataset = load_samples(tmp_path / "s.zarr"), open_samples(tmp_path / "s.zarr")
    assert ((stored.doy > 0).sum(1) == config.patches.max_length).sum() > 100
    row = np.rint((tile.north - dataset.y.values) / 10 - 0.5).astype(int)
    column = np.rint((dataset.x.values - tile.west) / 10 - 0.5).astype(int)
    where = {place: k for k, place in enumerate(zip(row, column, strict=True))}
    found = 0
    for rows, columns, reflectance, doy in maps._pixels(
        cube.open_cube(path), path, config.patches, 300
    ):
        for i, place in enumerate(zip(rows, columns, strict=True)):
            if place in where:
                np.testing.assert_array_equal(doy[i], stored.doy[where[place]])
                np.testing.assert_array_equal(reflectance[i], stored.reflectance[where[place]])
                found += 1
    assert found == len(stored) > 100


def test_pixels_with_too_few_dates_stay_empty(tmp_path: Path) -> None:
    made_cube(tmp_path / "c.zarr")
    found = maps.predict(
        tmp_path / "c.zarr", Patches(size=1, max_length=12, min_dates=12), oracle, 500
    )
    assert (found.classes == maps.NONE).mean() > 0.5
    np.testing.assert_array_equal(found.classes == maps.NONE, found.confidence == 0)


def write(found, dataset, classes, path, labels=None) -> None:
    """Every product of a map, with one test sample a class."""
    count = len(classes.names)
    each = np.arange(count)
    table = areas.estimate(found.pixels(count), each, each, np.ones(count), classes.names, 0.95)
    mapproducts.write(
        mapproducts.Mapped(
            found=found,
            classes=classes,
            cube=dataset,
            labels=labels,
            areas=table,
            config=make_config(),
        ),
        path,
    )


def test_the_geotiff_has_grid_colours_and_names(tmp_path: Path) -> None:
    truth = made_cube(tmp_path / "c.zarr")
    dataset = cube.open_cube(tmp_path / "c.zarr")
    found = maps.predict(tmp_path / "c.zarr", Patches(size=1, min_dates=1), oracle, 500)
    path = tmp_path / "map.tif"
    write(found, dataset, CLASSES, path)
    with rasterio.open(path) as source:
        assert source.crs.to_epsg() == 32614
        assert source.transform == cube.tile_of(dataset).transform
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.colormap(1)[1] == (0xFF, 0xD3, 0x00, 255)
        assert source.colormap(1)[2] == (0x26, 0x70, 0x00, 255)
        assert source.tags(1)["CLASS_2"] == "soybeans"
        np.testing.assert_array_equal(source.read(1), found.classes)
        assert ((source.read(1) == 1) <= (truth == 1)).all()
    with rasterio.open(path.with_name("map_confidence.tif")) as source:
        np.testing.assert_array_equal(source.read(1), found.confidence)
        assert source.tags(1)["UNITS"] == "percent"
    assert sorted(item.name for item in tmp_path.iterdir()) == [
        *(".provenance", "c.zarr", "map.png", "map.tif", "map_areas.csv", "map_confidence.tif")
    ]


def test_cropland_mask(tmp_path: Path) -> None:
    made_cube(tmp_path / "c.zarr")
    dataset = cube.open_cube(tmp_path / "c.zarr")
    found = maps.predict(tmp_path / "c.zarr", Patches(size=1, min_dates=1), oracle, 500)
    masked = maps.only_cropland(found, dataset)
    assert (masked.classes[10:] == maps.NONE).all()
    np.testing.assert_array_equal(masked.classes[:10], found.classes[:10])
    with pytest.raises(SitsError, match="needs the label layer `worldcover`"):
        maps.only_cropland(found, dataset.drop_vars("worldcover"))
    # Under another name its legend tells; beside one of the right name it does not count.
    renamed = dataset.rename(worldcover="cover")
    np.testing.assert_array_equal(maps.only_cropland(found, renamed).classes, masked.classes)
    renamed["worldcover"] = dataset.worldcover * np.uint8(0)
    renamed.worldcover.attrs.update(dataset.worldcover.attrs)
    assert (maps.only_cropland(found, renamed).classes == maps.NONE).all()


# Olofsson et al. 2014, table 8: map (rows) by reference (columns), and pixels of 30 m by class.
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])


def test_areas_are_those_of_the_worked_example() -> None:
    mapped = np.repeat(np.arange(4), COUNTS.sum(1))
    reference = np.concatenate([np.repeat(np.arange(4), row) for row in COUNTS])
    names = ("deforestation", "gain", "forest", "other")
    found = areas.estimate(PIXELS, mapped, reference, np.ones(len(mapped)), names, 0.95)
    scale = 0.09 / areas.HECTARES
    # Section 5.1 of the paper: hectares and half widths (with 1.96).
    np.testing.assert_allclose(
        found.estimated_ha * scale, [21_158, 11_686, 285_770, 581_386], rtol=1e-4
    )
    half = (found.high_ha - found.low_ha) / 2 * scale
    np.testing.assert_allclose(half, [6_158, 3_756, 15_510, 16_282], rtol=2e-3)
    np.testing.assert_allclose(found.users_accuracy, [0.88, 0.7333, 0.9273, 0.9631], atol=1e-3)
    np.testing.assert_allclose(found.producers_accuracy, [0.75, 0.85, 0.93, 0.96], atol=0.01)


def test_weights_undo_a_balanced_draw() -> None:
    # 90 % of the land is corn; the map calls 10 % of corn and 10 % of soy wrongly.
    rng = np.random.default_rng(0)
    truth = (rng.random(200_000) > 0.9).astype(np.int64)
    guess = np.where(rng.random(200_000) < 0.1, 1 - truth, truth)
    pixels = np.bincount(guess, minlength=2)
    drawn = np.concatenate([rng.choice(np.flatnonzero(truth == k), 500, False) for k in (0, 1)])
    manifest = {"kept": {"corn": 500, "soy": 500}, "dropped": {"quota": {
        "corn": int((truth == 0).sum()) - 500, "soy": int((truth == 1).sum()) - 500}}}  # fmt: skip
    weight = areas.class_weights(truth[drawn], ("corn", "soy"), manifest)[truth[drawn]]
    names = ("corn", "soy")
    found = areas.estimate(pixels, guess[drawn], truth[drawn], weight, names, 0.95)
    soy = (truth == 1).sum() * areas.HECTARES
    assert found.low_ha[1] <= soy <= found.high_ha[1]
    assert found.estimated_ha[1] == pytest.approx(soy, rel=0.1)
    plain = areas.estimate(pixels, guess[drawn], truth[drawn], np.ones(1000), names, 0.95)
    assert plain.estimated_ha[1] > 1.5 * soy


def test_a_class_that_is_never_mapped_has_no_area_of_its_own() -> None:
    found = areas.estimate(
        np.array([100, 0]), np.zeros(10, np.int64), np.array([0] * 8 + [1] * 2), np.ones(10),
        ("a", "b"), 0.95,
    )  # fmt: skip
    assert found.estimated_ha.tolist() == pytest.approx([0.8, 0.2])
    assert found.test_samples.tolist() == [10, 0]


ODD = ("a$^{$b", "$\\frac{$", "冬小麦 🌾", "_hidden", "a=b; <i>&amp;", 'x,"y"', "NA", "w" * 300)


def odd_classes(count: int) -> Classes:
    names = (*ODD, *(f"class {k}" for k in range(len(ODD), count)))[:count]
    colours = tuple(f"#{k % 256:02x}{k // 256:02x}7f" for k in range(count))
    return Classes(names, colours, tuple((k + 1,) for k in range(count)))


@pytest.mark.parametrize(("count", "dtype"), [(8, "uint8"), (255, "uint8"), (300, "uint16")])
def test_a_map_of_any_number_of_classes_with_any_names(tmp_path: Path, count, dtype) -> None:
    made_cube(tmp_path / "c.zarr")
    dataset = cube.open_cube(tmp_path / "c.zarr")
    classes = odd_classes(count)

    def last(reflectance: np.ndarray, doy: np.ndarray) -> np.ndarray:
        bright = oracle(reflectance, doy)[:, 0] > 0.5
        return np.eye(count)[np.where(bright, count - 1, 2)]

    found = maps.predict(tmp_path / "c.zarr", Patches(size=1, min_dates=1), last, 500)
    assert set(np.unique(found.classes).tolist()) == {0, 3, count}
    labels = np.where(found.classes > 0, np.arange(SIZE) % count + 1, 0).astype(np.uint16)
    path = tmp_path / "map.tif"
    write(found, dataset, classes, path, labels)
    with rasterio.open(path) as source:
        assert source.dtypes == (dtype,)
        np.testing.assert_array_equal(source.read(1), found.classes)
        tags, colours = source.tags(1), source.colormap(1)
    for k, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True)):
        assert tags[f"CLASS_{k + 1}"] == name
        assert "#{:02x}{:02x}{:02x}".format(*colours[k + 1][:3]) == colour
    with rasterio.open(path.with_name("map_confidence.tif")) as source:
        assert source.dtypes == ("uint8",)
    assert (tmp_path / "map.png").stat().st_size > 10_000


def test_labels_of_hundreds_of_classes_are_those_of_the_layer(tmp_path: Path) -> None:
    made_cube(tmp_path / "c.zarr")
    dataset = cube.open_cube(tmp_path / "c.zarr")
    codes = tuple(range(1, 301))
    dataset["crops"] = (("y", "x"), (np.arange(SIZE * SIZE) % 301).reshape(SIZE, SIZE))
    names = tuple(map(str, codes))
    classes = Classes(names, names, tuple((c,) for c in codes))
    labels = maps.reference(dataset, "crops", classes)
    np.testing.assert_array_equal(labels, dataset.crops.values)
    assert maps.reference(dataset, "none", CLASSES) is None
