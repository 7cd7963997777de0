"""Other clients of the same service give the same pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from earthengine import fixtures
from earthengine.catalogue import S2
from earthengine.fixtures import area, only_tile, written
from earthengine.server import LocalEarthEngine
from sitsformer import cube
from sitsformer.grid import Tile
from sitsformer.imagery.earthengine.collections import EE_BANDS
from sitsformer.sensors import BANDS

Single = tuple[xr.Dataset, Tile, Any]


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEarthEngine]:
    with LocalEarthEngine([fixtures.OVERLAP]) as running:
        yield running


@pytest.fixture(scope="module")
def single(server: LocalEarthEngine, tmp_path_factory: pytest.TempPathFactory) -> Single:
    """A cube of a tile that one granule covers, and the collection of the images of its dates."""
    import ee

    folder = tmp_path_factory.mktemp("single")
    chosen = area((-92.6, 42.0, -92.596, 42.003), labels=("worldcover",))
    found = written(chosen, fixtures.settings(server.url, folder / "cache"), folder / "cube.zarr")
    # An image is a date, but where the datatake was split.
    alone = [number for number, stack in enumerate(found.attrs["images"]) if len(stack) == 1]
    images = [found.attrs["images"][number][0] for number in alone]
    assert len(images) > 8
    collection = ee.ImageCollection(S2).filter(ee.Filter.inList("system:index", images))
    return found.isel(time=alone), only_tile(chosen), collection.select(list(EE_BANDS))


def assert_same_grid(theirs: xr.Dataset, ours: xr.Dataset) -> None:
    np.testing.assert_array_equal(
        theirs.time.values.astype("datetime64[ms]"), ours.time.values.astype("datetime64[ms]")
    )
    np.testing.assert_allclose(theirs.x.values, ours.x.values)
    np.testing.assert_allclose(theirs.y.values, ours.y.values)


def test_xee_gives_the_same_reflectances(single: Single) -> None:
    """The same images on the same grid through another client of the same service."""
    import xee  # noqa: F401 (registers the engine)

    ours, tile, collection = single
    theirs = xr.open_dataset(
        collection,
        engine="ee",
        crs=f"EPSG:{tile.epsg}",
        crs_transform=(10, 0, tile.west, 0, -10, tile.north),
        shape_2d=(tile.size, tile.size),
    )
    assert_same_grid(theirs, ours)
    for band, name in zip(BANDS, EE_BANDS, strict=True):
        values = ours.reflectance.sel(band=band).values
        np.testing.assert_array_equal(
            theirs[name].values, np.where(values == cube.MISSING, np.nan, values)
        )


def test_geedim_gives_the_same_reflectances(
    single: Single, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By way of download URLs and GeoTIFFs."""
    stac = pytest.importorskip("geedim.stac", reason="the extra `bench` is not installed")
    # It would ask for a description of the collection elsewhere.
    monkeypatch.setattr(stac.STACClient(), "get", lambda ee_id: None)
    ours, tile, collection = single
    theirs = collection.gd.prepareForExport(
        crs=f"EPSG:{tile.epsg}",
        crs_transform=(10, 0, tile.west, 0, -10, tile.north),
        shape=(tile.size, tile.size),
        dtype="uint16",
    ).gd.toXarray()
    assert_same_grid(theirs, ours)
    for band, name in zip(BANDS, EE_BANDS, strict=True):
        values = ours.reflectance.sel(band=band).values
        # It takes 0 for missing, as a masked pixel arrives; so 0 and missing are one for it.
        np.testing.assert_array_equal(
            theirs[name].transpose("time", "y", "x").values,
            np.where(values == cube.MISSING, 0, values),
        )


def test_geemap_gives_the_same_reflectances(single: Single, tmp_path: Path) -> None:
    """By way of download URLs and one zipped GeoTIFF an image."""
    import ee
    import geemap
    import rasterio

    ours, tile, collection = single
    west, south, east, north = tile.bounds
    path = tmp_path / "first.tif"
    geemap.ee_export_image(
        ee.Image(collection.first()),
        str(path),
        crs=f"EPSG:{tile.epsg}",
        crs_transform=[10, 0, west, 0, -10, north],
        region=ee.Geometry.Rectangle([west, south, east, north], f"EPSG:{tile.epsg}", False),
        verbose=False,
    )
    values = ours.reflectance.isel(time=0).values
    with rasterio.open(path) as source:
        assert (source.transform.c, source.transform.f) == (west, north)
        np.testing.assert_array_equal(source.read(), np.where(values == cube.MISSING, 0, values))
