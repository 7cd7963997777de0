"""Real Sentinel-2 files, where SITSFORMER_BELGIUM names their folder (see docs/rasters.md)."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr

from sitsformer import cube
from sitsformer.config import Config, load
from sitsformer.export import export
from sitsformer.grid import tiles
from sitsformer.patches.splits import polygon_map

ROOT = Path(__file__).parents[2]
MAIZE, GRASS, LEGUMES = 1200, 9120, 7900

pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(
        "SITSFORMER_BELGIUM" not in os.environ,
        reason="set SITSFORMER_BELGIUM to the folder of the Belgian series",
    ),
]


@pytest.fixture(scope="module")
def config() -> Config:
    before = Path.cwd()
    os.chdir(ROOT)  # paths of the example are relative to the checkout
    try:
        return load(ROOT / "config/examples/rasters.yaml")
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def dataset(config: Config, tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        tile = tiles("belgium_2018", config.areas["belgium_2018"])[0]
        out = tmp_path_factory.mktemp("real") / "cube.zarr"
        export(config, "belgium_2018", tile.name, out)
        return cube.open_cube(out)
    finally:
        os.chdir(before)


def test_values_are_those_of_the_files(dataset: xr.Dataset) -> None:
    folder = Path(os.environ["SITSFORMER_BELGIUM"])
    for number in (0, 30, dataset.sizes["time"] - 1):
        with rasterio.open(folder / dataset.attrs["files"][number]) as file:
            values, corner = file.read(), (file.transform.c, file.transform.f)
        image = dataset.reflectance.values[number]
        np.testing.assert_array_equal(image[:, :64, :64], values)
        assert corner == (dataset.x.values[0] - 5, dataset.y.values[0] + 5)
        assert (image[:, 64:] == cube.MISSING).all() and (image[..., 64:] == cube.MISSING).all()


def test_labels_have_the_pixels_of_the_parcel_register(dataset: xr.Dataset) -> None:
    crops = Counter(dataset.croptype.values.ravel().tolist())
    assert {code: crops[code] for code in (MAIZE, GRASS, LEGUMES, 2130, 5100)} == {
        MAIZE: 1249,
        GRASS: 835,
        LEGUMES: 96,
        2130: 31,
        5100: 25,
    }
    covers = Counter(dataset.landcover.values.ravel().tolist())
    assert (covers[11], covers[13], covers[60], covers[99]) == (1401, 835, 107, 0)


def test_maize_and_grass_look_like_maize_and_grass(dataset: xr.Dataset) -> None:
    bands = dataset.reflectance.astype(float)
    red, infrared = bands.sel(band="B04").values, bands.sel(band="B08").values
    clear = dataset.clear.values == 100
    index = np.where(clear, (infrared - red) / np.maximum(infrared + red, 1), np.nan)
    month = dataset.time.dt.month.values

    def of(code: int, months: tuple[int, ...]) -> float:
        values = index[np.isin(month, months)][:, dataset.croptype.values == code]
        return float(np.nanmedian(values))

    assert of(MAIZE, (5,)) < 0.45 < 0.7 < of(MAIZE, (7,))  # sown in May, closed in July
    assert of(MAIZE, (10,)) < 0.4  # harvested
    assert of(GRASS, (4,)) > 0.75 and of(GRASS, (10,)) > 0.6  # green when maize is not
    assert of(GRASS, (7, 8)) < of(GRASS, (4,)) - 0.15  # the drought of 2018


def test_every_class_is_in_every_split(config: Config, dataset: xr.Dataset) -> None:
    tile = tiles("belgium_2018", config.areas["belgium_2018"])[0]
    splits = polygon_map(tile, str(ROOT / "config/examples/belgium/splits.geojson"))
    for code in (MAIZE, GRASS, LEGUMES):
        counts = [int((splits[dataset.croptype.values == code] == part).sum()) for part in range(3)]
        assert min(counts) >= 15, (code, counts)
