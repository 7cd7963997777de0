"""Satellite Embedding from the local Earth Engine: tiles, samples, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rioxarray  # noqa: F401 (the methods under `rio`)
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer

from earthengine import embeddings as made
from earthengine import fixtures
from earthengine.fixtures import area, in_place, only_tile, run, settings
from earthengine.server import LocalEarthEngine
from sitsformer import artefacts
from sitsformer.config import Area, Config, parse
from sitsformer.embedded import store
from sitsformer.embedded.tiles import make_tile
from sitsformer.errors import SitsError
from sitsformer.grid import Tile

pytestmark = pytest.mark.usefixtures("warmed")

LAYER = "satellite_embedding"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEarthEngine]:
    with LocalEarthEngine([fixtures.OVERLAP, fixtures.BORDER, fixtures.EQUATOR]) as running:
        yield running


def config(chosen: Area, url: str, cache: Path) -> Config:
    whole = fixtures.config({"here": chosen}, settings(url, cache))
    return parse(whole.model_dump(mode="json") | {"embeddings": {LAYER: {}}})


def written(chosen: Area, url: str, folder: Path) -> Path:
    out = folder / "tile.zarr"
    make_tile(config(chosen, url, folder / "cache"), LAYER, "here", only_tile(chosen).name, out)
    return out


def expected(tile: Tile, year: int, *zones: int) -> NDArray[np.int64]:
    """The publisher's bytes at a tile, by another road than the server's and the package's.

    Where the tile's own zone has none, images of other zones have, if they lie over it: the pixel
    of their lattice that the centre lies in. -128 where nobody has.
    """
    x, y = np.meshgrid(tile.x, tile.y)
    found = np.full((made.AXES, *x.shape), -128, np.int64)
    for epsg in (*zones, tile.epsg):
        to_zone = Transformer.from_crs(tile.epsg, epsg, always_xy=True)
        east, north = to_zone.transform(x, y) if epsg != tile.epsg else (x, y)
        east, north = (np.floor(along / 10) * 10 + 5 for along in (east, north))
        for axis in range(made.AXES):
            byte, there = made.stored(epsg, east, north, year, axis)
            found[axis][there] = byte[there]
    return found


@pytest.mark.parametrize(
    ("bounds", "zones"),
    [
        ((-92.95, 42.0, -92.946, 42.003), ()),
        ((37.0, -0.001, 37.004, 0.002), ()),
        ((-96.0005, 42.0, -96.0001, 42.0005), (32615,)),
        ((-95.9999, 42.0, -95.9995, 42.0005), (32614,)),
    ],
    ids=["iowa", "equator", "west of a zone's border", "east of it"],
)
def test_a_tile_has_the_publishers_bytes_pixel_by_pixel(
    server: LocalEarthEngine,
    tmp_path: Path,
    bounds: tuple[float, float, float, float],
    zones: tuple[int, ...],
) -> None:
    chosen = area(bounds)
    tile = only_tile(chosen)
    path = written(chosen, server.url, tmp_path)
    wanted = expected(tile, 2021, *zones)
    assert zones or 0.01 < (wanted == -128).all(0).mean() < 0.2
    dataset = store.open_store(path, store.TILE_KIND)
    assert dataset.embedding.dtype == np.int8
    np.testing.assert_array_equal(dataset.embedding.values, wanted)
    assert artefacts.check(path) == []
    assert dataset.attrs["attribution"].startswith("The AlphaEarth Foundations Satellite Embedding")
    assert dataset.attrs["license"] == "CC BY 4.0"
    assert dataset.attrs["year"] == 2021
    assert dataset.rio.crs.to_epsg() == tile.epsg
    np.testing.assert_array_equal(dataset.x.values, tile.x)


def test_numbers_are_what_the_service_itself_gives(
    server: LocalEarthEngine, tmp_path: Path
) -> None:
    """The same pixels asked for plainly, band by band, as double."""
    import ee

    chosen = in_place(fixtures.OVERLAP)
    tile = only_tile(chosen)
    dataset = store.open_store(written(chosen, server.url, tmp_path), store.TILE_KIND)
    found = store.decoded(dataset.embedding.values, dataset.attrs)
    images = ee.ImageCollection(made.EMBEDDINGS).filterDate("2021-01-01", "2022-01-01")
    grid = {
        "dimensions": {"width": tile.size, "height": tile.size},
        "affineTransform": {
            "scaleX": 10, "shearX": 0, "translateX": tile.west,
            "shearY": 0, "scaleY": -10, "translateY": tile.north,
        },
        "crsCode": f"EPSG:{tile.epsg}",
    }  # fmt: skip
    plain = ee.data.computePixels(
        {"expression": images.mosaic().unmask(9, False), "fileFormat": "NUMPY_NDARRAY",
         "grid": grid}
    )  # fmt: skip
    for axis, name in enumerate(plain.dtype.names):
        theirs = np.where(plain[name] == 9, np.nan, plain[name])
        np.testing.assert_allclose(found[axis], theirs, atol=1e-7)
    assert np.isnan(found).any()


def test_finished_requests_are_not_asked_for_again(
    server: LocalEarthEngine, tmp_path: Path
) -> None:
    chosen = in_place(fixtures.OVERLAP)
    first = written(chosen, server.url, tmp_path)
    before = store.open_store(first, store.TILE_KIND).embedding.values
    sent = len(server.sent("/projects/"))
    again = written(chosen, server.url, tmp_path)
    assert len(server.sent("/projects/")) == sent
    np.testing.assert_array_equal(store.open_store(again, store.TILE_KIND).embedding, before)


def test_a_year_that_the_service_has_not_yet_is_refused_with_those_it_has(
    server: LocalEarthEngine, tmp_path: Path
) -> None:
    chosen = in_place(fixtures.OVERLAP, start=date(2025, 4, 1), end=date(2025, 9, 1))
    with pytest.raises(SitsError, match=r"no image of 2025, .* it has 2017, .* 2024: change"):
        written(chosen, server.url, tmp_path)
    assert not (tmp_path / "tile.zarr").exists()


def test_a_place_without_images_is_refused(server: LocalEarthEngine, tmp_path: Path) -> None:
    chosen = area((10.0, 50.0, 10.004, 50.003))
    with pytest.raises(SitsError, match=r"has no image over tile .* land and shallow water"):
        written(chosen, server.url, tmp_path)


@pytest.mark.parametrize(
    ("start", "end"), [(date(2016, 4, 1), date(2016, 9, 1)), (date(2016, 9, 1), date(2017, 1, 31))]
)
def test_years_before_the_product_are_refused_by_check_and_by_the_stage(
    server: LocalEarthEngine, tmp_path: Path, start: date, end: date
) -> None:
    chosen = in_place(fixtures.OVERLAP, start=start, end=end)
    whole = config(chosen, server.url, tmp_path / "cache")
    path = fixtures.write_config(tmp_path / "config.yaml", whole)
    code, _, err = run("config", "check", path, cwd=tmp_path)
    assert code != 0
    assert "embeddings.satellite_embedding: Satellite Embedding has no year 2016" in err
    code, _, err = run(
        "embeddings", "tile", "--config", path, LAYER, "here", only_tile(chosen).name, "out.zarr",
        cwd=tmp_path,
    )  # fmt: skip
    assert code != 0
    assert "areas.here: Satellite Embedding has no year 2016" in err
    assert "Traceback" not in err
    assert not (tmp_path / "out.zarr").exists()


def test_a_tile_opens_with_masked_values(server: LocalEarthEngine, tmp_path: Path) -> None:
    path = written(in_place(fixtures.OVERLAP), server.url, tmp_path)
    opened = xr.open_zarr(path, decode_coords="all")
    assert np.isnan(opened.embedding.values).any()
    assert opened.rio.crs is not None
