"""Cubes of a catalogue: the same as of its files, whatever the catalogue is and says."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr

import stac_world
from sitsformer import cube
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.imagery.rasters.source import RasterSource
from sitsformer.imagery.stac import listing
from sitsformer.stored import MISSING
from stac_exports import add, run, written
from stac_world import COLLECTION, Catalogue, Server, area, build

pytestmark = pytest.mark.usefixtures("warmed")

OFFSET = {"s2:processing_baseline": "05.10"}


@pytest.fixture(scope="module")
def truth() -> tuple[Tile, xr.Dataset]:
    return stac_world.truth()


@pytest.fixture(scope="module")
def whole(truth: tuple[Tile, xr.Dataset], tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """Six acquisitions of the tile; no test changes it."""
    catalogue = Catalogue(tmp_path_factory.mktemp("catalogue"))
    for i in range(6):
        add(catalogue, truth, i)
    catalogue.save()
    return catalogue


@pytest.fixture
def some(truth: tuple[Tile, xr.Dataset], tmp_path: Path) -> Catalogue:
    """A folder for a few of them."""
    (tmp_path / "catalogue").mkdir()
    return Catalogue(tmp_path / "catalogue")


def test_cubes_are_those_of_the_same_files_whichever_way_they_are_listed(
    truth: tuple[Tile, xr.Dataset], whole: Catalogue, tmp_path: Path
) -> None:
    tile, dataset = truth
    with Server(whole) as server:
        static = build(f"{server.url}/catalog.json", tmp_path, tile)
        api = build(f"{server.url}/api", tmp_path, tile, collection=COLLECTION)
    local = build(str(whole.folder / "collection.json"), tmp_path, tile)
    rasters = area("catalog.json", tmp_path).model_dump() | {
        "source": "rasters",
        "stac": None,
        "rasters": {
            "path": str(whole.folder),
            "pattern": "*_[BS]*.tif",
            "clouds": {"by": "scl", "band": "SCL"},
        },
    }
    files = RasterSource().cube("farm", stac_world.Area.model_validate(rasters), tile).compute()
    np.testing.assert_array_equal(files.reflectance, dataset.reflectance[:6])
    for found in (static, api, local):
        assert found.drop_attrs().identical(files.drop_attrs())
        assert found.attrs["items"] == list(whole.items)
    assert api.attrs["collection"] == COLLECTION


def test_a_cube_on_disk_says_what_it_was_made_of_and_is_made_of_it_again(
    truth: tuple[Tile, xr.Dataset], whole: Catalogue, tmp_path: Path
) -> None:
    with Server(whole) as server:
        config = written(tmp_path, f"{server.url}/api", collection=COLLECTION)
        first = run(config, truth[0], tmp_path / "first.zarr")
        assert first.returncode == 0, first.stderr
        asked = [path for _, path in server.seen if path.startswith("/api")]
        second = run(config, truth[0], tmp_path / "second.zarr")
        assert second.returncode == 0, second.stderr
        again = [path for _, path in server.seen if path.startswith("/api")]
        # The list is a file of items, too.
        (kept,) = (tmp_path / "cache").glob("*.json")
        found = build(str(kept), tmp_path, truth[0])
    np.testing.assert_array_equal(found.reflectance, truth[1].reflectance[:6])
    assert "listed now" in first.stderr and "as listed before" in second.stderr
    assert asked.count("/api/search") == 3 and again == asked  # 6 items in pages of 2
    cubes = [cube.open_cube(tmp_path / f"{name}.zarr") for name in ("first", "second")]
    assert cubes[0].identical(cubes[1])
    assert cubes[0].attrs["items"] == list(whole.items)


def test_values_of_all_baselines_have_one_scale(
    truth: tuple[Tile, xr.Dataset], some: Catalogue, tmp_path: Path
) -> None:
    says = {"scale": 0.0001, "offset": -0.1}
    names = [
        add(some, truth, 0),
        add(some, truth, 1, offset=1000, **OFFSET),
        add(some, truth, 2, **OFFSET, **{"earthsearch:boa_offset_applied": True}),
        add(some, truth, 3, offset=1000, **OFFSET, **{"earthsearch:boa_offset_applied": False}),
        add(some, truth, 4, offset=1000, **{"processing:version": "05.00"}),
    ]
    del some.items[names[4]]["properties"]["s2:processing_baseline"]
    # As Earth Search does: an offset for every file of late baselines, be it in the values or not.
    for name in names[2:4]:
        for asset in some.items[name]["assets"].values():
            for band in asset.get("raster:bands", ()):
                band.update(says)
    found = build(str(some.save()), tmp_path, truth[0])
    np.testing.assert_array_equal(found.reflectance, truth[1].reflectance[:5])
    assert found.attrs["processing_baselines"] == ["03.00", "05.00", "05.10"]
    assert found.attrs["offsets"] == [-0.1, 0.0]


def test_an_offset_that_nothing_tells_is_asked_for(
    truth: tuple[Tile, xr.Dataset], some: Catalogue, tmp_path: Path
) -> None:
    name = add(some, truth, 0, offset=1000)
    del some.items[name]["properties"]["s2:processing_baseline"]
    url = str(some.save())
    with pytest.raises(SitsError, match=rf"stac.offset: item {name} says neither .* set `offset`"):
        build(url, tmp_path, truth[0])
    found = build(url, tmp_path, truth[0], offset=-0.1)
    np.testing.assert_array_equal(found.reflectance, truth[1].reflectance[:1])


def test_metadata_that_ask_for_an_offset_that_values_lack_are_refused_or_told(
    truth: tuple[Tile, xr.Dataset],
    some: Catalogue,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Earth Search has such items: `boa_offset_applied: false`, and values without the offset."""
    caplog.set_level("WARNING", "sitsformer")
    says = {**OFFSET, "earthsearch:boa_offset_applied": False}
    right, wrong = [i for i in range(24) if (truth[1].clear.values[i] >= 60).mean() > 0.9][:2]
    name = add(some, truth, wrong, **says)
    with pytest.raises(SitsError, match=r"blue \(B02\) .* are 0 or less .*harmonised already"):
        build(str(some.save()), tmp_path, truth[0])
    add(some, truth, right, offset=1000, **says)
    caplog.clear()
    build(str(some.save()), tmp_path, truth[0])
    (told,) = {text for text in caplog.messages if "blue values" in text}
    assert f"of item {name} are 0 or less" in told and "`exclude`" in told


def test_granules_of_a_datatake_are_one_date_in_which_the_own_zone_is_on_top(
    truth: tuple[Tile, xr.Dataset], some: Catalogue, tmp_path: Path
) -> None:
    tile, dataset = truth
    stored, clear = dataset.reflectance.values[0], dataset.clear.values[0]
    time = dataset.time.values[0]
    left, right = stored.copy(), stored.copy()
    left[:, :, 30:] = MISSING
    right[:, :, :20] = MISSING
    right[right != MISSING] += 1  # to tell them apart where both have pixels
    later = time + np.timedelta64(14, "s")
    first = some.add(left, clear, later, tile, place="15TVJ")
    second = some.add(right, clear, time, tile, place="14TQP")
    found = build(str(some.save()), tmp_path, tile)
    assert found.attrs["items"] == [f"{first}+{second}"]
    assert found.time.values[0] == time.astype("datetime64[s]")
    expected = np.where(np.arange(48) < 30, left[0], right[0])
    np.testing.assert_array_equal(found.reflectance.values[0, 0], expected)


def test_two_satellites_of_one_minute_are_two_dates(
    truth: tuple[Tile, xr.Dataset], some: Catalogue, tmp_path: Path
) -> None:
    add(some, truth, 0)
    add(some, truth, 0, platform="sentinel-2c")
    found = build(str(some.save()), tmp_path, truth[0])
    assert found.sizes["time"] == 2
    assert (np.diff(found.time.values) == np.timedelta64(1, "s")).all()


def test_of_several_processings_the_newest_baseline_counts(
    truth: tuple[Tile, xr.Dataset], some: Catalogue, tmp_path: Path
) -> None:
    strip = {"s2:datastrip_id": "S2A_OPER_MSI_L2A_DS_2APS_20230101T000000_S20210503T165000_N05.00"}
    old = add(some, truth, 1, **strip)  # another image, so that it shows which one was taken
    some.items[old]["properties"]["datetime"] = f"{str(truth[1].time.values[0])[:19]}Z"
    new = add(some, truth, 0, offset=1000, **OFFSET, **strip)
    found = build(str(some.save()), tmp_path, truth[0])
    assert found.attrs["items"] == [new] and found.attrs["superseded_items"] == [old]
    np.testing.assert_array_equal(found.reflectance, truth[1].reflectance[:1])


def test_files_of_another_zone_are_those_that_the_rasters_source_makes_of_them(
    truth: tuple[Tile, xr.Dataset], some: Catalogue, tmp_path: Path
) -> None:
    """A granule in the neighbouring UTM zone: each pixel takes what its centre lies in."""
    tile, dataset = truth
    name = add(some, truth, 0)
    for path in some.folder.glob("*.tif"):
        reproject(path, "EPSG:32614")
    url = str(some.save())
    found = build(url, tmp_path, tile)
    rasters = area("catalog.json", tmp_path).model_dump() | {
        "source": "rasters",
        "stac": None,
        "rasters": {"path": str(some.folder), "clouds": {"by": "scl", "band": "SCL"}},
    }
    files = RasterSource().cube("farm", stac_world.Area.model_validate(rasters), tile).compute()
    assert found.drop_attrs().identical(files.drop_attrs())
    inner = found.reflectance.values[0, 0, 4:-4, 4:-4]
    assert (inner != MISSING).all() and (
        inner == dataset.reflectance[0, 0, 4:-4, 4:-4]
    ).mean() > 0.5
    assert found.attrs["items"] == [name]


def reproject(path: Path, crs: str) -> None:
    """Put a file on a grid of its own resolution in another system."""
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    with rasterio.open(path) as file, WarpedVRT(file, crs=crs, resampling=Resampling.nearest) as to:
        values, transform = to.read(), to.transform
    path.unlink()
    stac_world.write(path, values, int(crs.removeprefix("EPSG:")), transform)


def test_a_server_that_is_busy_for_a_while_is_waited_for(
    truth: tuple[Tile, xr.Dataset], some: Catalogue, tmp_path: Path
) -> None:
    name = add(some, truth, 0)
    some.save()
    with Server(some) as server:
        server.faults["/api/search"] += [503, 503]
        server.faults[f"{name}_B05.tif"] += [503, 503]
        server.faults[f"{name}_SCL.tif"] += [429]
        found = build(f"{server.url}/api", tmp_path, truth[0], collection=COLLECTION)
        assert not any(server.faults.values())
    np.testing.assert_array_equal(found.reflectance, truth[1].reflectance[:1])


@pytest.mark.parametrize("link", ["body", "merge", "href"])
def test_every_page_of_an_answer_is_read_and_asked_for_again_where_it_is_refused(
    whole: Catalogue, truth: tuple[Tile, xr.Dataset], tmp_path: Path, link: str
) -> None:
    other = next(iter(whole.items))
    with Server(whole) as server:
        server.next = link
        server.faults["/api/search"] += [503, 429]
        whole.items[other]["collection"] = "another"
        try:
            both = area(f"{server.url}/api", tmp_path, collection=[COLLECTION, "another"])
            found = listing.ask(both, truth[0], "areas.farm.stac")
            one = area(f"{server.url}/api", tmp_path, collection=COLLECTION)
            fewer = listing.ask(one, truth[0], "areas.farm.stac")
            typo = area(f"{server.url}/api", tmp_path, collection=[COLLECTION, "anoter"])
            with pytest.raises(SitsError, match=r"no collection 'anoter'.* mean 'another'"):
                listing.ask(typo, truth[0], "areas.farm.stac")
        finally:
            whole.items[other]["collection"] = COLLECTION
        assert not any(server.faults.values())
    assert [one.id for one in found.scenes] == sorted(whole.items)
    assert {one.collection for one in found.scenes} == {COLLECTION, "another"}
    assert {one.id for one in fewer.scenes} == {*whole.items} - {other}
