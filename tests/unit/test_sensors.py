"""Records of sensors, and indices of their bands."""

from dataclasses import replace

import numpy as np
import pytest

from sitsformer import stored
from sitsformer.errors import SitsError
from sitsformer.indices import normalised_difference
from sitsformer.model import steps
from sitsformer.sensors import (
    BANDS,
    PIXEL,
    SENTINEL2,
    SNAP,
    TILE_STEP,
    Band,
    recorded,
    said,
    sensors,
)


def test_sentinel_2_is_what_its_documents_say() -> None:
    assert dict(zip(SENTINEL2.names, (b.wavelength for b in SENTINEL2.bands), strict=True)) == {
        **{"B02": 492, "B03": 560, "B04": 665, "B05": 704, "B06": 741},
        **{"B07": 783, "B08": 833, "B8A": 865, "B11": 1614, "B12": 2202},
    }
    fine = [band.name for band in SENTINEL2.bands if band.resolution == PIXEL]
    assert fine == ["B02", "B03", "B04", "B08"]
    assert [band.earthengine for band in SENTINEL2.bands] == [
        *("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
    ]
    assert (SENTINEL2.names, 60, 6) == (BANDS, SNAP, TILE_STEP)
    assert len(SENTINEL2.instrument) == 13


def test_bands_are_found_by_common_names() -> None:
    assert SENTINEL2.called("red", "nir", "swir16") == ("B04", "B08", "B11")
    assert SENTINEL2.words["NIR08"] == SENTINEL2.words["REDEDGE4"] == "B8A"
    with pytest.raises(KeyError):
        SENTINEL2.called("lwir")


@pytest.mark.parametrize(
    ("name", "band"),
    [
        ("b2", "B02"),
        ("B8a", "B8A"),
        ("Band 11", "B11"),
        ("B02_10m", "B02"),
        ("nir08", "B8A"),
        ("rededge1", "B05"),
        ("swir16", "B11"),
        ("nbart_swir_3", "B12"),
        ("SCL", "SCL"),
    ],
)
def test_spellings_of_bands(name: str, band: str) -> None:
    assert SENTINEL2.spelled(name) == band


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"snap": 50}, "does not nest"),
        ({"snap": 65}, "multiple"),
        ({"bands": (*SENTINEL2.bands, SENTINEL2.bands[0])}, "one name"),
        ({"bands": (Band("B02", 1, 10, "blue", ("BLUE",), "B2"),)}, "share a word"),
        ({"instrument": ("B02",)}, "lacks a band"),
        ({"scene_clear": (12,)}, "scene_codes"),
        ({"corner": 10}, "`corner`"),
        ({"numbers": {"B02": "BLUE"}}, "stands for no band"),
        ({"bands": SENTINEL2.bands[1:]}, "no band is called blue"),
        ({"bands": (Band("b2", 1, 10, "blue", ()), *SENTINEL2.bands[1:])}, "would be read as B02"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(change, message) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SENTINEL2, **change)


def test_the_sensors_there_are() -> None:
    assert list(sensors()) == ["sentinel-2", "hls", "landsat"]
    with pytest.raises(SitsError, match="unknown sensor 'spot'"):
        recorded({"sensor": "spot"})
    # What was made before sensors had names is of Sentinel-2, and so is what says nothing.
    assert recorded({}) is SENTINEL2 and said(SENTINEL2) == {}
    landsat = sensors()["landsat"]
    assert recorded(said(landsat)) is landsat
    assert landsat.called("red", "nir", "swir16") == ("RED", "NIR", "SWIR1")
    assert SENTINEL2.has("swir16") and not SENTINEL2.has("swir16", "lwir")


@pytest.mark.parametrize(
    ("file", "band"),
    [
        ("LC08_L2SP_198025_20210405_20210412_02_T1_SR_B5", "NIR"),
        ("LC09_L2SP_198025_20230405_20230412_02_T2_SR_B2", "BLUE"),
        ("LE07_L2SP_198025_20100405_20200412_02_T1_SR_B5", "SWIR1"),
        ("LT05_L2SP_198025_20100405_20200412_02_T1_SR_B7", "SWIR2"),
        ("LT04_L2SP_198025_19880405_20200412_02_T1_QA_PIXEL", "QA_PIXEL"),
        ("LC08_L2SP_198025_20210405_20210412_02_T1_ST_B10", "ST_B10"),
    ],
)
def test_names_of_landsat_files(file: str, band: str) -> None:
    found = sensors()["landsat"].part(file)
    assert found is not None and found[0] == band and file.startswith(found[1])


def test_the_network_reads_what_stores_hold() -> None:
    assert (steps.SCALE, steps.MISSING) == (stored.SCALE, stored.MISSING) == (1e-4, 65535)


def test_a_normalised_difference_is_bounded_and_0_without_light() -> None:
    first = np.array([3000, 0, 0, 500], np.float32)
    second = np.array([1000, 0, 700, 0], np.float32)
    np.testing.assert_array_equal(normalised_difference(first, second), [0.5, 0, -1, 1])
