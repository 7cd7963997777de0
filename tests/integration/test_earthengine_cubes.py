"""Cubes from the local Earth Engine are, pixel for pixel, what the simulated scenes say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from earthengine import fixtures
from earthengine.catalogue import Place
from earthengine.fixtures import area, assert_equal, attribute, in_place, only_tile, written
from earthengine.reference import expected
from earthengine.server import LocalEarthEngine
from sitsformer import cube
from sitsformer.config import Area
from sitsformer.imagery.earthengine.errors import EarthEngineError

PLACES = {
    "overlap": fixtures.OVERLAP,
    "border": fixtures.BORDER,
    "france": fixtures.FRANCE,
    "equator": fixtures.EQUATOR,
    "swath": fixtures.SWATH,
}

US = ("overlap", "border", "swath")

Exporter = Callable[..., xr.Dataset]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEarthEngine]:
    folder = tmp_path_factory.mktemp("exports")
    later = Place(-93.0, 42.0, -92.9, 42.05, date(2019, 12, 20), date(2020, 2, 10))
    with LocalEarthEngine([*PLACES.values(), later], folder=folder) as running:
        yield running


@pytest.fixture
def export(server: LocalEarthEngine, tmp_path: Path) -> Exporter:
    def exporter(chosen: Area, **changes: Any) -> xr.Dataset:
        settings = fixtures.settings(server.url, tmp_path / "cache", **changes)
        return written(chosen, settings, tmp_path / "cube.zarr")

    return exporter


def labels(place: str) -> tuple[str, ...]:
    return ("worldcover", "cdl") if place in US else ("worldcover",)


@pytest.mark.parametrize("place", PLACES)
def test_every_pixel(server: LocalEarthEngine, export: Exporter, place: str) -> None:
    chosen = in_place(PLACES[place], labels=labels(place))
    found = export(chosen)
    wanted = expected(server.catalogue, only_tile(chosen), chosen)
    assert_equal(found, wanted, clear_score=60, least=0.05)


def test_the_places_are_what_they_are_called(server: LocalEarthEngine, export: Exporter) -> None:
    """Two granules on one tile, two zones on one tile, a tile across the equator, a swath edge."""
    mgrs = {}
    for place in ("overlap", "border"):
        found = export(in_place(PLACES[place], labels=("worldcover",)), min_clear=0)
        mgrs[place] = {i.rsplit("_T")[-1] for images in found.attrs["images"] for i in images}
    assert len(mgrs["overlap"]) == 2
    assert {name[:2] for name in mgrs["overlap"]} == {"15"}
    assert {name[:2] for name in mgrs["border"]} == {"14", "15"}
    tile = only_tile(in_place(PLACES["equator"]))
    assert tile.bounds[1] < 0 < tile.bounds[3]
    swath = export(in_place(PLACES["swath"], labels=("worldcover",)), min_clear=0)
    missing = (swath.reflectance == cube.MISSING).mean(("band", "y", "x"))
    assert ((missing > 0.02) & (missing < 0.98)).any()


def test_the_other_score_band_and_every_date(server: LocalEarthEngine, export: Exporter) -> None:
    chosen = in_place(fixtures.OVERLAP)
    found = export(chosen, cloud_score="cs", min_clear=0.0)
    wanted = expected(server.catalogue, only_tile(chosen), chosen, score="cs")
    assert_equal(found, wanted, clear_score=60, least=0.0)
    assert found.attrs["cloud_score_band"] == "cs"


def test_a_season_across_new_year(server: LocalEarthEngine, export: Exporter) -> None:
    """Mostly 2020: WorldCover v100, CDL 2020."""
    season = {"start": date(2019, 12, 20), "end": date(2020, 2, 8)}
    chosen = area((-92.95, 42.0, -92.946, 42.003), **season)
    found = export(chosen)
    assert_equal(found, expected(server.catalogue, only_tile(chosen), chosen), 60, 0.05)
    assert found.attrs["worldcover_collection"] == "ESA/WorldCover/v100"
    assert found.attrs["cdl_year"] == 2020
    assert len(set(found.time.dt.year.values.tolist())) == 2


def test_oddities_of_the_archive(server: LocalEarthEngine, export: Exporter) -> None:
    found = export(in_place(fixtures.OVERLAP), min_clear=0.0)
    days = found.time.values.astype("datetime64[D]")
    # Two satellites on one day are two dates; split and overlapping granules are one.
    twice, counts = np.unique(days, return_counts=True)
    assert twice[counts == 2].tolist() == [date(2021, 6, 20)]
    assert counts.max() == 2
    # Of a product processed twice the newest is taken.
    assert set(found.attrs["processing_baselines"]) == {"05.00", "05.10"}
    assert all("20210511" in i or "20210710" in i for i in found.attrs["superseded_images"])
    # A granule without a score is kept, marked and counted.
    missing = found.attrs["missing_scores"]
    assert {index[:8] for index in missing} == {"20210521", "20210625", "20210720"}
    unscored = found.sel(time="2021-06-25")
    assert (unscored.clear == cube.CLEAR_MISSING).all()
    assert (unscored.reflectance != cube.MISSING).all()
    # Zero is a value.
    assert (found.reflectance == 0).any()


def test_cloudy_dates_are_listed_and_their_pixels_not_paid_for(
    server: LocalEarthEngine, export: Exporter
) -> None:
    before = len(server.sent())
    found = export(in_place(fixtures.OVERLAP), min_clear=0.5)
    dropped = attribute(found, "dates_too_cloudy")
    assert dropped
    assert all(share < 0.5 for share in dropped.values())
    days = {str(day)[:10] for day in found.time.values}
    assert not days & set(dropped)
    sizes = sorted(call.bytes for call in server.sent()[before:])
    assert len(sizes) == 3
    assert sizes[-1] == pytest.approx(60 * 60 * 10 * 2 * found.sizes["time"], rel=0.02)


def test_requests_are_few_and_carry_no_region_or_visualisation(
    server: LocalEarthEngine, export: Exporter
) -> None:
    before = len(server.calls)
    export(in_place(fixtures.OVERLAP))
    paths = [call.path.rsplit(":")[-1].rsplit("/")[-1] for call in server.calls[before:]]
    assert sorted(path for path in paths if path in ("compute", "computePixels")) == [
        "compute", "computePixels", "computePixels", "computePixels",
    ]  # fmt: skip
    for call in server.sent()[-3:]:
        assert call.request["fileFormat"] == "NPY"
        assert not {"region", "visualizationOptions"} & set(call.request)
        shift = call.request["grid"]["affineTransform"]
        assert shift["translateX"] % 60 == shift["translateY"] % 60 == 0


def test_a_small_limit_splits_by_dates_and_windows(
    server: LocalEarthEngine, export: Exporter
) -> None:
    chosen = in_place(fixtures.OVERLAP)
    server.byte_limit = 60_000  # less than one date (60 x 60 x 30)
    try:
        found = export(chosen)
        refused = len(server.sent(status=400))
    finally:
        server.byte_limit = 50_331_648
    assert refused > 10
    wanted = expected(server.catalogue, only_tile(chosen), chosen)
    assert_equal(found, wanted, clear_score=60, least=0.05)


def test_an_area_across_the_antimeridian_is_refused() -> None:
    with pytest.raises(ValidationError, match="antimeridian must be given as two areas"):
        area((179.9, 42.0, -179.9, 42.1))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (in_place(fixtures.FRANCE, labels=("cdl",)), "covers the conterminous US only"),
        (
            # In the box around the US, on the Mexican side.
            area((-106.0, 29.0, -105.996, 29.003), labels=("cdl",)),
            "has no image over tile",
        ),
        (
            in_place(fixtures.OVERLAP, start=date(2021, 8, 10), end=date(2021, 8, 20)),
            "has no image over tile .* between 2021-08-10 and 2021-08-20",
        ),
        (
            in_place(fixtures.OVERLAP, start=date(2025, 5, 1), end=date(2025, 8, 1)),
            "has no map for 2025, .* it has 2008 to 2024",
        ),
        (
            in_place(fixtures.OVERLAP, start=date(2014, 5, 1), end=date(2014, 8, 1)),
            "Sentinel-2 began on 2015-06-27",
        ),
    ],
)
def test_what_cannot_be_had_is_said(export: Exporter, chosen: Area, message: str) -> None:
    with pytest.raises(EarthEngineError, match=message):
        export(chosen)


def test_a_season_without_a_clear_date_is_said(export: Exporter) -> None:
    chosen = in_place(fixtures.OVERLAP, start=date(2021, 5, 26), end=date(2021, 5, 27))
    with pytest.raises(EarthEngineError, match=r"none of 1 dates is at least 5 % clear"):
        export(chosen)


def test_cdl_confidence_is_left_out_where_the_year_has_none(tmp_path: Path) -> None:
    season = {"start": date(2019, 6, 1), "end": date(2019, 6, 25)}
    place = Place(-93.0, 42.0, -92.9, 42.05, **season)
    chosen = in_place(place, labels=("cdl",), **season)
    with LocalEarthEngine([place]) as server:
        settings = fixtures.settings(server.url, tmp_path / "cache", min_clear=0.0)
        found = written(chosen, settings, tmp_path / "cube.zarr")
        assert_equal(found, expected(server.catalogue, only_tile(chosen), chosen), 60, 0.0)
    assert "cdl_confidence" not in found
    assert "cdl" in found


@pytest.mark.parametrize("way", ["bucket", "drive"])
def test_batch_export_gives_the_same_cube(
    server: LocalEarthEngine, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sitsformer.imagery.earthengine.batch.POLL_SECONDS", 0.1)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    assert server.folder is not None
    chosen = in_place(fixtures.BORDER)
    target = (
        {"bucket": "maps"}
        if way == "bucket"
        else {"drive_folder": "maps", "drive_path": str(server.folder / "drive" / "maps")}
    )
    direct = fixtures.settings(server.url, tmp_path / "one")
    tasks = fixtures.settings(server.url, tmp_path / "two", export="batch", **target)
    first = written(chosen, direct, tmp_path / "one.zarr")
    second = written(chosen, tasks, tmp_path / "two.zarr")
    xr.testing.assert_identical(first.load(), second.load())
    assert len(server.sent("image:export")) >= 1


def test_a_batch_task_is_not_started_twice(
    server: LocalEarthEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run gives up waiting; the second one finds its task."""
    monkeypatch.setattr("sitsformer.imagery.earthengine.batch.POLL_SECONDS", 0.05)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    chosen = in_place(fixtures.OVERLAP)
    changes = {"export": "batch", "bucket": "other", "min_clear": 0.3}
    hasty = fixtures.settings(server.url, tmp_path / "c", batch_timeout=1e-9, **changes)
    server.tasks_may_end.clear()
    try:
        with pytest.raises(EarthEngineError, match="they go on at Google: run again"):
            written(chosen, hasty, tmp_path / "cube.zarr")
    finally:
        server.tasks_may_end.set()
    assert not (tmp_path / "cube.zarr").exists()
    started = len(server.sent("image:export"))
    patient = fixtures.settings(server.url, tmp_path / "c", **changes)
    written(chosen, patient, tmp_path / "cube.zarr")
    assert len(server.sent("image:export")) == started


def test_a_failed_batch_task_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitsformer.imagery.earthengine.batch.POLL_SECONDS", 0.05)
    chosen = in_place(fixtures.OVERLAP)
    with LocalEarthEngine([fixtures.OVERLAP]) as without_folder:
        settings = fixtures.settings(
            without_folder.url, tmp_path / "c", export="batch", bucket="maps"
        )
        with pytest.raises(EarthEngineError, match="started without a folder for exports"):
            written(chosen, settings, tmp_path / "cube.zarr")
