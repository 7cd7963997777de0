"""Items as services give them today: fields, keys and numbers of theirs, files of nobody.

Of Earth Search v1, the Planetary Computer, the LP DAAC (CMR-STAC) and stactools' HLS, whose items
differ in what keys of assets are called, who says an offset, and whether it is still to be taken.
"""

from typing import Any

import numpy as np
import pytest

from sitsformer.config import Stac
from sitsformer.imagery.stac.items import CLOUD, Scene, scene
from sitsformer.imagery.stac.listing import group
from sitsformer.sensors import sensors

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
EARTH_SEARCH = {
    "blue": "B02", "green": "B03", "red": "B04", "rededge1": "B05", "rededge2": "B06",
    "rededge3": "B07", "nir": "B08", "nir08": "B8A", "swir16": "B11", "swir22": "B12",
}  # fmt: skip
TEN = tuple(EARTH_SEARCH.values())


def image(file: str, **said: Any) -> dict[str, Any]:
    return {"href": f"https://example.org/{file}", "type": COG, "roles": ["data"], **said}


def read(item: dict[str, Any], sensor: str = "sentinel-2", **settings: Any) -> Scene:
    return scene(item, Stac(url="https://example.org", **settings), sensors()[sensor], "stac")


def files(found: Scene) -> list[str]:
    return [layer.href.rsplit("/", 1)[-1] for layer in found.layers]


def earth_search(collection: str) -> dict[str, Any]:
    """S2B over 31UES on 2023-06-01, once as a COG of either collection."""
    first = collection == "sentinel-2-c1-l2a"
    packed = {"nodata": 0, "data_type": "uint16", "spatial_resolution": 10, "scale": 1e-4}
    assets = {}
    for key, band in EARTH_SEARCH.items():
        common = "rededge" if key.startswith("rededge") else key
        named = {"name": band if first else key, "common_name": common}
        said = {"eo:bands": [named], "gsd": 10, "raster:bands": [{**packed, "offset": -0.1}]}
        said["roles"] = ["data", "reflectance"]
        assets[key] = image(f"{band}.tif", **said)
        if not first:
            assets[f"{key}-jp2"] = image(f"{band}.jp2", **said) | {"type": "image/jp2"}
    colours = [{"name": one, "common_name": one} for one in ("red", "green", "blue")]
    layer = {"nodata": 0, "data_type": "uint8", "spatial_resolution": 20}
    assets |= {
        "visual": image("TCI.tif", **{"eo:bands": colours, "roles": ["visual"]}),
        "scl": image("SCL.tif", **{"raster:bands": [layer], "roles": ["data", "reflectance"]}),
        "aot": image("AOT.tif", **{"raster:bands": [{**layer, "scale": 0.001, "offset": 0}]}),
        "cloud": image("CLD_20m.tif", **{"raster:bands": [layer], "gsd": 20}),
        "granule_metadata": image("metadata.xml", roles=["metadata"]) | {"type": "application/xml"},
        "thumbnail": image("p.jpg", roles=["thumbnail"]) | {"type": "image/jpeg"},
    }
    properties = {
        "datetime": "2023-06-01T10:56:25.899000Z",
        "platform": "sentinel-2b",
        "eo:cloud_cover": 34.76,
        "mgrs:utm_zone": 31,
        "mgrs:latitude_band": "U",
        "mgrs:grid_square": "ES",
        "grid:code": "MGRS-31UES",
        "s2:processing_baseline": "05.09",
        "s2:product_uri": "S2B_MSIL2A_20230601T105629_N0509_R094_T31UES_20230601T132745.SAFE",
        "s2:generation_time": "2023-06-01T13:27:45.000000Z",
        "s2:datastrip_id": "S2B_OPER_MSI_L2A_DS_2BPS_20230601T132745_S20230601T105625_N05.09",
        "updated": "2023-06-01T14:13:41.760Z",
        **({"proj:code": "EPSG:32631"} if first else {"proj:epsg": 32631}),
        **({} if first else {"earthsearch:boa_offset_applied": True}),
    }
    name = "S2B_T31UES_20230601T105625_L2A" if first else "S2B_31UES_20230601_0_L2A"
    return {"id": name, "collection": collection, "properties": properties, "assets": assets}


@pytest.mark.parametrize(
    ("collection", "offset"), [("sentinel-2-c1-l2a", -0.1), ("sentinel-2-l2a", 0.0)]
)
def test_earth_search_has_the_offset_in_one_collection_and_says_it_of_both(
    collection: str, offset: float
) -> None:
    found = read(earth_search(collection))
    assert files(found) == [*(f"{band}.tif" for band in TEN), "SCL.tif"]
    assert {(layer.scale, layer.offset) for layer in found.layers[:10]} == {(1e-4, offset)}
    assert found.layers[-1].name == CLOUD and found.layers[-1].offset == 0.0
    assert {layer.missing for layer in found.layers} == {(0.0,)}
    assert (found.collection, found.platform, found.place) == (collection, "sentinel-2b", "31UES")
    assert (found.strip, found.baseline) == ("20230601T105625", 509)
    assert found.time == np.datetime64("2023-06-01T10:56:25")


def test_earth_search_s_two_collections_name_one_granule_of_which_one_counts() -> None:
    scenes = [read(earth_search(name)) for name in ("sentinel-2-l2a", "sentinel-2-c1-l2a")]
    (members,), old = group(scenes, 32631)
    assert len(members) == 1 and len(old) == 1


@pytest.mark.parametrize(
    ("uri", "baseline", "offset"),
    [
        # Processed anew by Esri for the Planetary Computer, before there was an offset.
        ("S2B_MSIL2A_20190629T105629_N0212_R094_T31UES_20201006T080531", "02.12", 0.0),
        ("S2B_MSIL2A_20220413T105629_N0400_R094_T31UES_20220414T082126", "04.00", -0.1),
        ("S2A_MSIL2A_20190629T105629_N0500_R094_T31UES_20230315T224658", "05.00", -0.1),
    ],
)
def test_the_planetary_computer_says_no_offset_but_the_baseline(
    uri: str, baseline: str, offset: float
) -> None:
    place = f"{uri}.SAFE/GRANULE/L2A_T31UES_A012081/IMG_DATA"
    assets = {}
    for band in (*TEN, "B01", "B09", "AOT", "WVP", "SCL"):
        metres = {"B01": 60, "B09": 60}.get(
            band, 10 if band in ("B02", "B03", "B04", "B08") else 20
        )
        known = [] if band in ("AOT", "WVP", "SCL") else [{"name": band, "description": "x"}]
        assets[band] = image(
            f"{place}/R{metres}m/T31UES_20190629T105629_{band}_{metres}m.tif",
            gsd=metres, **({"eo:bands": known} if known else {}),
        )  # fmt: skip
    colours = [{"name": "B04"}, {"name": "B03"}, {"name": "B02"}]
    assets["visual"] = image(f"{place}/T31UES_TCI_10m.tif", **{"eo:bands": colours})
    assets["tilejson"] = {"href": "https://x", "type": "application/json", "roles": ["tiles"]}
    assets["preview"] = image("T31UES_PVI.tif", roles=["thumbnail"])
    properties = {
        "datetime": "2019-06-29T10:56:29.024000Z",
        "platform": "Sentinel-2B",
        "proj:epsg": 32631,
        "s2:mgrs_tile": "31UES",
        "s2:processing_baseline": baseline,
        "s2:product_uri": f"{uri}.SAFE",
        "s2:datastrip_id": "S2B_OPER_MSI_L2A_DS_ESRI_20201006T080533_S20190629T105630_N02.12",
        "s2:generation_time": "2020-10-06T08:05:31.830Z",
        "eo:cloud_cover": 0.3,
    }
    # Ids are those of the products without their baseline.
    name = uri[:26] + uri[32:]
    found = read(
        {"id": name, "collection": "sentinel-2-l2a", "properties": properties, "assets": assets},
        sign="planetary_computer",
    )
    assert [name.split("_")[-2] for name in files(found)] == [*TEN, "SCL"]
    assert {(layer.scale, layer.offset) for layer in found.layers[:10]} == {(1e-4, offset)}
    assert (found.platform, found.place, found.strip) == (
        "sentinel-2b",
        "31UES",
        "20190629T105630",
    )


def of_cmr(product: str, time: str) -> dict[str, Any]:
    """CMR-STAC says neither types nor bands nor scales nor the satellite; ids tell the product."""
    numbers = {"L30": 11, "S30": 12}[product]
    keys = [*(f"B{i:02}" for i in range(1, numbers + 1)), "Fmask", "SAA", "SZA", "VAA", "VZA"]
    keys += ["B8A"] if product == "S30" else []
    name = f"HLS.{product}.T31UES.{time}.v2.0"
    assets = {
        key: {"href": f"https://example.org/{name}.{key}.tif", "title": f"Download {name}.{key}"}
        for key in keys
    }
    assets["browse"] = {"href": f"https://example.org/{name}.jpg", "type": "image/jpeg"}
    assets["metadata"] = {"href": "https://example.org/x.xml", "type": "application/xml"}
    moment = "2023-06-01T10:50:31.024Z"
    properties = {
        "datetime": moment, "start_datetime": moment, "end_datetime": moment, "eo:cloud_cover": 7,
    }  # fmt: skip
    collection = f"HLS{product}_2.0"
    return {"id": name, "collection": collection, "properties": properties, "assets": assets}


def test_the_lp_daac_s_two_products_are_two_dates_though_nothing_tells_their_satellite() -> None:
    items = [of_cmr("L30", "2023152T104900"), of_cmr("S30", "2023152T105031")]
    scenes = [read(item, "hls", clouds={"by": "bits"}) for item in items]
    assert [name.split(".")[-2] for name in files(scenes[1])] == [
        *("B02", "B03", "B04", "B8A", "B11", "B12", "Fmask"),
    ]
    datatakes, old = group(scenes, 32631)
    assert [[one.platform for one in members] for members in datatakes] == [
        ["hls l30"],
        ["hls s30"],
    ]
    assert old == ()


@pytest.mark.parametrize("product", ["L30", "S30"])
def test_the_narrow_near_infrared_is_meant_where_both_are_called_nir(product: str) -> None:
    """As stactools' items of HLS, where `nir_broad` and `nir_narrow` have one common name."""
    numbers = {
        "L30": {"nir_narrow": "B05", "swir_1": "B06", "swir_2": "B07"},
        "S30": {"nir_broad": "B08", "nir_narrow": "B8A", "swir_1": "B11", "swir_2": "B12"},
    }[product]
    common = {"nir_broad": "nir", "nir_narrow": "nir", "swir_1": "swir16", "swir_2": "swir22"}
    packed = [{"nodata": -9999, "scale": 1e-4, "data_type": "int16", "spatial_resolution": 30}]
    assets = {}
    for key, band in {"blue": "B02", "green": "B03", "red": "B04", **numbers}.items():
        named = [{"common_name": common.get(key, key), "description": key}]
        assets[key] = image(f"{band}.tif", **{"eo:bands": named, "raster:bands": packed})
    assets["fmask"] = image("Fmask.tif", **{"raster:bands": [{"nodata": 255}]})
    assets["sza"] = image("SZA.tif", **{"raster:bands": [{"nodata": 40000, "scale": 0.01}]})
    item = {
        "id": f"HLS.{product}.T31UES.2023152T105031.v2.0",
        "collection": "hls",
        "properties": {"datetime": "2023-06-01T10:50:31Z", "platform": "sentinel-2a"},
        "assets": assets,
    }
    found = read(item, "hls", clouds={"by": "bits"})
    wanted = [numbers[key] for key in ("nir_narrow", "swir_1", "swir_2")]
    assert files(found) == [
        *(f"{band}.tif" for band in ("B02", "B03", "B04", *wanted, "Fmask")),
    ]
    assert {layer.missing for layer in found.layers[:6]} == {(-9999.0,)}
