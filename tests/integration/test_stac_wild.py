"""Items as catalogues in the wild have them: what they lack and misspell, and broken files."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr

import stac_world
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.stored import MISSING
from stac_exports import add
from stac_world import Catalogue, Server, build

Item = dict[str, Any]


@pytest.fixture(scope="module")
def truth() -> tuple[Tile, xr.Dataset]:
    return stac_world.truth()


@pytest.fixture(scope="module")
def two(truth: tuple[Tile, xr.Dataset], tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """Two acquisitions, the second of which tests write differently."""
    catalogue = Catalogue(tmp_path_factory.mktemp("wild"))
    for i in range(2):
        add(catalogue, truth, i)
    return catalogue


@pytest.fixture
def second(two: Catalogue) -> Any:
    """The item that may be changed."""
    kept = copy.deepcopy(two.items)
    yield two.items[list(two.items)[1]]
    two.items.clear()
    two.items.update(kept)


def names_alone(item: Item) -> None:
    for key, asset in item["assets"].items():
        asset["eo:bands"] = [key]


def numbers_alone(item: Item) -> None:
    for asset in item["assets"].values():
        asset["eo:bands"] = [3]


@pytest.mark.parametrize(
    "change",
    [
        names_alone,
        numbers_alone,
        lambda item: item["assets"].update(preview={"type": "image/png"}, nothing=None),
        lambda item: item.update(geometry=None),
        lambda item: item.update(geometry={"type": "Polygon", "coordinates": []}),
        lambda item: item.update(geometry={"type": "Swath"}),
        lambda item: item.update(id=5),
        lambda item: item["properties"].update({"s2:processing_baseline": 3.0}),
        lambda item: item["properties"].update({"eo:cloud_cover": "7"}),
    ],
)
def test_the_cube_is_that_of_a_tidy_item(
    truth: tuple[Tile, xr.Dataset],
    two: Catalogue,
    second: Item,
    change: Callable[[Item], Any],
    tmp_path: Path,
) -> None:
    change(second)
    tile, dataset = truth
    found = build(str(two.save()), tmp_path, tile, max_cloud=50)
    np.testing.assert_array_equal(found.reflectance, dataset.reflectance[:2])
    assert found.attrs["items"][1] == str(second["id"])


def test_a_catalogue_of_this_computer_may_name_its_files_by_address(
    truth: tuple[Tile, xr.Dataset], two: Catalogue, second: Item, tmp_path: Path
) -> None:
    for asset in second["assets"].values():
        asset["href"] = (two.folder / asset["href"]).resolve().as_uri()
    found = build(str(two.save()), tmp_path, truth[0])
    np.testing.assert_array_equal(found.reflectance, truth[1].reflectance[:2])


def test_cloudiness_in_a_text_counts(
    truth: tuple[Tile, xr.Dataset], two: Catalogue, second: Item, tmp_path: Path
) -> None:
    second["properties"]["eo:cloud_cover"] = "99.5"
    found = build(str(two.save()), tmp_path, truth[0], max_cloud=50)
    assert found.attrs["items_too_cloudy"] == [second["id"]] and found.sizes["time"] == 1


def without_place(path: Path) -> None:
    with rasterio.open(path) as file:
        values, profile = file.read(), file.profile
    profile.update(driver="GTiff", crs=None)
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "cannot be read: .*Tile|IRead"),
        (lambda path: path.write_bytes(b"<html>sign in</html>"), "not recognized as"),
        (lambda path: path.write_bytes(b""), "not recognized as"),
        (without_place, "has no coordinate reference system"),
    ],
)
def test_a_broken_file_is_told_with_its_item_and_may_be_skipped(
    truth: tuple[Tile, xr.Dataset],
    two: Catalogue,
    second: Item,
    spoil: Callable[[Path], Any],
    said: str,
    tmp_path: Path,
) -> None:
    red = two.folder / second["assets"]["red"]["href"]
    broken = two.folder / "broken.tif"
    broken.write_bytes(red.read_bytes())
    spoil(broken)
    second["assets"]["red"]["href"] = "./broken.tif"
    url = str(two.save())
    with pytest.raises(SitsError, match=said) as refused:
        build(url, tmp_path, truth[0])
    assert second["id"] in str(refused.value) and "See previous" not in str(refused.value)
    found = build(url, tmp_path, truth[0], on_broken="skip")
    np.testing.assert_array_equal(found.reflectance[0], truth[1].reflectance[0])
    assert (found.reflectance[1] == MISSING).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "there is nothing at {}"), ("{", "{}, which the catalogue links, is no catalogue")],
)
def test_what_is_wrong_below_the_root_is_told_with_its_own_address(
    truth: tuple[Tile, xr.Dataset], two: Catalogue, text: str | None, said: str, tmp_path: Path
) -> None:
    two.save()
    kept = (two.folder / "collection.json").read_text()
    (two.folder / "collection.json").unlink()
    if text is not None:
        (two.folder / "collection.json").write_text(text)
    with Server(two) as server:
        with pytest.raises(SitsError) as refused:
            build(f"{server.url}/catalog.json", tmp_path, truth[0])
        assert said.format(f"{server.url}/collection.json") in str(refused.value)
    (two.folder / "collection.json").write_text(kept)
