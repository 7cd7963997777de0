"""What Google refuses the local Earth Engine refuses, and it answers in the same dress."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import ee
import numpy as np
import pytest
import requests

from earthengine.catalogue import S2, Place
from earthengine.client import asking
from earthengine.faults import Planned
from earthengine.server import LocalEarthEngine
from sitsformer.imagery.earthengine.transport import Transport

FIJI = Place(179.9, -17.1, 180.1, -16.9, date(2021, 5, 1), date(2021, 5, 11))
"""An island through which 180 degrees run: UTM zones 60 and 1."""


@pytest.fixture
def server() -> Iterator[LocalEarthEngine]:
    with asking(FIJI) as running:
        yield running


def pixels(image: Any, crs: str = "EPSG:32760", side: int = 4, x: float = 5e5) -> Any:
    grid = {
        "dimensions": {"width": side, "height": side},
        "affineTransform": {"scaleX": 10, "translateX": x, "scaleY": -10, "translateY": 8_120_000},
        "crsCode": crs,
    }
    return ee.data.computePixels({"expression": image, "fileFormat": "NUMPY_NDARRAY", "grid": grid})


@pytest.mark.parametrize("crs", ["EPSG:99999", "utm 60", "+proj=utm +zone=60 +south"])
def test_an_unknown_projection_is_refused_wherever_it_is_named(
    server: LocalEarthEngine, crs: str
) -> None:
    one = ee.Image.constant(1)
    ring = [[0, 0], [1, 0], [1, 1]]
    asked = (
        lambda: pixels(one, crs=crs),
        lambda: pixels(one.reproject(crs, [10, 0, 0, 0, -10, 0])),
        lambda: (
            ee.ImageCollection(S2).filterBounds(ee.Geometry.Polygon(ring, crs)).size().getInfo()
        ),
    )
    for ask in asked:
        with pytest.raises(ee.EEException, match="The CRS of a map projection could not be parsed"):
            ask()
    assert pixels(one).shape == (4, 4)


def test_an_image_without_bands_has_no_pixels(server: LocalEarthEngine) -> None:
    none = ee.ImageCollection(S2).filterDate("1990-01-01", "1990-01-02")
    for image in (none.mosaic(), none.median(), none.mode()):
        assert image.bandNames().getInfo() == []
        with pytest.raises(ee.EEException, match="Image has no bands"):
            pixels(image)
        with pytest.raises(ee.EEException, match="'B2' was applied to an Image with no bands"):
            pixels(image.select("B2"))
        with pytest.raises(ee.EEException, match=r"must also have no bands. Got 0 and 1"):
            pixels(image.add(1))


def test_an_export_of_nothing_fails_and_writes_nothing(tmp_path: Any) -> None:
    with LocalEarthEngine([FIJI], folder=tmp_path) as server:
        ee.Reset()
        ee.deprecation.deprecated_assets = {"": None}
        ee.Initialize(credentials=None, url=server.url, project="proj-test")
        image = ee.ImageCollection([]).mosaic()
        task = ee.batch.Export.image.toCloudStorage(
            image, bucket="b", fileNamePrefix="f", dimensions="4x4", crs="EPSG:32760",
            crsTransform=[10, 0, 5e5, 0, -10, 8.12e6],
        )  # fmt: skip
        task.start()
        end = time.monotonic() + 60
        while task.active() and time.monotonic() < end:
            time.sleep(0.1)
        assert "Image has no bands" in task.status()["error_message"]
    ee.Reset()
    assert list(tmp_path.rglob("*.tif")) == []


def test_five_thousand_elements_are_enough(server: LocalEarthEngine) -> None:
    images = ee.ImageCollection(S2)
    count = len(server.catalogue.scenes)
    while count <= 5_000:
        images, count = images.merge(images), 2 * count
    assert images.size().getInfo() == count
    asked = (
        images,
        images.aggregate_array("MGRS_TILE"),
        images.toList(count).slice(0, 1),
        images.reduceColumns(ee.Reducer.toList(), ["MGRS_TILE"]),
    )
    for question in asked:
        with pytest.raises(ee.EEException, match="aborted after accumulating over 5000 elements"):
            question.getInfo()
    assert len(images.limit(5_000).aggregate_array("MGRS_TILE").getInfo()) == 5_000
    assert len(images.toList(5_000).slice(0, 1).getInfo()) == 1


def test_long_answers_come_zipped_and_in_chunks(server: LocalEarthEngine) -> None:
    where = f"{server.url}/v1/projects/proj-test/algorithms"
    zipped = requests.get(where, timeout=30)
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert zipped.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in zipped.headers
    plain = requests.get(where, timeout=30, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Transfer-Encoding"] == "chunked"
    assert plain.json() == zipped.json() == server.algorithms
    short = requests.get(f"{server.url}/local/bytes/9", timeout=30)
    assert short.headers["Content-Length"] == "9"
    _, content = Transport(1, 30).request(where)
    assert json.loads(content) == server.algorithms


def test_a_zipped_answer_that_breaks_off_is_no_answer(server: LocalEarthEngine) -> None:
    server.fault = Planned("/algorithms", ["truncate", "slow"])
    transport = Transport(1, 30)
    where = f"{server.url}/v1/projects/proj-test/algorithms"
    with pytest.raises(ConnectionError):
        transport.request(where)
    server.drip_seconds = 0.01
    assert json.loads(transport.request(where)[1]) == server.algorithms


@pytest.mark.parametrize(
    "build",
    [
        lambda: ee.Geometry.BBox(179.95, -17.05, -179.95, -16.95),
        lambda: ee.Geometry.Polygon(
            [[179.95, -17.05], [-179.95, -17.05], [-179.95, -16.95], [179.95, -16.95]]
        ),
        lambda: ee.Geometry.Polygon(
            [[179.95, -17.05], [180.05, -17.05], [180.05, -16.95], [179.95, -16.95]]
        ),
    ],
)
def test_places_across_180_degrees_are_seen_from_both_sides(
    server: LocalEarthEngine, build: Any
) -> None:
    found = ee.ImageCollection(S2).filterBounds(build()).aggregate_array("MGRS_TILE").getInfo()
    assert {name[:2] for name in found} == {"60", "01"}


def test_a_straight_line_from_179_to_minus_179_goes_around_the_earth(
    server: LocalEarthEngine,
) -> None:
    ring = [[179.9, -17.2], [-179.9, -17.2], [-179.9, -16.8], [179.9, -16.8]]
    images = ee.ImageCollection(S2)
    here = ee.Geometry.Rectangle([20, -17.2, 21, -16.8])
    assert images.filterBounds(here).size().getInfo() == 0
    around = ee.Geometry.Polygon(ring, None, False)
    inside = ee.Geometry.Polygon(ring)
    assert images.filterBounds(around).size().getInfo() > 0
    assert images.filterBounds(inside).size().getInfo() == len(server.catalogue.scenes)


def test_land_cover_goes_on_across_180_degrees(server: LocalEarthEngine) -> None:
    """Pixels of zone 1 west of 180 degrees, and the same ground asked for by zone 60."""
    from pyproj import Transformer

    image = ee.ImageCollection("ESA/WorldCover/v200").mosaic()
    x, _ = Transformer.from_crs(4326, 32701, always_xy=True).transform(180.0, -17.0)
    codes = pixels(image, crs="EPSG:32701", side=200, x=x - 1000)["Map"]
    assert (codes > 0).all()
    assert np.unique(codes).size > 1
