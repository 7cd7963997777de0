"""Wall-to-wall maps of a made cube: what each pixel is predicted from, and the files."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import rasterio.transform
import rasterio.warp
import shapely
import torch

import gdal
from cubes import make_config, make_cube, tiles
from sitsformer import cube, mapproducts, maps
from sitsformer.classes import Classes
from sitsformer.config import MaskRaster, Patches, parse
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.ground import Ground
from sitsformer.legends import load_legend
from sitsformer.maps import mask, tile
from sitsformer.model.cutting import cut
from sitsformer.model.steps import make_series, pack
from sitsformer.patches import make_tile_store
from sitsformer.samples import load_samples, open_samples
from sitsformer.windows import Windows

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
    """Pixels without a whole patch, or whose patch is wholly clear and seen on no date."""
    dataset, half = cube.open_cube(path), size // 2
    good = (dataset.clear.values >= 60) & (dataset.reflectance.values[:, 0] != cube.MISSING)
    found = np.ones((SIZE, SIZE), bool)
    for i in range(half, SIZE - half):
        for j in range(half, SIZE - half):
            window = good[:, i - half : i + half + 1, j - half : j + half + 1]
            found[i, j] = not window.all((1, 2)).any()
    return found


@pytest.mark.parametrize(("size", "batch"), [(1, 1000), (3, 77), (5, 1000)])
def test_every_pixel_is_predicted_from_its_own_patch(tmp_path: Path, size: int, batch: int) -> None:
    truth = made_cube(tmp_path / "c.zarr")
    settings = Patches(size=size, max_length=6, min_dates=1)
    found = maps.predict(tmp_path / "c.zarr", settings, oracle, batch)
    expected = CLASSES.index(truth) + 1
    cloudy = never_clear(tmp_path / "c.zarr", size)
    assert cloudy[20:24, 20:24].all()
    inner = slice(size // 2, SIZE - size // 2)
    assert cloudy[inner, inner].mean() < 0.2
    np.testing.assert_array_equal(found.classes[~cloudy], expected[~cloudy])
    assert (found.classes[cloudy] == maps.NONE).all()
    corn = expected[~cloudy] == 1
    np.testing.assert_array_equal(found.confidence[~cloudy], np.where(corn, 90, 80))
    np.testing.assert_array_equal(found.margin[~cloudy], np.where(corn, 80, 60))
    assert (found.confidence[cloudy] == 0).all() and (found.margin[cloudy] == 255).all()
    assert (found.dates[inner, inner] <= 6).all() and (found.dates[~cloudy] > 0).all()


def test_a_batch_is_what_the_samples_would_be(tmp_path: Path) -> None:
    made_cube(tmp_path / "c.zarr")
    settings = Patches(size=3, max_length=4, min_dates=1)
    dataset = cube.open_cube(tmp_path / "c.zarr")
    days = dataset.time.dt.dayofyear.values
    checked = 0
    ground = Ground(tmp_path / "c.zarr", (), 1)
    for row, column, windows in tile.windows_of(ground, ground.whole, settings, 500):
        reflectance, doy = np.asarray(windows), windows.doy
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
    place = tiles(config)[0]
    path = make_cube(tmp_path / "c.zarr", place, dates=40, clear=0.8, missing=0.002)
    make_tile_store(config, "land", "farm", place.name, path, tmp_path / "s.zarr")
    stored, dataset = load_samples(tmp_path / "s.zarr"), open_samples(tmp_path / "s.zarr")
    assert ((stored.doy > 0).sum(1) == config.patches.max_length).sum() > 100
    row = np.rint((place.north - dataset.y.values) / 10 - 0.5).astype(int)
    column = np.rint((dataset.x.values - place.west) / 10 - 0.5).astype(int)
    where = {pixel: k for k, pixel in enumerate(zip(row, column, strict=True))}
    found = 0
    ground = Ground(path, (), 1)
    for rows, columns, windows in tile.windows_of(ground, ground.whole, config.patches, 300):
        reflectance, doy = np.asarray(windows), windows.doy
        for i, pixel in enumerate(zip(rows, columns, strict=True)):
            if pixel in where:
                np.testing.assert_array_equal(doy[i], stored.doy[where[pixel]])
                np.testing.assert_array_equal(reflectance[i], stored.reflectance[where[pixel]])
                found += 1
    assert found == len(stored) > 100


@pytest.mark.parametrize("size", [1, 3])
def test_what_is_cut_out_by_tensors_is_what_numpy_cuts(tmp_path: Path, size: int) -> None:
    made_cube(tmp_path / "c.zarr")
    settings, ground = Patches(size=size, max_length=6), Ground(tmp_path / "c.zarr", (), size // 2)
    mean, std = torch.full((10,), 0.2), torch.full((10,), 0.1)
    for _, _, windows in tile.windows_of(ground, ground.whole, settings, 300):
        windows = windows.take(windows.doy[:, 0] > 0)
        assert np.asarray(windows).shape == windows.shape
        expected = make_series(np.asarray(windows), windows.doy, mean.numpy(), std.numpy())
        found, every = cut(windows, mean, std), np.arange(len(windows.doy))
        assert found.gaps == expected.gaps
        np.testing.assert_array_equal(pack(found, every).values, pack(expected, every).values)
        np.testing.assert_array_equal(pack(found, every).doy, pack(expected, every).doy)
        middle = np.asarray(windows)[:, :, :, size // 2, size // 2][windows.doy > 0]
        np.testing.assert_array_equal(windows.centres(), middle)


def test_a_model_elsewhere_draws_the_same_map(tmp_path: Path) -> None:
    made_cube(tmp_path / "c.zarr")
    settings = Patches(size=3, max_length=6, min_dates=1)
    here = maps.predict(tmp_path / "c.zarr", settings, oracle, 77)

    def gpu(windows: Windows, doy: np.ndarray) -> np.ndarray:
        assert isinstance(windows, Windows)
        return oracle(np.asarray(windows), doy)

    there = maps.predict(tmp_path / "c.zarr", settings, gpu, 77, elsewhere=True)
    np.testing.assert_array_equal(here.classes, there.classes)
    np.testing.assert_array_equal(here.confidence, there.confidence)
    np.testing.assert_array_equal(here.dates, there.dates)


def test_pixels_with_too_few_dates_stay_empty(tmp_path: Path) -> None:
    made_cube(tmp_path / "c.zarr")
    found = maps.predict(
        tmp_path / "c.zarr", Patches(size=1, max_length=12, min_dates=12), oracle, 500
    )
    assert (found.classes == maps.NONE).mean() > 0.5
    np.testing.assert_array_equal(found.classes == maps.NONE, found.confidence == 0)


def write(found, path: Path, classes=CLASSES, layers=()) -> None:
    """Every product of a map of `c.zarr` beside it."""
    dataset = cube.open_cube(path.with_name("c.zarr"))
    mapped = mapproducts.Mapped(found=found, classes=classes, cube=dataset, patches=Patches())
    mapproducts.write(mapped, path, layers)


def test_the_geotiff_has_grid_codes_colours_and_names(tmp_path: Path) -> None:
    truth = made_cube(tmp_path / "c.zarr")
    found = maps.predict(tmp_path / "c.zarr", Patches(size=1, min_dates=1), oracle, 500)
    path = tmp_path / "map.tif"
    write(found, path)
    with rasterio.open(path) as source:
        assert source.crs.to_epsg() == 32614 and source.nodata == 0
        assert source.transform == cube.tile_of(cube.open_cube(tmp_path / "c.zarr")).transform
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.colormap(1)[1] == (0xFF, 0xD3, 0x00, 255)
        assert source.colormap(1)[5] == (0x26, 0x70, 0x00, 255)
        assert source.tags(1)["CLASS_5"] == "soybeans"
        assert source.tags()["START"] == "2021-04-01" and source.tags()["AREA"] == "county"
        values = source.read(1)
    np.testing.assert_array_equal(values, np.array([0, 1, 5])[found.classes])
    # The codes are those of the labels.
    np.testing.assert_array_equal(values[values > 0], truth[values > 0])
    for layer, tags in (("confidence", "percent"), ("margin", "percent"), ("dates", None)):
        with rasterio.open(path.with_name(f"map_{layer}.tif")) as source:
            np.testing.assert_array_equal(source.read(1), getattr(found, layer))
            assert source.tags(1).get("UNITS") == tags
    assert sorted(item.name for item in tmp_path.iterdir()) == [
        *(".provenance", "c.zarr", "map.tif", "map.tif.aux.xml"),
        *("map_confidence.tif", "map_dates.tif", "map_margin.tif"),
    ]


def test_layers_on_request_are_half_floats(tmp_path: Path) -> None:
    made_cube(tmp_path / "c.zarr")

    def embed(reflectance: np.ndarray, doy: np.ndarray) -> np.ndarray:
        return np.stack([doy.max(1), reflectance[:, 0].mean((1, 2, 3))], 1).astype(np.float32)

    found = maps.predict(
        tmp_path / "c.zarr", Patches(size=3, min_dates=2), oracle, 500,
        probabilities=2, embed=embed, features=2,
    )  # fmt: skip
    write(found, tmp_path / "map.tif", layers=("probabilities", "embeddings"))
    for name, names in (
        ("probabilities", ("corn", "soybeans")),
        ("embeddings", ("feature 0", "feature 1")),
    ):
        with rasterio.open(tmp_path / f"map_{name}.tif") as source:
            assert source.descriptions == names and np.isnan(source.nodata)
            assert source.tags(1, ns="IMAGE_STRUCTURE")["NBITS"] == "16"
            values = source.read()
        np.testing.assert_array_equal(values, getattr(found, name).astype(np.float32))
        assert (np.isnan(values).all(0) == (found.classes == 0)).all()
    best = np.nan_to_num(found.probabilities, nan=-1).argmax(0) + 1
    np.testing.assert_array_equal(best[found.classes > 0], found.classes[found.classes > 0])


def test_cropland_mask(tmp_path: Path) -> None:
    made_cube(tmp_path / "c.zarr")
    dataset = cube.open_cube(tmp_path / "c.zarr")
    settings = Patches(size=1, min_dates=1)
    found = maps.predict(tmp_path / "c.zarr", settings, oracle, 500)
    masked = maps.predict(
        tmp_path / "c.zarr", settings, oracle, 500, inside=maps.mask_of("cropland")
    )
    assert (masked.classes[10:] == maps.NONE).all() and (masked.dates[10:] == 65535).all()
    np.testing.assert_array_equal(masked.classes[:10], found.classes[:10])
    with pytest.raises(SitsError, match="needs the label layer `worldcover`"):
        mask.cropland(dataset.drop_vars("worldcover"))
    # Under another name its legend tells; beside one of the right name it does not count.
    renamed = dataset.rename(worldcover="cover")
    np.testing.assert_array_equal(mask.cropland(renamed), mask.cropland(dataset))
    renamed["worldcover"] = dataset.worldcover * np.uint8(0)
    renamed.worldcover.attrs.update(dataset.worldcover.attrs)
    assert not mask.cropland(renamed).any()


@pytest.mark.parametrize("nodata", [None, 255])
def test_a_mask_of_the_user_on_any_grid(tmp_path: Path, nodata: int | None) -> None:
    made_cube(tmp_path / "c.zarr")
    dataset = cube.open_cube(tmp_path / "c.zarr")
    place = cube.tile_of(dataset)
    # In degrees, over the western half of the tile: 1 in the north, 3 below, then 0.
    west, south, east, north = rasterio.warp.transform_bounds(
        "EPSG:32614", "EPSG:4326", *place.bounds
    )
    values = np.zeros((60, 30), np.uint8)
    values[:20], values[20:40] = 1, 3
    path = tmp_path / "mask.tif"
    transform = rasterio.transform.from_bounds(west, south, west + (east - west) / 2, north, 30, 60)
    with rasterio.open(
        path, "w", driver="GTiff", width=30, height=60, count=1, dtype="uint8",
        crs="EPSG:4326", transform=transform, nodata=nodata,
    ) as target:  # fmt: skip
        target.write(values, 1)
    every = mask.of_raster(dataset, MaskRaster(path=str(path)))
    some = mask.of_raster(dataset, MaskRaster(path=str(path), values=(3,)))
    assert not every[:, 17:].any() and every[:18, :13].all() and not every[22:, :].any()
    assert some[12:18, :13].all() and not some[:8].any()
    with pytest.raises(SitsError, match=r"maps\.mask\.band: .* has 1 bands, not 2"):
        mask.of_raster(dataset, MaskRaster(path=str(path), band=2))
    with pytest.raises(SitsError, match="cannot be read as a raster"):
        mask.of_raster(dataset, MaskRaster(path=str(tmp_path / "none.tif")))
    with rasterio.open(path, "r+") as target:
        target.transform = rasterio.transform.from_bounds(10, 50, 11, 51, 30, 60)
    with pytest.raises(SitsError, match="does not reach tile 32614"):
        mask.of_raster(dataset, MaskRaster(path=str(path)))


def test_a_map_may_end_at_the_outline_of_its_area(tmp_path: Path) -> None:
    made_cube(tmp_path / "c.zarr")
    dataset = cube.open_cube(tmp_path / "c.zarr")
    place = cube.tile_of(dataset)
    # Its edges go through the centre of no pixel.
    middle = ((place.x[0] + place.x[-1]) / 2 + 1.3, (place.y[0] + place.y[-1]) / 2 + 2.7)
    corners = [(place.x[0] - 500, place.y[0] + 500), (place.x[-1] + 500, place.y[0] + 500), middle]
    triangle = geopandas.GeoSeries([shapely.Polygon(corners)], crs=place.epsg)
    triangle.to_file(tmp_path / "area.gpkg")
    own = {"source": "synthetic", "start": "2021-03-01", "end": "2021-10-31"}
    areas = {place.area: own | {"geometry": str(tmp_path / "area.gpkg")}}
    values = {"areas": areas, "maps": {"model": "m", "tiles": {place.area: 1}, "within": "area"}}
    inside = mask.within_area(dataset, parse(values))
    x, y = np.meshgrid(place.x, place.y)
    assert 100 < inside.sum() < inside.size / 2
    np.testing.assert_array_equal(inside, shapely.contains_xy(triangle[0], x, y))
    both = mask.mask_of_config(parse(values | {"maps": values["maps"] | {"mask": "cropland"}}))
    assert both is not None
    np.testing.assert_array_equal(both(dataset), inside & mask.cropland(dataset))
    other = parse(values | {"areas": {"other": areas[place.area]}, "maps": {
        **values["maps"], "tiles": {"other": 1}}})  # fmt: skip
    with pytest.raises(SitsError, match=r"needs the area of the cube, .*, among `areas`"):
        mask.within_area(dataset, other)


ODD = ("a$^{$b", "$\\frac{$", "冬小麦 🌾", "_hidden", "a=b; <i>&amp;", 'x,"y"', "NA", "w" * 300)


def odd_classes(count: int) -> Classes:
    names = (*ODD, *(f"class {k}" for k in range(len(ODD), count)))[:count]
    colours = tuple(f"#{k % 256:02x}{k // 256:02x}7f" for k in range(count))
    return Classes(names, colours, tuple((k + 1,) for k in range(count)))


@pytest.mark.parametrize(("count", "dtype"), [(8, "uint8"), (255, "uint8"), (300, "uint16")])
def test_a_map_of_any_number_of_classes_with_any_names(tmp_path: Path, count, dtype) -> None:
    made_cube(tmp_path / "c.zarr")
    classes = odd_classes(count)

    def last(reflectance: np.ndarray, doy: np.ndarray) -> np.ndarray:
        bright = oracle(reflectance, doy)[:, 0] > 0.5
        return np.eye(count)[np.where(bright, count - 1, 2)]

    found = maps.predict(tmp_path / "c.zarr", Patches(size=1, min_dates=1), last, 500)
    assert set(np.unique(found.classes).tolist()) == {0, 3, count}
    path = tmp_path / "map.tif"
    write(found, path, classes)
    with rasterio.open(path) as source:
        assert source.dtypes == (dtype,)
        np.testing.assert_array_equal(source.read(1), found.classes)
        tags, colours = source.tags(1), source.colormap(1)
    for k, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True)):
        assert tags[f"CLASS_{k + 1}"] == name
        assert "#{:02x}{:02x}{:02x}".format(*colours[k + 1][:3]) == colour
    again = maps.read_codes(path)
    assert (again.classes.names, again.values) == (classes.names, tuple(range(1, count + 1)))
    assert gdal.categories(path) == ("", *classes.names)


@pytest.mark.parametrize(
    ("codes", "values", "nodata"),
    [
        (((24,), (1, 5), (36,)), (24, 1, 36), 0),
        (((0,), (1,)), (0, 1), 255),
        (((0,), (255,)), (0, 255), 65535),
        (((1,), (70_000,)), (1, 2), 0),
        (((), ()), (1, 2), 0),
        (((3,), (3,)), (1, 2), 0),
    ],
)
def test_values_are_codes_and_nodata_is_none_of_them(codes, values, nodata) -> None:
    names, colours = ("a", "b", "c"), ("#000000", "#102030", "#ffffff")
    count = len(codes)
    found = maps.map_codes(Classes(names[:count], colours[:count], codes))
    assert (found.values, found.nodata) == (values, nodata)
    index = np.array([0, *range(1, count + 1)], np.uint16)
    assert found.encode(index).tolist() == [nodata, *values]
    assert found.decode(found.encode(index)).tolist() == index.tolist()
