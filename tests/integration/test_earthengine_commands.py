"""auth, doctor, plan, cache and view as a user runs them, against the local server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from earthengine import faults, fixtures
from earthengine.fixtures import in_place, only_tile, run
from earthengine.server import LocalEarthEngine
from sitsformer.config import Config, parse

pytestmark = pytest.mark.usefixtures("warmed")

CHOSEN = in_place(fixtures.OVERLAP)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEarthEngine]:
    with LocalEarthEngine([fixtures.OVERLAP]) as running:
        yield running


def written(folder: Path, server: LocalEarthEngine, **changes: object) -> tuple[Path, Config]:
    settings = fixtures.settings(server.url, Path("cache"), **changes)
    config = fixtures.config({"here": CHOSEN}, settings)
    return fixtures.write_config(folder / "config.yaml", config), config


def test_doctor_says_that_everything_answers(server: LocalEarthEngine, tmp_path: Path) -> None:
    path, _ = written(tmp_path, server)
    status, out, err = run("doctor", path, cwd=tmp_path)
    assert status == 0, err
    lines = out.splitlines()
    assert lines[-1] == "Everything answers."
    assert all(line.startswith("ok") for line in lines[:-1])
    for word in ("credentials", "project", "S2_SR_HARMONIZED", "CLOUD_SCORE", "CDL", "pixels"):
        assert word in out
    assert len(lines) < 20


def test_doctor_says_what_does_not_answer_and_what_to_do(
    server: LocalEarthEngine, tmp_path: Path
) -> None:
    path, _ = written(tmp_path, server, project="forbidden")
    status, out, err = run("doctor", path, cwd=tmp_path)
    assert status == 3
    assert "FAIL  service" in out
    assert "set earthengine.project" in out
    assert "does not answer fully: service" in err
    assert "Traceback" not in err


def test_doctor_without_anything_says_how_to_begin(tmp_path: Path) -> None:
    status, out, err = run("doctor", cwd=tmp_path)
    assert status == 3
    assert "FAIL  credentials" in out
    assert "sitsformer auth" in out
    assert "Traceback" not in err


def test_a_collection_that_is_gone_is_named(server: LocalEarthEngine, tmp_path: Path) -> None:
    path, _ = written(tmp_path, server)
    gone = server.catalogue.collections.pop("USDA/NASS/CDL")
    try:
        status, out, _ = run("doctor", path, cwd=tmp_path)
    finally:
        server.catalogue.collections["USDA/NASS/CDL"] = gone
    assert status == 3
    (failed,) = [line for line in out.splitlines() if line.startswith("FAIL")]
    assert "USDA/NASS/CDL" in failed


def test_plan_counts_what_the_export_then_sends(server: LocalEarthEngine, tmp_path: Path) -> None:
    path, _ = written(tmp_path, server, min_clear=0.0)
    status, out, err = run("plan", path, "--earthengine", cwd=tmp_path)
    assert status == 0, err
    assert "1 tiles, 20 dates, at most 4 requests, 2 MB" in out
    (share,) = [line for line in out.splitlines() if "Share of the monthly" in line]
    assert "Community 150" in share
    assert "not stated, for nothing outside Google tells" in share
    before = len(server.calls)
    tile = only_tile(CHOSEN)
    status, _, err = run(
        "cube", "--config", path, "here", tile.name, tmp_path / "out.zarr", cwd=tmp_path
    )
    assert status == 0, err
    asked = [c for c in server.calls[before:] if c.path.endswith((":compute", ":computePixels"))]
    assert len(asked) == 4
    # The same estimate stands in the log of the export.
    assert "at most 4 requests, 2 MB" in err


def with_embeddings(folder: Path, server: LocalEarthEngine, **changes: object) -> Path:
    """The config with a layer of embeddings; `changes` are of its area."""
    path, config = written(folder, server, min_clear=0.0)
    values = config.model_dump(mode="json", exclude_none=True) | {
        "embeddings": {"satellite_embedding": {}}
    }
    values["areas"]["here"] |= changes
    return fixtures.write_config(path, parse(values))


def test_plan_counts_embeddings_as_the_job_then_asks_for_them(
    server: LocalEarthEngine, tmp_path: Path
) -> None:
    path = with_embeddings(tmp_path, server)
    status, out, err = run("plan", path, "--earthengine", cwd=tmp_path)
    assert status == 0, err
    (line,) = [line for line in out.splitlines() if "satellite_embedding 2021" in line]
    # 60 x 60 pixels of 64 bytes.
    assert "1 tiles, at most 2 requests, 0 MB" in line
    (whole,) = [line for line in out.splitlines() if line.startswith("together") and "MB" in line]
    assert "2 tiles, 20 dates, at most 6 requests, 2 MB" in whole
    before = len(server.calls)
    tile = only_tile(CHOSEN)
    status, _, err = run(
        "embeddings", "tile", "--config", path, "satellite_embedding", "here", tile.name,
        tmp_path / "out.zarr", cwd=tmp_path,
    )  # fmt: skip
    assert status == 0, err
    asked = [c for c in server.calls[before:] if c.path.endswith((":compute", ":computePixels"))]
    assert len(asked) == 2


def test_plan_asks_for_embeddings_where_the_images_are_files(
    server: LocalEarthEngine, tmp_path: Path
) -> None:
    layers = {"worldcover": {"path": "worldcover.tif", "legend": "worldcover"}}
    files = {
        "source": "rasters",
        "labels": ["worldcover"],
        "rasters": {"path": "images", "labels": layers},
    }
    path = with_embeddings(tmp_path, server, **files)
    status, out, err = run("plan", path, "--earthengine", cwd=tmp_path)
    assert status == 0, err
    said = out.split("by what Earth Engine lists:")[1].splitlines()
    assert said[1].startswith("here, satellite_embedding 2021  1 tiles, at most 2 requests")
    assert not [line for line in said if "dates," in line]

    path = with_embeddings(tmp_path, server, **files, start="2025-04-01", end="2025-09-01")
    status, _, err = run("plan", path, "--earthengine", cwd=tmp_path)
    assert status == 3
    assert "no image of 2025" in err and "it has 2017" in err
    assert "Traceback" not in err


def test_doctor_asks_for_embeddings_of_the_config(server: LocalEarthEngine, tmp_path: Path) -> None:
    status, out, err = run("doctor", with_embeddings(tmp_path, server), cwd=tmp_path)
    assert status == 0, err
    (line,) = [line for line in out.splitlines() if "SATELLITE_EMBEDDING" in line]
    assert line.startswith("ok") and "CC BY 4.0" in line


def test_the_cache_is_shown_and_emptied(server: LocalEarthEngine, tmp_path: Path) -> None:
    path, _ = written(tmp_path, server)
    tile = only_tile(CHOSEN)
    out_store = tmp_path / "out.zarr"
    status, _, err = run("cube", "--config", path, "here", tile.name, out_store, cwd=tmp_path)
    assert status == 0, err
    status, out, _ = run("cache", "show", path, cwd=tmp_path)
    assert status == 0
    assert "3 requests" in out
    assert f"here-{tile.name}" in out

    # A second export of the same cube asks Earth Engine for nothing, not even to log in.
    before = len(server.calls)
    status, _, err = run("cube", "--config", path, "here", tile.name, out_store, cwd=tmp_path)
    assert status == 0, err
    assert len(server.calls) == before

    status, out, _ = run("cache", "clear", path, cwd=tmp_path)
    assert status == 0
    assert "MB removed" in out
    _, out, _ = run("cache", "show", path, cwd=tmp_path)
    assert "0.00 GB" in out


def test_the_progress_says_dates_speed_and_retries(
    server: LocalEarthEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a line slow enough that the bar shows at all: it waits ten seconds in a log."""
    from sitsformer import progress
    from sitsformer.imagery.earthengine.source import EarthEngineSource

    lines: list[str] = []
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    monkeypatch.setattr(progress.logger, "info", lambda text, *args: lines.append(text % args))
    once = faults.Planned(":computePixels", ["503"])
    server.fault = lambda path, body: once(path, body) if b'"B12"' in body else None
    try:
        monkeypatch.chdir(tmp_path)
        _, config = written(tmp_path, server)
        found = EarthEngineSource(config).cube("here", CHOSEN, only_tile(CHOSEN))
    finally:
        server.fault = None
    shown = [line for line in lines if "B/s" in line]  # kB/s on a machine that others use
    assert shown
    assert f"reflectance of {only_tile(CHOSEN).name}, {found.sizes['time']} dates" in shown[-1]
    assert "1 retries" in shown[-1]


def test_view_writes_a_page_with_imagery_labels_and_tiles(
    server: LocalEarthEngine, tmp_path: Path
) -> None:
    path, _ = written(tmp_path, server)
    before = len(server.sent("/maps"))
    status, _, err = run("view", path, tmp_path / "map.html", "--online", cwd=tmp_path)
    assert status == 0, err
    assert len(server.sent("/maps")) == before + 3  # imagery, WorldCover, CDL
    page = (tmp_path / "map.html").read_text()
    assert f"{server.url}/v1/projects/proj-test/maps/local/tiles/" in page
    for word in ("here, clear sky", "worldcover", "cdl", "1 tiles", '"Polygon"'):
        assert word in page
