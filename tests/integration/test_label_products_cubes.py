"""The label products of Earth Engine besides WorldCover and CDL, pixel by pixel, to the samples."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pyproj import Transformer

from earthengine import fixtures, landscape
from earthengine.catalogue import Pixels
from earthengine.fixtures import in_place, only_tile, run
from earthengine.images import UINT8, UINT16, Grid, Image, PixelType, raster
from earthengine.server import LocalEarthEngine
from sitsformer import cube
from sitsformer.config import Area
from sitsformer.labels import products
from sitsformer.samples import open_samples

pytestmark = pytest.mark.usefixtures("warmed")

STEP = 1e-4
CANADA = fixtures.Place(-106.1, 50.9, -105.9, 51.1, fixtures.START, fixtures.END)
"""Saskatchewan."""

CROPS = np.array([216, 233, 211, 250, 500, 300, 100, 0], np.uint16)
"""EUCROPMAP code of each cover of the landscape; water has none here."""
INVENTORY = np.array([147, 158, 140, 122, 110, 220, 34, 20], np.uint8)
COVER = np.array([4, 4, 4, 4, 2, 1, 6, 0], np.uint8)
"""Dynamic World; 0 is water, a class."""
CEREAL = np.array([100, 100, 100, 0, 0, 0, 0, 0], np.uint8)


def asset(
    band: str, kind: PixelType, codes: NDArray[Any], day: date, **properties: Any
) -> tuple[Any, Image]:
    """A map on a lattice of degrees, masked where `codes` has `without`."""
    without = properties.pop("without", -1)
    grid = Grid("EPSG:4326", (STEP, 0.0, -180.0, 0.0, -STEP, 90.0), 3_600_000, 1_800_000)

    def pixels(column: NDArray[np.int64], row: NDArray[np.int64]) -> Pixels:
        cover, _ = landscape.parcel(-180 + (column + 0.5) * STEP, 90 - (row + 0.5) * STEP)
        found = codes[cover]
        return found, found != without

    def sure(column: NDArray[np.int64], row: NDArray[np.int64]) -> Pixels:
        found = landscape.mix(column, row, 5) % 101
        return found, np.ones(found.shape, bool)

    start = round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    bands = [raster(band, kind, grid, pixels)]
    if "product" in properties:
        bands.append(raster("confidence", UINT8, grid, sure))
    own = {"system:index": str(day), "system:time_start": start}
    return Image(tuple(bands), own | properties, f"{band}/{day}/{len(properties)}")


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEarthEngine]:
    with LocalEarthEngine([fixtures.FRANCE, CANADA]) as running:
        other = np.roll(CROPS, 1)
        wrong = (COVER + 1).astype(np.uint8)
        cereals = [
            asset("classification", UINT8, codes, date(2021, 1, 1), product=product, season=season)
            for codes, product, season in (
                (100 - CEREAL, "irrigation", "tc-annual"),
                (CEREAL, "temporarycrops", "tc-annual"),
                (np.where(np.arange(8) == 0, 100, 0).astype(np.uint8), "maize", "tc-maize-main"),
                (CEREAL * 0, "maize", "tc-maize-second"),
                (np.where(np.arange(8) == 2, 100, 0).astype(np.uint8), "wintercereals",
                 "tc-wintercereals"),
            )
        ]  # fmt: skip
        running.catalogue.collections |= {
            "JRC/D5/EUCROPMAP/V1": [
                asset("classification", UINT16, other, date(2018, 1, 1), without=0),
                asset("classification", UINT16, CROPS, date(2022, 1, 1), without=0),
            ],
            "AAFC/ACI": [
                asset("landcover", UINT8, INVENTORY, date(year, 1, 1)) for year in range(2009, 2024)
            ],
            # Five images of 2021, of which two are wrong, and one of another year.
            "GOOGLE/DYNAMICWORLD/V1": [
                asset("label", UINT8, codes, day, without=9)
                for codes, day in (
                    (COVER, date(2021, 4, 1)),
                    (wrong, date(2021, 5, 1)),
                    (COVER, date(2021, 6, 1)),
                    (wrong, date(2021, 7, 1)),
                    (COVER, date(2021, 8, 1)),
                    *((wrong, date(2020, month, 1)) for month in range(1, 8)),
                )
            ],
            "ESA/WorldCereal/2021/MODELS/v100": cereals,
        }
        yield running


def expected(area: Area, codes: NDArray[Any]) -> NDArray[Any]:
    """The pixels of a tile, by another road than the server's and the package's."""
    tile = only_tile(area)
    lon, lat = Transformer.from_crs(tile.epsg, 4326, always_xy=True).transform(
        *np.meshgrid(tile.x, tile.y)
    )
    lon = -180 + (np.floor((lon + 180) / STEP) + 0.5) * STEP
    lat = 90 - (np.floor((90 - lat) / STEP) + 0.5) * STEP
    return codes[landscape.parcel(lon, lat)[0]]


def place(where: fixtures.Place, *labels: str, **changes: Any) -> Area:
    return in_place(where, labels=labels, **changes)


def written(server: LocalEarthEngine, folder: Path, area: Area) -> Path:
    chosen = fixtures.config({"here": area}, fixtures.settings(server.url, Path("cache")))
    return fixtures.write_config(folder / "config.yaml", chosen)


def exported(server: LocalEarthEngine, folder: Path, area: Area) -> tuple[Any, str]:
    path = written(server, folder, area)
    status, _, said = run(
        "cube", "--config", path, "here", only_tile(area).name, folder / "cube.zarr", cwd=folder
    )
    assert status == 0, said
    return cube.open_cube(folder / "cube.zarr"), said


def test_eucropmap_has_codes_above_255_from_the_server_to_the_samples(
    server: LocalEarthEngine, tmp_path: Path
) -> None:
    start, end = date(2022, 5, 1), date(2022, 7, 30)
    for scenes in (fixtures.FRANCE,):
        shifted = fixtures.Place(scenes.west, scenes.south, scenes.east, scenes.north, start, end)
    with LocalEarthEngine([shifted]) as own:
        own.catalogue.collections |= {
            "JRC/D5/EUCROPMAP/V1": server.catalogue.collections["JRC/D5/EUCROPMAP/V1"]
        }
        area = place(fixtures.FRANCE, "eucropmap", start=start, end=end)
        found, said = exported(own, tmp_path, area)
        truth = expected(area, CROPS)
        assert found.eucropmap.dtype == np.uint16
        np.testing.assert_array_equal(found.eucropmap, truth)
        assert found.attrs["eucropmap_year"] == 2022
        assert "labels of here: eucropmap: EUCROPMAP, map of 2022" in said
        path = written(own, tmp_path, area)
        tile = only_tile(area).name
        text = path.read_text().replace("per_tile: 1000", "per_tile: all")
        path.write_text(text.replace("size: 5", "size: 1"))
        out = tmp_path / "samples.zarr"
        status, _, said = run("patches", "--config", path, "all", "here", tile,
                              tmp_path / "cube.zarr", out, cwd=tmp_path)  # fmt: skip
        assert status == 0, said
        samples = open_samples(out)
        codes = np.array([codes[0] for codes in samples.label.attrs["codes"]])
        column = ((samples.x.values - found.x.values[0]) / 10).round().astype(int)
        row = ((found.y.values[0] - samples.y.values) / 10).round().astype(int)
        assert (codes[samples.label.values] == truth[row, column]).all()
        assert codes[samples.label.values].max() == 500


def test_eucropmap_of_a_season_without_a_map_is_refused(
    server: LocalEarthEngine, tmp_path: Path
) -> None:
    path = written(server, tmp_path, place(fixtures.FRANCE, "eucropmap"))
    status, _, said = run("config", "check", path, cwd=tmp_path)
    assert status == 3
    assert "JRC/D5/EUCROPMAP/V1 has no map for 2021" in said and "it has 2018, 2022" in said


def test_the_annual_crop_inventory(server: LocalEarthEngine, tmp_path: Path) -> None:
    area = place(CANADA, "aci")
    found, said = exported(server, tmp_path, area)
    np.testing.assert_array_equal(found.aci, expected(area, INVENTORY))
    assert found.aci.dtype == np.uint8 and found.attrs["aci_year"] == 2021
    assert "the Annual Crop Inventory, map of 2021" in said


def test_dynamic_world_is_what_a_pixel_is_most_often_and_0_is_water(
    server: LocalEarthEngine, tmp_path: Path
) -> None:
    area = place(fixtures.FRANCE, "dynamicworld")
    found, _ = exported(server, tmp_path, area)
    np.testing.assert_array_equal(found.dynamicworld, expected(area, COVER))
    legend = cube.label_layers(found)["dynamicworld"]
    assert legend.no_label == 255 and legend.names[0] == "Water"


def test_worldcereal_takes_the_images_of_its_product_and_season(
    server: LocalEarthEngine, tmp_path: Path
) -> None:
    names = ("worldcereal", "worldcereal_maize", "worldcereal_wintercereals")
    area = place(fixtures.FRANCE, *names)
    found, said = exported(server, tmp_path, area)
    np.testing.assert_array_equal(found.worldcereal, expected(area, CEREAL))
    maize = np.where(np.arange(8) == 0, 100, 0)
    np.testing.assert_array_equal(found.worldcereal_maize, expected(area, maize))
    wheat = np.where(np.arange(8) == 2, 100, 0)
    np.testing.assert_array_equal(found.worldcereal_wintercereals, expected(area, wheat))
    assert found.worldcereal_confidence.max() <= 100
    assert "worldcereal: WorldCereal (temporary crops), map of 2021" in said


def test_the_year_of_a_map_is_said_before_and_after(
    server: LocalEarthEngine, tmp_path: Path
) -> None:
    season = {"start": date(2023, 5, 1), "end": date(2023, 8, 1)}
    area = place(fixtures.FRANCE, "worldcover", "worldcereal", **season)
    assert area.season_year == 2023
    said = [products()[name].said(2023) for name in ("worldcover", "worldcereal", "cdl")]
    assert said[0].endswith("ESA WorldCover, map of 2021, the nearest to the season's year 2023")
    assert said[1].endswith("map of 2021, the nearest to the season's year 2023")
    assert said[2].endswith("map of 2023")
    path = written(server, tmp_path, place(fixtures.FRANCE, "worldcover"))
    status, out, err = run("plan", path, "--earthengine", cwd=tmp_path)
    assert status == 0, err
    assert "labels worldcover: ESA WorldCover, map of 2021" in out
