"""Rasters as a source: real files of many kinds, and what is said when they do not fit."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401  (registers `rio`)
from affine import Affine
from pyproj import Transformer

from raster_files import (
    DAYS,
    EPSG,
    NORTH,
    ON_GRID,
    SIZE,
    TILE,
    WEST,
    area,
    build,
    dates,
    image,
    write,
)
from sitsformer import cube
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.imagery.rasters.pixels import Block, on_grid
from sitsformer.imagery.rasters.source import RasterSource
from sitsformer.sensors import BANDS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images on the tile's grid, named so that names do not sort by date."""
    for i, day in enumerate(DAYS):
        write(tmp_path / f"{'cab'[i]}_{day}T105031.tif", image(i))
    return tmp_path


def test_files_on_the_grid_come_through_bit_by_bit_in_time_order(folder: Path) -> None:
    dataset = build(folder)
    assert dates(dataset) == ["2021-04-05T10:50:31", "2021-06-10T10:50:31", "2021-07-15T10:50:31"]
    np.testing.assert_array_equal(dataset.reflectance, [image(i) for i in range(3)])
    assert (dataset.clear == 100).all()
    assert dataset.attrs["files"][0] == "c_20210405T105031.tif"


def test_a_window_of_a_larger_file_and_what_lies_outside_of_it(tmp_path: Path) -> None:
    values = image(1, 40)
    write(tmp_path / "20210405.tif", values, transform=ON_GRID @ Affine.translation(-20, 5))
    dataset = build(tmp_path)
    found = dataset.reflectance.values[0]
    np.testing.assert_array_equal(found[:, 5:], values[:, : SIZE - 5, 20 : 20 + SIZE])
    assert (found[:, :5] == cube.MISSING).all()
    assert (dataset.clear.values[0, :5] == 255).all()


def test_another_grid_gives_the_pixel_each_centre_lies_in(tmp_path: Path) -> None:
    # 20 m pixels, shifted by 4 m, in the neighbouring zone: compare with a plain loop.
    values = image(2, 60)
    there = Transformer.from_crs(EPSG, 32632, always_xy=True)
    corner = there.transform(WEST, NORTH)
    transform = Affine(20, 0, corner[0] - 404, 0, -20, corner[1] + 404)
    write(tmp_path / "20210405.tif", values, transform=transform, crs="EPSG:32632")
    found = build(tmp_path).reflectance.values[0]
    for row, y in enumerate(TILE.y):
        for column, x in enumerate(TILE.x):
            j, i = ~transform @ there.transform(x, y)
            np.testing.assert_array_equal(found[:, row, column], values[:, int(i), int(j)])


def test_a_pixel_that_takes_its_neighbours_value_lies_on_their_edge(tmp_path: Path) -> None:
    # Degrees, over a whole block: numbers of the file's pixels tell where each value comes from.
    size, step = 900, 1e-4
    there = Transformer.from_crs(EPSG, 4326, always_xy=True)
    west, north = there.transform(WEST, NORTH)
    transform = Affine(step, 0, west - 0.01, 0, -step, north + 0.01)
    row, column = np.indices((size, size))
    codes = (row * size + column).astype(np.int32)[None]
    options = {"transform": transform, "crs": "EPSG:4326", "names": None, "nodata": None}
    path = write(tmp_path / "codes.tif", codes, **options)
    block = Block(EPSG, WEST, NORTH, 504, 504, 10)
    with rasterio.open(path) as dataset, on_grid(dataset, block) as view:
        found, seen = view.read((1,))
    x, y = np.meshgrid(WEST + 10 * (np.arange(504) + 0.5), NORTH - 10 * (np.arange(504) + 0.5))
    j, i = ~transform @ there.transform(x, y)
    row, column = np.divmod(found[0], size)
    assert seen.all()
    assert ((row != np.floor(i)) | (column != np.floor(j))).mean() < 0.001
    for taken, place in ((row, i), (column, j)):
        assert (np.abs(place - taken - 0.5) < 0.501).all()


def test_a_turned_and_finer_grid(tmp_path: Path) -> None:
    values = image(3, 200)
    turned = Affine.translation(WEST - 80, NORTH + 60) @ Affine.rotation(-20) @ Affine.scale(3, -3)
    write(tmp_path / "20210405.tif", values, transform=turned)
    found = build(tmp_path).reflectance.values[0]
    assert set(np.unique(found)) <= set(np.unique(values)) | {cube.MISSING}
    j, i = ~turned @ (TILE.x[7], TILE.y[3])
    np.testing.assert_array_equal(found[:, 3, 7], values[:, int(i), int(j)])


def test_nodata_is_missing_and_zero_is_not_where_nodata_is_another(tmp_path: Path) -> None:
    values = image(4)
    values[:, 0, 0], values[:, 0, 1], values[2, 5, 5] = 0, 9999, 0
    write(tmp_path / "20210405.tif", values, nodata=None)
    plain = build(tmp_path)
    assert (plain.reflectance.values[0, :, 0, 0] == cube.MISSING).all()
    assert plain.clear.values[0, 0, 0] == 255
    # One band without a value: that band is missing, and the pixel is not clear.
    assert (plain.reflectance.values[0, :, 5, 5] == cube.MISSING).sum() == 1
    assert plain.clear.values[0, 5, 5] == 255
    other = build(tmp_path, nodata=9999)
    assert (other.reflectance.values[0, :, 0, 0] == 0).all()
    assert (other.reflectance.values[0, :, 0, 1] == cube.MISSING).all()


def test_scale_and_offset(tmp_path: Path) -> None:
    # Baseline 04.00 before harmonisation, and reflectances as floating-point numbers.
    (tmp_path / "new").mkdir()
    (tmp_path / "float").mkdir()
    values = image(5)
    write(tmp_path / "new" / "20220405.tif", values + np.uint16(1000))
    harmonised = build(tmp_path / "new", start="2022-03-01", end="2022-10-31", offset=-0.1)
    np.testing.assert_array_equal(harmonised.reflectance[0], values)
    # A series wholly of such products steps nowhere: it is told by its darkest values.
    with pytest.raises(SitsError, match=r"set .*\.offset: -0\.1, or .*: 0 if they were"):
        build(tmp_path / "new", start="2022-03-01", end="2022-10-31")
    lifted = build(tmp_path / "new", start="2022-03-01", end="2022-10-31", offset=0)
    np.testing.assert_array_equal(lifted.reflectance[0], values + np.uint16(1000))
    fractions = values.astype(np.float32) * np.float32(1e-4)
    fractions[:, 2, 2], fractions[:, 3, 3] = np.nan, -0.02
    write(tmp_path / "float" / "20210405.tif", fractions, nodata=None)
    floats = build(tmp_path / "float", scale=1.0, nodata=-9999).reflectance.values[0]
    assert (floats[:, 2, 2] == cube.MISSING).all()
    assert (floats[:, 3, 3] == 0).all()
    same = np.ones((SIZE, SIZE), bool)
    same[[2, 3], [2, 3]] = False
    np.testing.assert_array_equal(floats[:, same], values[:, same])


def test_bands_by_description_or_by_the_configured_order(tmp_path: Path) -> None:
    values = image(6)
    order = list(reversed(range(len(BANDS))))
    loose = [BANDS[i].replace("B0", "b") for i in order]  # b2, b3, ... as some tools write them
    write(tmp_path / "20210405.tif", values[order], names=loose)
    np.testing.assert_array_equal(build(tmp_path).reflectance[0], values)
    write(tmp_path / "20210405.tif", values[order], names=None)
    names = [BANDS[i] for i in order]
    np.testing.assert_array_equal(build(tmp_path, bands=names).reflectance[0], values)
    with pytest.raises(SitsError, match=r"farm\.rasters\.bands: 20210405.tif lacks B02, .*bands"):
        build(tmp_path)
    with pytest.raises(SitsError, match=r"11 names for the 10 bands of 20210405\.tif"):
        build(tmp_path, bands=[*names, "SCL"])


def test_granules_of_one_datatake_are_one_date_and_other_times_are_not(tmp_path: Path) -> None:
    first, second, later = image(7), image(8), image(9)
    first[:, :, 6:] = 0
    write(tmp_path / "A_20210405T105031.tif", first)
    write(tmp_path / "B_20210405T105045.tif", second)
    write(tmp_path / "C_20210405T111500.tif", later)
    dataset = build(tmp_path)
    assert dates(dataset) == ["2021-04-05T10:50:31", "2021-04-05T11:15:00"]
    mosaic = np.concatenate([first[..., :6], second[..., 6:]], axis=-1)
    np.testing.assert_array_equal(dataset.reflectance, [mosaic, later])
    assert dataset.attrs["files"][0] == "A_20210405T105031.tif+B_20210405T105045.tif"


def test_files_of_one_day_without_a_time_are_one_date(tmp_path: Path) -> None:
    halves = [image(10), image(11)]
    halves[0][:, :4] = 0
    for name, values in zip(("31UES", "31UFS"), halves, strict=True):
        write(tmp_path / f"{name}_20210405.tif", values)
    write(tmp_path / "31UES_20210405T000000.tif", image(12))  # midnight, said exactly
    dataset = build(tmp_path)
    assert dates(dataset) == ["2021-04-05T00:00:00"]
    np.testing.assert_array_equal(dataset.reflectance.values[0, :, 4:], halves[0][:, 4:])
    assert (dataset.reflectance != cube.MISSING).all()


def test_digits_that_are_no_date_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "S2_L2A_00002806639B424A_20210804T105328.tif", image(0))
    assert dates(build(tmp_path)) == ["2021-08-04T10:53:28"]


def test_dates_outside_the_season_are_left_out(folder: Path) -> None:
    dataset = build(folder, start="2021-04-05", end="2021-06-10")
    assert [text[:10] for text in dates(dataset)] == ["2021-04-05", "2021-06-10"]
    with pytest.raises(SitsError, match="none of the 3 files is of the season 2022-01-01"):
        build(folder, start="2022-01-01", end="2022-12-31")


@pytest.mark.parametrize("damage", ["text", "header", "pixels"])
def test_a_broken_file_is_named_and_stops_or_is_skipped(
    folder: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = folder / f"a_{DAYS[1]}T105031.tif"
    whole = path.read_bytes()
    path.write_bytes({"text": b"no image", "header": b"", "pixels": whole[:1200]}[damage])
    with pytest.raises(SitsError, match=rf"{path.name} cannot be read: .*on_broken: skip"):
        build(folder)
    with caplog.at_level(logging.WARNING):
        dataset = build(folder, on_broken="skip")
    assert path.name in caplog.text
    # A file whose header is whole turns out broken when its pixels are read: its date stays, empty.
    present = [text.replace("-", "")[:8] for text in dates(dataset)]
    assert present == (list(DAYS) if damage == "pixels" else [DAYS[0], DAYS[2]])
    np.testing.assert_array_equal(dataset.reflectance[0], image(0))
    np.testing.assert_array_equal(dataset.reflectance[-1], image(2))
    if damage == "pixels":
        assert (dataset.reflectance[1] == cube.MISSING).all()


def test_messages_say_what_was_found(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SitsError, match=r"no file in .* matches '\*\.jp2'; the folder holds a_"):
        build(folder, pattern="*.jp2")
    with pytest.raises(SitsError, match="there is no folder"):
        build(folder / "nowhere")
    with pytest.raises(SitsError, match="no date in the file name"):
        build(folder, date_pattern=r"(?P<date>\d{9})")
    far = Tile("farm", "far", EPSG, WEST + 60_000, NORTH, SIZE)
    with pytest.raises(SitsError, match=r"none of the 3 files .* reaches tile far.*west 501360"):
        build(folder, tile=far)


def test_a_file_without_a_coordinate_system_is_named(tmp_path: Path) -> None:
    write(tmp_path / "20210405.tif", image(0), crs=None)
    with pytest.raises(SitsError, match=r"20210405\.tif has no coordinate reference system"):
        build(tmp_path)


LOCAL = 'LOCAL_CS["arbitrary",UNIT["metre",1],AXIS["x",EAST],AXIS["y",NORTH]]'


@pytest.mark.parametrize("crs", [LOCAL, "+proj=longlat +R=1737400 +no_defs"], ids=["local", "moon"])
def test_a_coordinate_system_that_nothing_leads_to_is_named(tmp_path: Path, crs: str) -> None:
    write(tmp_path / "20210405.tif", image(0), crs=crs)
    with pytest.raises(SitsError, match=r"20210405\.tif: nothing leads from .*gdal_edit"):
        build(tmp_path)
    write(tmp_path / "20210405.tif", image(0))
    path = write(tmp_path / "labels.tiff", image(0, bands=1), crs=crs, names=None)
    label = {"path": str(path), "legend": legend(tmp_path, [7])}
    with pytest.raises(SitsError, match=r"labels\.tiff: nothing leads from "):
        build(tmp_path, labels={"crop": label})


def test_files_that_do_not_reach_the_tile_are_left_out(folder: Path) -> None:
    write(folder / "20210801.tif", image(0), transform=ON_GRID @ Affine.translation(500, 0))
    assert len(dates(build(folder))) == 3


def test_clouds_by_scene_classification(tmp_path: Path) -> None:
    values = image(13, bands=len(BANDS) + 1)
    values[-1] = 4
    values[-1, 0, :4] = (9, 3, 5, 11)
    write(tmp_path / "20210405.tif", values, names=[*BANDS, "SCL"])
    expected = np.full((SIZE, SIZE), 100)
    expected[0, [0, 1, 3]] = 0
    by_name = build(tmp_path, clouds={"by": "scl", "band": "scl"})
    by_number = build(tmp_path, clouds={"by": "scl", "band": "11"})
    np.testing.assert_array_equal(by_name.clear[0], expected)
    np.testing.assert_array_equal(by_number.clear[0], expected)
    np.testing.assert_array_equal(by_name.reflectance[0], values[:-1])
    with pytest.raises(SitsError, match="no band 'QA60'; it has 11 bands: B02, "):
        build(tmp_path, clouds={"by": "scl", "band": "QA60"})
    with pytest.raises(SitsError, match=r"clouds\.band: clouds by 'scl' need"):
        build(tmp_path, clouds={"by": "scl"})


def test_clouds_by_a_mask(tmp_path: Path) -> None:
    values = image(14, bands=len(BANDS) + 1)
    values[-1] = np.random.default_rng(0).integers(0, 2, (SIZE, SIZE))
    write(tmp_path / "20210405.tif", values, names=[*BANDS, "clear"])
    dataset = build(tmp_path, clouds={"by": "mask", "band": "clear"})
    np.testing.assert_array_equal(dataset.clear[0], 100 * values[-1])


def test_clouds_by_the_simple_test(tmp_path: Path) -> None:
    values = image(15)
    values[0, 0, 0], values[8, 0, 1] = 2500, 300
    write(tmp_path / "20210405.tif", values)
    score = build(tmp_path, clouds={"by": "simple", "blue_max": 0.2, "swir_min": 0.04}).clear[0]
    assert score[0, 0] == score[0, 1] == 0
    assert (score.values == 0).sum() == 2
    assert (build(tmp_path, clouds={"by": "none"}).clear == 100).all()


def legend(folder: Path, codes: Sequence[int]) -> str:
    path = folder / "legend.csv"
    rows = [f"{code},class {code},#0000{i:02x}" for i, code in enumerate(codes)]
    path.write_text("\n".join(["code,name,colour", *rows]))
    return str(path)


def test_labels_on_another_grid_are_taken_by_nearest_neighbour(folder: Path) -> None:
    codes = np.random.default_rng(1).choice([0, 11, 1200], (1, 30, 30)).astype(np.uint16)
    there = Transformer.from_crs(EPSG, 3035, always_xy=True)
    east, north = there.transform(WEST, NORTH)
    transform = Affine(30, 0, east - 400, 0, -30, north + 400)
    path = write(folder / "parcels.tif", codes, transform=transform, crs="EPSG:3035", names=None)
    label = {"path": str(path), "legend": legend(folder, [11, 1200])}
    # The label raster lies among the images and matches their pattern; it is none of them.
    dataset = build(folder, labels={"crop": label})
    assert dataset.crop.dtype == np.uint16
    assert len(dates(dataset)) == 3
    for row, y in enumerate(TILE.y):
        for column, x in enumerate(TILE.x):
            j, i = ~transform @ there.transform(x, y)
            assert dataset.crop.values[row, column] == codes[0, int(i), int(j)]
    assert cube.label_layers(dataset)["crop"].names == ("class 11", "class 1200")


def test_labels_that_do_not_fit(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    codes = np.array([[[7, 9], [7, 255]]], np.uint8).repeat(10, 1).repeat(10, 2)
    path = write(folder / "labels.tiff", codes, names=None, nodata=255)
    label = {"path": str(path), "legend": legend(folder, [7])}
    with pytest.raises(SitsError, match=r"labels\.crop\.legend: labels.tiff holds codes .*: 9;"):
        build(folder, labels={"crop": label})
    found = build(
        folder, labels={"crop": {**label, "nodata": 9, "legend": legend(folder, [7, 255])}}
    )
    assert found.crop.values[0, 0] == 7 and found.crop.values[0, 11] == 0
    with pytest.raises(SitsError, match=r"band: labels.tiff has 1 bands, not 2"):
        build(folder, labels={"crop": {**label, "band": 2}})
    with pytest.raises(SitsError, match=r"labels\.crop\.path: .*nothing.tif cannot be read"):
        build(folder, labels={"crop": {**label, "path": str(folder / "nothing.tif")}})
    beside = ON_GRID @ Affine.translation(SIZE, 0)  # in the area, and not in this tile
    near = write(folder / "near.tiff", codes, names=None, transform=beside)
    with caplog.at_level(logging.WARNING):
        empty = build(folder, labels={"crop": {**label, "path": str(near)}})
    assert "has no label in tile" in caplog.text
    assert (empty.crop == 0).all()
    far = write(folder / "far.tiff", codes, names=None, crs="EPSG:32632")
    with pytest.raises(SitsError, match=r"far\.tiff does not reach the area: it covers 9\.0"):
        build(folder, labels={"crop": {**label, "path": str(far)}})


def test_a_large_tile_is_read_by_blocks_and_lazily(tmp_path: Path) -> None:
    size = 606  # more than one block a side
    values = image(16, size)
    write(tmp_path / "20210405.tif", values)
    big = Tile("farm", "big", EPSG, WEST, NORTH, size)
    lazy = RasterSource().cube("farm", area(tmp_path), big)
    assert lazy.reflectance.chunks == ((1,), (10,), (504, 102), (504, 102))
    np.testing.assert_array_equal(lazy.reflectance[0], values)


def test_a_cube_of_rasters_is_written_and_read_back(folder: Path) -> None:
    dataset = RasterSource().cube("farm", area(folder), TILE)
    cube.write(dataset, folder / "cube.zarr", config={})
    back = cube.open_cube(folder / "cube.zarr")
    np.testing.assert_array_equal(back.reflectance, [image(i) for i in range(3)])
