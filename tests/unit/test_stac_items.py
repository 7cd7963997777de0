"""Items as catalogues write them -> scenes: bands, offsets, places, which belong together."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitsformer.config import Stac
from sitsformer.errors import SitsError
from sitsformer.imagery.stac import offsets
from sitsformer.imagery.stac.items import CLOUD, Scene, scene
from sitsformer.imagery.stac.listing import group
from sitsformer.imagery.stac.reading import place
from sitsformer.sensors import BANDS, sensors

NUMBERS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


def item(assets: dict[str, Any], name: str = "one", **properties: Any) -> dict[str, Any]:
    told = {"datetime": "2023-06-01T10:50:31.024Z", "s2:processing_baseline": "05.09"}
    return {"id": name, "properties": told | properties, "assets": assets}


def read(values: dict[str, Any], **settings: Any) -> Scene:
    sensor = sensors()[settings.pop("sensor", "sentinel-2")]
    return scene(values, Stac(url="https://example.org", **settings), sensor, "areas.farm.stac")


def test_items_of_the_planetary_computer() -> None:
    """STAC 1.0: keys are numbers, and nothing says an offset but the baseline."""
    assets = {
        key: {
            "href": f"https://blobs.example.org/{key}_10m.tif",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "roles": ["data"],
            "eo:bands": [{"name": key}],
            "gsd": 10.0,
        }
        for key in ("B01", *NUMBERS, "B09", "SCL", "AOT")
    }
    assets["visual"] = {
        "href": "https://blobs.example.org/TCI.tif",
        "roles": ["data"],
        "eo:bands": [{"name": "B04"}, {"name": "B03"}, {"name": "B02"}],
    }
    name = "S2B_MSIL2A_20230601T105031_N0509_R051_T31UES_20230601T141023"
    found = read(item(assets, name, **{"s2:mgrs_tile": "31UES", "platform": "Sentinel-2B"}))
    assert [layer.name for layer in found.layers] == [*BANDS, CLOUD]
    assert found.layers[0].href.endswith("B02_10m.tif") and found.layers[-1].href.endswith(
        "SCL_10m.tif"
    )
    assert {layer.offset for layer in found.layers[:10]} == {-0.1}
    assert found.layers[-1].offset == 0.0
    assert (found.place, found.platform, found.baseline) == ("31UES", "sentinel-2b", 509)
    assert found.time == np.datetime64("2023-06-01T10:50:31")


@pytest.mark.parametrize(
    "name", ["S2B_MSIL1C_20230601T105031_N0509_R051_T31UES", "S2B_31UES_20230601_0_L1C"]
)
def test_items_of_level_1c_are_refused(name: str) -> None:
    with pytest.raises(SitsError, match=rf"item {name} is named .* level 1C: .* level 2A"):
        read(item({key: {"href": f"https://example.org/{key}.tif"} for key in NUMBERS}, name))


def test_items_of_landsat_have_their_scale_and_offset() -> None:
    """Planetary Computer, `landsat-c2-l2`: common names as keys, packing in raster:bands."""
    keys = ("blue", "green", "red", "nir08", "swir16", "swir22")
    packed = {"raster:bands": [{"nodata": 0, "scale": 2.75e-05, "offset": -0.2}]}
    assets = {
        key: {
            "href": f"https://blobs.example.org/{key}.TIF",
            "type": "image/tiff",
            "roles": ["data"],
            "eo:bands": [{"name": f"OLI_B{i}", "common_name": key}],
            **packed,
        }
        for i, key in enumerate(keys, start=2)
    }
    assets["qa_pixel"] = {"href": "https://blobs.example.org/QA_PIXEL.TIF", "roles": ["cloud"]}
    assets["lwir11"] = {**assets["red"], "href": "b10", "eo:bands": [{"name": "TIRS_B10"}]}
    made = item(assets, "LC08_L2SP_198025_20230601_02_T1", platform="landsat-8")
    made["properties"].pop("s2:processing_baseline")
    found = read(made, sensor="landsat", clouds={"by": "bits", "band": None})
    assert [layer.name for layer in found.layers] == [*sensors()["landsat"].names, CLOUD]
    assert [layer.href.rsplit("/")[-1] for layer in found.layers[:6]] == [f"{k}.TIF" for k in keys]
    assert {(layer.scale, layer.offset) for layer in found.layers[:6]} == {(2.75e-5, -0.2)}
    assert found.layers[-1].href.endswith("QA_PIXEL.TIF") and found.layers[-1].offset == 0
    # What an item does not say is as in the products, unless the config says the scale.
    for asset in assets.values():
        asset.pop("raster:bands", None)
    for said, offset in (({}, -0.2), ({"scale": 0.0001}, 0.0)):
        found = read(made, sensor="landsat", clouds={"by": "none"}, **said)
        assert {layer.offset for layer in found.layers} == {offset}


def test_numbers_of_hls_go_by_the_id_of_the_item() -> None:
    numbers = (*(f"B{i:02}" for i in range(1, 13)), "B8A", "Fmask")
    assets = {key: {"href": f"https://example.org/{key}.tif", "roles": ["data"]} for key in numbers}
    for product, wanted in (
        ("L30", ["B02", "B03", "B04", "B05", "B06", "B07", "Fmask"]),
        ("S30", ["B02", "B03", "B04", "B8A", "B11", "B12", "Fmask"]),
    ):
        made = item(assets, f"HLS.{product}.T31UES.2023152T105031.v2.0")
        found = read(made, sensor="hls", clouds={"by": "bits", "band": "Fmask"})
        assert [layer.href[20:-4] for layer in found.layers] == wanted
        assert {(layer.scale, layer.offset) for layer in found.layers[:6]} == {(1e-4, 0.0)}


def test_items_of_the_copernicus_data_space() -> None:
    """STAC 1.1: bands in several resolutions, `raster:` keys at the asset."""
    assets = {}
    for band in NUMBERS:
        for metres in (10, 20, 60):
            assets[f"{band}_{metres}m"] = {
                "href": f"s3://eodata/{band}_{metres}m.jp2",
                "type": "image/jp2",
                "roles": ["data", "reflectance"],
                "bands": [{"name": band, "eo:common_name": "x"}],
                "raster:scale": 0.0001,
                "raster:offset": -0.1,
                "nodata": 0,
            }
    for metres in (20, 60):
        assets[f"SCL_{metres}m"] = {"href": f"s3://eodata/SCL_{metres}m.jp2", "roles": ["data"]}
    found = read(item(assets, **{"processing:version": "05.09", "grid:code": "MGRS-31UES"}))
    assert [layer.href for layer in found.layers] == [
        *(f"s3://eodata/{band}_10m.jp2" for band in NUMBERS),
        "s3://eodata/SCL_20m.jp2",
    ]
    first = found.layers[0]
    assert (first.scale, first.offset, first.missing) == (0.0001, -0.1, (0.0,))
    assert found.place == "31UES"


def test_bands_of_one_file_are_found_by_their_names() -> None:
    bands = [{"name": band} for band in (*reversed(NUMBERS), "clear")]
    told = [{"scale": 0.001, "offset": 0.0, "nodata": "nan"}] * 11
    assets = {"data": {"href": "all.tif", "eo:bands": bands, "raster:bands": told}}
    found = read(item(assets), clouds={"by": "mask", "band": "clear"})
    assert [layer.index for layer in found.layers] == [*range(10, 0, -1), 11]
    assert {layer.scale for layer in found.layers} == {0.001}
    assert np.isnan(found.layers[0].missing[0])


def test_jpeg_2000_beside_geotiff_is_left_alone() -> None:
    """As Earth Search has it: `blue` and `blue-jp2` say the same of themselves."""
    keys = ("blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "swir16",
            "swir22", "scl")  # fmt: skip
    assets = {}
    for key in keys:
        common = "rededge" if key.startswith("rededge") else key
        for ending, file in (("", "tif"), ("-jp2", "jp2")):
            band = {"name": key, "common_name": common}
            assets[key + ending] = {"href": f"{key}.{file}", "eo:bands": [band]}
    found = read(item(assets))
    assert [layer.href for layer in found.layers] == [f"{key}.tif" for key in keys]


@pytest.mark.parametrize(
    ("properties", "said", "expected"),
    [
        ({"s2:processing_baseline": "02.12"}, None, 0.0),
        ({"s2:processing_baseline": "02.12"}, -0.1, 0.0),  # a template's: there was no offset then
        ({"s2:processing_baseline": "03.01"}, 0.0, 0.0),
        ({"s2:processing_baseline": "04.00"}, None, -0.1),
        ({"s2:processing_baseline": "05.11"}, 0.0, 0.0),  # who says so has taken it out
        ({"s2:processing_baseline": "05.11"}, -0.1, -0.1),
        ({"processing:version": "N0510"}, None, -0.1),
        ({"s2:product_uri": "S2A_MSIL2A_20210531T104621_N0300_R051_T31UFS_2.SAFE"}, None, 0.0),
        ({"earthsearch:boa_offset_applied": True, "s2:processing_baseline": "05.11"}, -0.1, 0.0),
        ({"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.11"}, -0.1, -0.1),
        ({"sentinel:boa_offset_applied": True}, None, 0.0),
        ({}, -0.2, -0.2),
    ],
)
def test_what_an_item_says_of_its_offset(
    properties: dict[str, Any], said: float | None, expected: float
) -> None:
    assert offsets.offset("one", properties, said, "stac") == expected


@given(st.integers(1, 9), st.integers(0, 99))
def test_a_baseline_is_read_in_every_spelling(major: int, minor: int) -> None:
    expected = major * 100 + minor
    spellings = (f"{major:02d}.{minor:02d}", f"{major}.{minor:02d}", f"N{expected:04d}")
    for text in spellings:
        assert offsets.baseline("one", {"s2:processing_baseline": text}) == expected
    assert offsets.baseline(f"S2A_MSIL2A_20210531T104621_N{expected:04d}_R051", {}) == expected


def test_a_processor_of_another_kind_has_no_baseline() -> None:
    assert offsets.baseline("one", {"processing:version": "1.0.2"}) is None
    with pytest.raises(SitsError, match="says neither its processing baseline nor an offset"):
        offsets.offset("one", {"processing:version": "1.0.2"}, None, "stac")


def of(name: str, seconds: int, **values: Any) -> Scene:
    told: dict[str, Any] = {"platform": "sentinel-2a", "place": "31UES", "strip": ""}
    told |= {"collection": "", "baseline": 500, "made": ""}
    time = np.datetime64("2023-06-01T10:50:31") + np.timedelta64(seconds, "s")
    return Scene(id=name, time=time, layers=(), **{**told, **values})


def test_parts_of_a_granule_split_between_datastrips_are_both_kept() -> None:
    scenes = [of("a", 0, strip="20230601T104000"), of("b", 9, strip="20230601T105000")]
    (members,), old = group(scenes, 32631)
    assert [one.id for one in members] == ["b", "a"] and old == ()


def test_the_latest_of_one_baseline_is_taken() -> None:
    scenes = [
        of("a", 0, made="2023-06-02"),
        of("b", 0, made="2023-06-01"),
        of("c", 0, baseline=400),
    ]
    (members,), old = group(scenes, 32631)
    assert [one.id for one in members] == ["a"] and old == ("b", "c")


def test_granules_without_a_place_are_all_kept() -> None:
    (members,), old = group([of("a", 0, place=""), of("b", 0, place="")], 32631)
    assert len(members) == 2 and old == ()


@given(st.permutations([of(f"s{i}", 700 * (i // 2), place=f"3{i % 2 + 1}UES") for i in range(8)]))
def test_the_order_of_an_answer_does_not_matter(scenes: list[Scene]) -> None:
    datatakes, _ = group(scenes, 32632)
    assert [[one.id for one in members] for members in datatakes] == [
        [f"s{i + 1}", f"s{i}"] for i in range(0, 8, 2)
    ]


def test_files_are_read_from_servers_and_stores_and_no_catalogue_names_those_of_this_computer() -> (
    None
):
    settings = Stac(url="https://example.org", collection="sentinel-2-l2a")
    signed = settings.model_copy(update={"sign": "planetary_computer"})
    of = partial(place, collection="sentinel-2-l2a", where="s")
    asked = "https://a.org/b.tif?x=1"
    assert of(asked, settings=settings) == f"/vsicurl/{asked}"
    assert of("s3://eodata/b.jp2", settings=settings) == "/vsis3/eodata/b.jp2"
    assert of("https://a.org/b.tif", settings=signed) == (
        "/vsicurl?pc_url_signing=yes&pc_collection=sentinel-2-l2a&url=https%3A%2F%2Fa.org%2Fb.tif"
    )
    for href in ("/etc/b.tif", "file:///etc/b.tif", "/vsicurl/https://a.org", "ftp://a.org/b.tif"):
        with pytest.raises(SitsError, match="no address that images are read from"):
            of(href, settings=settings)
    assert of("/data/b.tif", settings=Stac(url="/data/catalog.json")) == "/data/b.tif"
