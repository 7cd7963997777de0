"""What a catalogue may answer the command: busy, gone, incomplete, wrong; one line says which."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import stac_world
from sitsformer import cube
from sitsformer.errors import SitsError, TemporaryError
from sitsformer.grid import Tile
from sitsformer.stored import MISSING
from stac_exports import add, refused, run, written
from stac_world import COLLECTION, Catalogue, Server, build

OFFSET = {"s2:processing_baseline": "05.10"}


@pytest.fixture(scope="module")
def truth() -> tuple[Tile, xr.Dataset]:
    return stac_world.truth()


@pytest.fixture
def some(truth: tuple[Tile, xr.Dataset], tmp_path: Path) -> Catalogue:
    """A folder for a few of them."""
    (tmp_path / "catalogue").mkdir()
    return Catalogue(tmp_path / "catalogue")


def test_a_server_that_stays_busy_may_be_asked_again_later(
    truth: tuple[Tile, xr.Dataset], some: Catalogue, tmp_path: Path
) -> None:
    name = add(some, truth, 0)
    some.save()
    with Server(some) as server:
        config = written(tmp_path, f"{server.url}/api", collection=COLLECTION, attempts=2)
        server.faults["/api/search"] += [503] * 9
        assert "gives no answer after 2 tries" in refused(config, truth[0], 1)
        server.faults.clear()
        server.faults[f"{name}_B05.tif"] += [503] * 99
        line = refused(config, truth[0], 1)
    assert "is busy (status 503)" in line and f"{name}_B05.tif of item {name}" in line


def test_a_file_that_is_gone_since_it_was_listed_is_asked_for_anew(
    truth: tuple[Tile, xr.Dataset], some: Catalogue, tmp_path: Path
) -> None:
    old = add(some, truth, 0)
    some.save()
    with Server(some) as server:
        config = written(tmp_path, f"{server.url}/api", collection=COLLECTION)
        assert run(config, truth[0], tmp_path / "first.zarr").returncode == 0
        (tmp_path / "first.zarr").rename(tmp_path / "kept.zarr")
        # The provider has processed it again: another id, other files.
        item = some.items.pop(old)
        new = add(some, truth, 0, offset=1000, **OFFSET)
        for asset in item["assets"].values():
            (some.folder / asset["href"]).unlink(missing_ok=True)
        line = refused(config, truth[0], 1)
        assert f"of item {old} is there no more" in line and "run it again" in line
        done = run(config, truth[0], tmp_path / "second.zarr")
        assert done.returncode == 0, done.stderr
    found = cube.open_cube(tmp_path / "second.zarr")
    assert found.attrs["items"] == [new] != [old]
    before = cube.open_cube(tmp_path / "kept.zarr")
    np.testing.assert_array_equal(found.reflectance, before.reflectance)


def test_a_listed_file_that_never_was_is_refused_or_skipped(
    truth: tuple[Tile, xr.Dataset], some: Catalogue, tmp_path: Path
) -> None:
    add(some, truth, 0)
    lost = add(some, truth, 1)
    some.save()
    (some.folder / f"{lost}_B08.tif").unlink()
    with Server(some) as server:
        config = written(tmp_path, f"{server.url}/catalog.json")
        line = refused(config, truth[0], 3)
        assert f"{lost}_B08.tif of item {lost} cannot be read (status 404)" in line
        assert "`exclude`" in line and "`on_broken: skip`" in line
        url = f"{server.url}/catalog.json"
        skipped = build(url, tmp_path / "a", truth[0], on_broken="skip")
        left_out = build(url, tmp_path / "b", truth[0], exclude=[lost])
    assert (skipped.reflectance[1] == MISSING).all() and skipped.sizes["time"] == 2
    np.testing.assert_array_equal(skipped.reflectance[0], truth[1].reflectance[0])
    np.testing.assert_array_equal(left_out.reflectance, truth[1].reflectance[:1])


def test_an_item_without_scene_classification_is_refused_with_what_helps(
    truth: tuple[Tile, xr.Dataset], some: Catalogue, tmp_path: Path
) -> None:
    add(some, truth, 0)
    bare = add(some, truth, 1)
    del some.items[bare]["assets"]["scl"]
    url = str(some.save())
    with pytest.raises(SitsError, match=f"item {bare} lacks SCL; .*clouds: {{by: simple}}"):
        build(url, tmp_path, truth[0])
    simple = build(url, tmp_path, truth[0], clouds={"by": "simple"})
    assert simple.sizes["time"] == 2 and set(np.unique(simple.clear)) <= {0, 100}
    skipped = build(url, tmp_path, truth[0], on_broken="skip")
    assert skipped.sizes["time"] == 1 and skipped.attrs["incomplete_items"] == [bare]


def test_a_picture_is_never_taken_for_a_band(
    truth: tuple[Tile, xr.Dataset], some: Catalogue, tmp_path: Path
) -> None:
    name = add(some, truth, 0)
    visual = some.items[name]["assets"]["visual"]
    visual["roles"] = ["data"]  # as the Planetary Computer has it
    del some.items[name]["assets"]["red"]
    with pytest.raises(SitsError, match=f"item {name} lacks B04"):
        build(str(some.save()), tmp_path, truth[0])


def test_the_assets_of_a_band_may_be_named(
    truth: tuple[Tile, xr.Dataset], some: Catalogue, tmp_path: Path
) -> None:
    name = add(some, truth, 0)
    assets = some.items[name]["assets"]
    assets["channel_five"] = {"href": assets.pop("rededge1")["href"]}
    found = build(str(some.save()), tmp_path, truth[0], assets={"rededge1": "channel_five"})
    np.testing.assert_array_equal(found.reflectance, truth[1].reflectance[:1])


def test_cloudy_items_are_left_out_and_named(
    truth: tuple[Tile, xr.Dataset], some: Catalogue, tmp_path: Path
) -> None:
    add(some, truth, 0, **{"eo:cloud_cover": 12.5})
    cloudy = add(some, truth, 1, **{"eo:cloud_cover": 80.5})
    found = build(str(some.save()), tmp_path, truth[0], max_cloud=80)
    assert found.sizes["time"] == 1 and found.attrs["items_too_cloudy"] == [cloudy]


@pytest.mark.parametrize(
    ("path", "stac", "kind", "message"),
    [
        ("/nowhere", {}, SitsError, r"there is nothing at \S+/nowhere \(status 404\)"),
        ("/api", {}, SitsError, "an API is searched by collection; .* has sentinel-2-l2a$"),
        (
            "/api",
            {"collection": "sentinel-2-l2b"},
            SitsError,
            "no collection 'sentinel-2-l2b'; it has sentinel-2-l2a; did you mean",
        ),
        ("/catalog.json", {"collection": "other"}, SitsError, "no collection 'other'"),
        ("/page.html", {}, SitsError, "is no STAC API, catalogue or file of items"),
        ("/list.json", {}, SitsError, "is no STAC API, catalogue or file of items"),
        ("/picture", {}, SitsError, r"is no STAC API, catalogue or .* \(bytes, not JSON\); give"),
        ("/locked/catalog.json", {}, SitsError, r"without an account \(status 403\)"),
    ],
)
def test_a_wrong_catalogue_is_one_line(
    truth: tuple[Tile, xr.Dataset],
    some: Catalogue,
    tmp_path: Path,
    path: str,
    stac: dict[str, str],
    kind: type[SitsError],
    message: str,
) -> None:
    add(some, truth, 0)
    some.save()
    (some.folder / "page.html").write_text("<html>Not a catalogue</html>")
    (some.folder / "list.json").write_text(json.dumps([1, 2]))
    (some.folder / "picture").write_bytes(b"\x89PNG\xff\xfe")
    with Server(some) as server:
        server.faults["/locked"] += [403] * 9
        with pytest.raises(kind, match=message) as caught:
            build(f"{server.url}{path}", tmp_path, truth[0], **stac)
    assert not isinstance(caught.value, TemporaryError)
    assert not list(tmp_path.glob("*.json"))


def test_a_server_that_is_away_may_come_back(
    truth: tuple[Tile, xr.Dataset], tmp_path: Path, some: Catalogue
) -> None:
    with Server(some) as server:
        url = f"{server.url}/api?key=secret"
    with pytest.raises(TemporaryError, match=r"/api gives no answer .*connection is refused") as e:
        build(url, tmp_path, truth[0], collection=COLLECTION, attempts=1)
    assert "secret" not in str(e.value)


def test_nothing_for_the_tile_is_said_with_place_and_season(
    truth: tuple[Tile, xr.Dataset], some: Catalogue, tmp_path: Path
) -> None:
    name = add(some, truth, 0)
    some.items[name]["properties"]["datetime"] = "2019-05-01T10:00:00Z"
    with pytest.raises(SitsError, match=r"gives 1 items elsewhere .* 2021-05-01 to 2021-09-01"):
        build(str(some.save()), tmp_path, truth[0])
