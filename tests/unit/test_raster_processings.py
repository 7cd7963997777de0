"""A granule that its provider processed twice: the newer files are on top, by whatever name."""

from pathlib import Path

import numpy as np
import pytest
from test_other_sensors import build as build_sensor
from test_other_sensors import scene

import raster_files

OLI = [f"SR_B{i}" for i in range(2, 8)]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (
            "S2A_MSIL2A_20210405T105031_N0300_R051_T31UES_20210405T140000.tif",
            "S2A_MSIL2A_20210405T105031_N0500_R051_T31UES_20230101T000000.tif",
        ),
        (
            "S2A_MSIL2A_20210405T105031_N0500_R051_T31UES_20230101T000000.tif",
            "S2A_MSIL2A_20210405T105031_N0500_R051_T31UES_20240101T000000.tif",
        ),
        # Two granules, of which the first by name gives a pixel.
        (
            "S2A_MSIL2A_20210405T105031_N0500_R051_T31UET_20240101T000000.tif",
            "S2A_MSIL2A_20210405T105031_N0300_R051_T31UES_20210405T140000.tif",
        ),
    ],
)
def test_of_two_processings_the_newer_gives_a_pixel_and_the_older_what_it_lacks(
    tmp_path: Path, older: str, newer: str
) -> None:
    old, new = raster_files.image(1), raster_files.image(2)
    new[:, 3, 4] = 0
    raster_files.write(tmp_path / older, old)
    raster_files.write(tmp_path / newer, new)
    found = raster_files.build(tmp_path, clouds={"by": "simple"}, offset=0)
    expected = new.copy()
    expected[:, 3, 4] = old[:, 3, 4]
    np.testing.assert_array_equal(found.reflectance, expected[None])


def test_a_scene_of_landsat_that_was_processed_again(tmp_path: Path) -> None:
    for made, value in (("20100412", 8000), ("20200912", 9000)):
        name = f"LC08_L2SP_198025_20100405_{made}_02_T1_{{}}.TIF"
        scene(tmp_path, name, {**dict.fromkeys(OLI, value), "QA_PIXEL": 64}, 15)
    found = build_sensor(tmp_path, "landsat", 15, pattern="*.TIF", clouds={"by": "bits"})
    assert found.reflectance.values[0, :, 0, 0].tolist() == [475] * 6


def test_scenes_of_the_imager_alone_are_read(tmp_path: Path) -> None:
    name = "LO08_L2SR_198025_20100405_20100412_02_T1_{}.TIF"
    scene(tmp_path, name, {**dict.fromkeys(OLI, 8000), "QA_PIXEL": 64}, 15)
    found = build_sensor(tmp_path, "landsat", 15, pattern="*.TIF", clouds={"by": "bits"})
    assert found.reflectance.values[0, :, 0, 0].tolist() == [200] * 6
