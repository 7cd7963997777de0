"""The local Earth Engine behaves as the real one: checked by hand, through the real client."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import ee
import numpy as np
import pytest
import requests

from earthengine.catalogue import CDL, S2, SCORES, Place
from earthengine.client import asking
from earthengine.fixtures import END, START
from earthengine.server import LocalEarthEngine

PLACE = Place(-93.1, 41.9, -92.8, 42.1, START, END)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEarthEngine]:
    with asking(PLACE) as running:
        yield running


def pixels(
    image: Any, x: float = 500_000, y: float = 4_650_000, size: int = 4, step: float = 10,
    crs: str = "EPSG:32615", form: str = "NUMPY_NDARRAY",
) -> Any:  # fmt: skip
    grid = {
        "dimensions": {"width": size, "height": size},
        "affineTransform": {
            "scaleX": step, "shearX": 0, "translateX": x,
            "shearY": 0, "scaleY": -step, "translateY": y,
        },
        "crsCode": crs,
    }  # fmt: skip
    return ee.data.computePixels({"expression": image, "fileFormat": form, "grid": grid})


def first_scene(server: LocalEarthEngine, **wanted: Any) -> Any:
    return next(
        scene
        for scene in server.catalogue.scenes.values()
        if all(getattr(scene, name) == value for name, value in wanted.items())
    )


def test_the_client_is_the_real_one_and_discovery_is_asked_twice(server: LocalEarthEngine) -> None:
    assert len(server.sent("/$discovery/rest")) == 2
    assert len(server.sent("/algorithms")) == 1


@pytest.mark.parametrize(
    ("build", "dtype"),
    [
        (lambda: ee.Image.constant(7), "u1"),
        (lambda: ee.Image.constant(-7), "i1"),
        (lambda: ee.Image.constant(300), "<u2"),
        (lambda: ee.Image.constant(7).multiply(100), "<u2"),
        (lambda: ee.Image.constant(7).subtract(200), "<i2"),
        (lambda: ee.Image.constant(7).unmask(65535), "<u2"),
        (lambda: ee.Image.constant(7).unmask(2**31 - 1), "<i4"),
        (lambda: ee.Image.constant(7).unmask(0.5), "<f8"),
        (lambda: ee.Image.constant(7).toFloat(), "<f4"),
        (lambda: ee.Image.constant(0.25).toUint16(), "<u2"),
        (lambda: ee.Image.constant(3).gte(2), "u1"),
    ],
)
def test_types_are_the_smallest_that_hold_the_range(
    server: LocalEarthEngine, build: Any, dtype: str
) -> None:
    assert pixels(build()).dtype[0] == np.dtype(dtype)


def test_casts_clamp_and_cut_off_fractions(server: LocalEarthEngine) -> None:
    assert pixels(ee.Image.constant(300).toUint8())["constant"][0, 0] == 255
    assert pixels(ee.Image.constant(-3).toUint8())["constant"][0, 0] == 0
    assert pixels(ee.Image.constant(2.9).toUint8())["constant"][0, 0] == 2


def test_round_goes_half_up(server: LocalEarthEngine) -> None:
    for value, rounded in ((0.5, 1), (1.5, 2), (2.49, 2)):
        image = ee.Image.constant(value).round().toUint8()
        assert pixels(image)["constant"][0, 0] == rounded


def test_a_masked_pixel_arrives_as_zero_and_unmask_tells_it_from_a_zero(
    server: LocalEarthEngine,
) -> None:
    masked = ee.Image.constant(5).updateMask(0)
    assert (pixels(masked)["constant"] == 0).all()
    assert (pixels(masked.unmask(9, False))["constant"] == 9).all()
    assert (pixels(ee.Image.constant(0).unmask(9, False))["constant"] == 0).all()


def test_unmask_keeps_to_the_footprint_unless_told_otherwise(server: LocalEarthEngine) -> None:
    scene = first_scene(server, keep="all")
    image = ee.Image(f"{S2}/{scene.index}").select("B2")
    west = scene.granule.west - 20  # two pixels outside, two inside
    y = scene.granule.north - 50_000
    inside_only = pixels(image.unmask(65535), x=west, y=y)["B2"]
    everywhere = pixels(image.unmask(65535, False), x=west, y=y)["B2"]
    assert (inside_only[:, :2] == 0).all()
    assert (everywhere[:, :2] == 65535).all()
    np.testing.assert_array_equal(inside_only[:, 2:], everywhere[:, 2:])
    assert (everywhere[:, 2:] < 65535).all()


def test_operations_are_valid_where_all_inputs_are(server: LocalEarthEngine) -> None:
    scene = first_scene(server, keep="north")
    image = ee.Image(f"{S2}/{scene.index}").select("B2")
    y = scene.granule.north - 55_000 - 600 + 20  # the part ends after two rows
    total = image.add(ee.Image.constant(1)).unmask(65535, False)
    values = pixels(total, x=scene.granule.west + 1000, y=y)["B2"]
    assert (values[2:] == 65535).all()
    assert (values[:2] < 65535).all()


@pytest.mark.parametrize(("band", "step"), [("B2", 10), ("B11", 20)])
def test_pixels_are_those_under_the_centres_of_the_grid(
    server: LocalEarthEngine, band: str, step: int
) -> None:
    scene = first_scene(server, keep="all")
    left, top = scene.granule.west + 1200, scene.granule.north - 2400
    found = pixels(ee.Image(f"{S2}/{scene.index}").select(band), x=left, y=top)[band]
    column = (1200 + 10 * np.arange(4) + 5) // step
    row = (2400 + 10 * np.arange(4) + 5) // step
    values, valid = scene.reflectance(band, column[None, :], row[:, None])
    assert valid.all()
    np.testing.assert_array_equal(found, values)
    if step == 20:
        assert (found[0::2, 0::2] == found[1::2, 1::2]).all()


def test_a_grid_moved_by_less_than_half_a_pixel_takes_the_same_pixels(
    server: LocalEarthEngine,
) -> None:
    scenes = [scene for scene in server.catalogue.scenes.values() if scene.keep == "all"]
    place = np.array([[300]]), np.array([[300]])
    scene = next(scene for scene in scenes if scene.score("cs_cdf", *place)[0][0, 0] == 1)
    image = ee.Image(f"{S2}/{scene.index}").select("B2")
    x, y = scene.granule.west + 3000, scene.granule.north - 3000
    here = pixels(image, x=x, y=y)["B2"]
    assert np.unique(here).size > 8
    np.testing.assert_array_equal(here, pixels(image, x=x + 4.9, y=y - 4.9)["B2"])
    assert (here != pixels(image, x=x + 5.1, y=y)["B2"]).any()


def test_labels_come_by_nearest_neighbour_through_their_own_projection(
    server: LocalEarthEngine,
) -> None:
    from pyproj import Transformer

    image = ee.ImageCollection(CDL).filterDate("2021-01-01", "2022-01-01").mosaic()
    found = pixels(image.select("confidence"), size=40)["confidence"]
    x, y = np.meshgrid(500_005 + 10 * np.arange(40), 4_649_995 - 10 * np.arange(40))
    east, north = Transformer.from_crs(32615, 5070, always_xy=True).transform(x, y)
    column, row = np.floor((east + 2356095) / 30), np.floor((3172605 - north) / 30)
    cells = column * 1e6 + row
    for cell in np.unique(cells):
        assert np.unique(found[cells == cell]).size == 1
    # 40 x 40 pixels of 10 m hold about 13 x 13 cells of 30 m, turned a little.
    assert 150 < np.unique(cells).size < 260


def test_mosaic_puts_the_last_valid_pixel_on_top(server: LocalEarthEngine) -> None:
    low, high = ee.Image.constant(1), ee.Image.constant(2)
    assert (pixels(ee.ImageCollection([low, high]).mosaic())["constant"] == 2).all()
    nothing = high.updateMask(0)
    assert (pixels(ee.ImageCollection([low, nothing]).mosaic())["constant"] == 1).all()


def test_add_bands_renames_a_name_that_is_taken(server: LocalEarthEngine) -> None:
    image = ee.Image.constant(1).addBands(ee.Image.constant(2))
    assert image.bandNames().getInfo() == ["constant", "constant_1"]


def test_link_collection_masks_where_there_is_no_partner(server: LocalEarthEngine) -> None:
    scores = ee.ImageCollection(SCORES)
    for scored in (True, False):
        scene = first_scene(server, scored=scored)
        linked = ee.Image(f"{S2}/{scene.index}").linkCollection(scores, ["cs"])
        mask = linked.select("cs").mask()
        x, y = scene.granule.west + 1000, scene.granule.north - 1000
        assert (pixels(mask, x=x, y=y)["cs"] == int(scored)).all()


def test_merged_collections_become_bands_with_number_index_and_name(
    server: LocalEarthEngine,
) -> None:
    images = ee.ImageCollection(S2).filterDate("2021-05-01", "2021-05-02").select(["B2"])
    (index,) = images.limit(1).aggregate_array("system:index").getInfo()
    one = ee.Filter.eq("system:index", index)
    merged = images.filter(one).merge(images.filter(one).map(lambda image: image.add(1)))
    assert merged.toBands().bandNames().getInfo() == [f"1_{index}_B2", f"2_{index}_B2"]
    nothing = images.filter(one.Not()).filter(one)
    assert nothing.size().getInfo() == 0
    assert nothing.merge(images.filter(one)).toBands().bandNames().getInfo() == [f"2_{index}_B2"]
    assert images.filter(one.Not()).size().getInfo() == images.size().getInfo() - 1


def test_filters_by_date_and_place(server: LocalEarthEngine) -> None:
    images = ee.ImageCollection(S2)
    assert images.size().getInfo() == len(server.catalogue.scenes)
    day = images.filterDate("2021-05-01", "2021-05-02")
    assert {index[:8] for index in day.aggregate_array("system:index").getInfo()} == {"20210501"}
    assert images.filterDate("2021-05-02", "2021-05-03").size().getInfo() == 0
    elsewhere = ee.Geometry.Rectangle([10, 10, 11, 11])
    assert images.filterBounds(elsewhere).size().getInfo() == 0
    here = ee.Geometry.Rectangle([-92.95, 42.0, -92.94, 42.01])
    assert 0 < day.filterBounds(here).size().getInfo() <= day.size().getInfo()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ee.Image("NO/SUCH"), "Image.load: Image asset 'NO/SUCH' not found"),
        (
            lambda: ee.ImageCollection("NO/SUCH").mosaic(),
            "ImageCollection asset 'NO/SUCH' not found",
        ),
        (lambda: ee.Image.constant(1).select("B9"), "did not match any bands"),
        (lambda: ee.Image.constant(1).sqrt(), "Function 'Image.sqrt' is not known"),
    ],
)
def test_what_is_not_there_fails(server: LocalEarthEngine, build: Any, message: str) -> None:
    with pytest.raises(ee.EEException, match=message):
        pixels(build())


@pytest.mark.parametrize(
    ("bands", "side", "message"),
    [
        (1, 5_100, r"Total request size \(52020000 bytes\) must be less than or equal to 50331648"),
        (1_025, 1, r"Total number of bands \(1025\) must be less than or equal to 1024"),
    ],
)
def test_requests_over_the_limits_fail(
    server: LocalEarthEngine, bands: int, side: int, message: str
) -> None:
    with pytest.raises(ee.EEException, match=message):
        pixels(ee.Image.constant([1] * bands), size=side)


def test_one_pixel_over_the_side_limit_fails(server: LocalEarthEngine) -> None:
    with pytest.raises(ee.EEException, match="must be less than or equal to 32768"):
        grid = {
            "dimensions": {"width": 32_769, "height": 1},
            "affineTransform": {"scaleX": 10, "translateX": 0, "scaleY": -10, "translateY": 0},
            "crsCode": "EPSG:32615",
        }
        ee.data.computePixels(
            {"expression": ee.Image.constant(1), "fileFormat": "NPY", "grid": grid}
        )


def test_geotiff_has_the_same_pixels_on_the_same_grid(server: LocalEarthEngine) -> None:
    import rasterio

    scene = first_scene(server, keep="all")
    image = ee.Image(f"{S2}/{scene.index}").select(["B2", "B11"])
    x, y = scene.granule.west + 60, scene.granule.north - 60
    array = pixels(image, x=x, y=y)
    body = pixels(image, x=x, y=y, form="GEO_TIFF")
    with rasterio.open(io.BytesIO(body)) as source:
        assert source.descriptions == ("B2", "B11")
        assert (source.transform.c, source.transform.f) == (x, y)
        assert source.crs.to_epsg() == 32615
        np.testing.assert_array_equal(source.read(2), array["B11"])


def test_a_download_has_the_pixels_of_its_grid(server: LocalEarthEngine) -> None:
    """ee.Image.getDownloadURL: reprojected, clipped to a size or a region, as a file or zipped."""
    import rasterio

    scene = first_scene(server, keep="all")
    image = ee.Image(f"{S2}/{scene.index}").select(["B2", "B11"])
    x, y = scene.granule.west + 60, scene.granule.north - 60
    array = pixels(image, x=x, y=y)
    grid = {"crs": "EPSG:32615", "crs_transform": [10, 0, x, 0, -10, y]}
    corners = [x + 10, y - 40, x + 40, y - 20]
    region = ee.Geometry.Rectangle(corners, "EPSG:32615", False)
    whole = image.getDownloadURL({**grid, "dimensions": [4, 4], "format": "GEO_TIFF"})
    part = image.getDownloadURL(
        {**grid, "region": region, "scale": None, "filePerBand": False, "name": "part"}
    )
    with rasterio.open(io.BytesIO(requests.get(whole, timeout=60).content)) as source:
        assert (source.transform.c, source.transform.f) == (x, y)
        assert source.read().shape == (2, 4, 4)
        np.testing.assert_array_equal(source.read(1), array["B2"])
        np.testing.assert_array_equal(source.read(2), array["B11"])
    with zipfile.ZipFile(io.BytesIO(requests.get(part, timeout=60).content)) as archive:
        assert archive.namelist() == ["part.tif"]
        with rasterio.open(io.BytesIO(archive.read("part.tif"))) as source:
            assert (source.transform.c, source.transform.f) == (x + 10, y - 20)
            np.testing.assert_array_equal(source.read(2), array["B11"][2:4, 1:4])
    missing = f"{server.url}/v1/projects/proj-test/thumbnails/0:getPixels"
    assert requests.get(missing, timeout=60).status_code == 404


def test_reprojection_takes_the_nearest_pixel_and_keeps_it(server: LocalEarthEngine) -> None:
    """On a coarser lattice, looked at finely: blocks of the pixel under each block's centre."""
    scene = first_scene(server, keep="all")
    image = ee.Image(f"{S2}/{scene.index}").select("B2")
    x, y = scene.granule.west + 600, scene.granule.north - 600
    coarse = image.reproject("EPSG:32615", [30, 0, x, 0, -30, y])
    fine, found = pixels(image, x=x, y=y, size=6)["B2"], pixels(coarse, x=x, y=y, size=6)["B2"]
    np.testing.assert_array_equal(found, np.kron(fine[1::3, 1::3], np.ones((3, 3), int)))


def test_get_pixels_reads_an_asset_as_it_is(server: LocalEarthEngine) -> None:
    scene = first_scene(server, keep="all")
    grid = {
        "dimensions": {"width": 3, "height": 2},
        "affineTransform": {
            "scaleX": 10, "shearX": 0, "translateX": scene.granule.west,
            "shearY": 0, "scaleY": -10, "translateY": scene.granule.north,
        },
    }  # fmt: skip
    found = ee.data.getPixels(
        {
            "assetId": f"{S2}/{scene.index}",
            "bandIds": ["B3"],
            "fileFormat": "NUMPY_NDARRAY",
            "grid": grid,
        }
    )
    values, _ = scene.reflectance("B3", np.arange(3)[None, :], np.arange(2)[:, None])
    np.testing.assert_array_equal(found["B3"], values)


def test_assets_are_listed_in_pages(server: LocalEarthEngine) -> None:
    listed = ee.data.listAssets(S2)["assets"]
    assert {item["id"] for item in listed} == {f"{S2}/{index}" for index in server.catalogue.scenes}


def test_an_unknown_method_is_not_found(server: LocalEarthEngine) -> None:
    assert (
        requests.get(f"{server.url}/v1/projects/proj-test/nothing", timeout=60).status_code == 404
    )
