"""The recipe "A label product" of docs/extending.md, carried out: one module and its legend."""

from __future__ import annotations

import shutil
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

PACKAGE = Path(__file__).parents[2] / "src" / "sitsformer"

EULAND = '''"""EULAND, a made-up product: crops of the European Union at 10 m."""

from pathlib import Path

from sitsformer.labels.product import LabelProduct

PRODUCT = LabelProduct(
    name="euland",
    title="EULAND",
    legend=Path(__file__).with_suffix(".csv"),
    collection="EU/LAND/V1",
    band="classification",
    dtype="uint16",
    years=(2018, 2022),
    rule="nearest",
    coverage=(-32.0, 27.0, 45.0, 71.0),
    extent="the European Union",
    licence="CC BY 4.0, European Commission, Joint Research Centre",
)
'''
EULAND_CODES = np.array([216, 233, 211, 250, 500, 300, 100, 0], np.uint16)
"""Code of each cover of the landscape; water has none."""
EULAND_LEGEND = """code,name,colour
100,Artificial,#c80000
211,Common wheat,#dac46c
216,Maize,#ffd300
233,Soya,#267000
250,Fodder crops,#a5f58d
300,Woodland and shrubland,#006400
500,Grasslands,#b4ffb4
"""

INVENTORY = '''"""INVENTORY, a made-up product with a map every year."""

from pathlib import Path

from sitsformer.labels.product import LabelProduct

PRODUCT = LabelProduct(
    name="inventory",
    title="the Inventory",
    legend=Path(__file__).with_suffix(".csv"),
    collection="CA/INVENTORY",
    band="landcover",
    rule="own",
    coverage=(-141.1, 41.6, -52.5, 83.2),
    extent="Canada",
    licence="Open Government Licence - Canada",
)
'''
INVENTORY_LEGEND = """code,name,colour
20,Water,#3333ff
110,Grassland,#cccc00
122,Pasture and forages,#ffcc33
140,Wheat,#a7b34d
147,Corn,#ffff99
158,Soybeans,#cc9933
220,Broadleaf,#99ff99
34,Urban and developed,#cc6699
"""
INVENTORY_CODES = np.array([147, 158, 140, 122, 110, 220, 34, 20], np.uint8)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEarthEngine]:
    with LocalEarthEngine([fixtures.FRANCE, fixtures.OVERLAP]) as running:
        assets = {
            "EU/LAND/V1": [
                asset("classification", UINT16, EULAND_CODES, year, shift=year == 2018)
                for year in (2018, 2022)
            ],
            "CA/INVENTORY": [
                asset("landcover", UINT8, INVENTORY_CODES, year) for year in range(2009, 2024)
            ],
        }
        running.catalogue.collections.update(assets)
        yield running


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package, into which the recipe is carried out; commands run from it."""
    copied = tmp_path / "src" / "sitsformer"
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("PYTHONPATH", str(copied.parent))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return copied


@pytest.fixture
def euland(package: Path) -> None:
    add(package, "euland", EULAND, EULAND_LEGEND)


def add(package: Path, name: str, module: str, legend: str) -> None:
    (package / "labels" / f"{name}.py").write_text(module)
    (package / "labels" / f"{name}.csv").write_text(legend)


def asset(band: str, kind: PixelType, codes: NDArray[Any], year: int, shift: bool = False) -> Image:
    """A map of 1/10,000 degree; with `shift` it says something else everywhere."""
    grid = Grid("EPSG:4326", (1e-4, 0.0, -180.0, 0.0, -1e-4, 90.0), 3_600_000, 1_800_000)

    def pixels(column: NDArray[np.int64], row: NDArray[np.int64]) -> Pixels:
        cover, _ = landscape.parcel(-180 + (column + 0.5) * 1e-4, 90 - (row + 0.5) * 1e-4)
        found = codes[(cover + shift) % len(codes)]
        return found, found > 0

    start = round(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000)
    properties = {"system:index": str(year), "system:time_start": start}
    return Image((raster(band, kind, grid, pixels),), properties, f"{band}/{year}")


def expected(area: Area, codes: NDArray[Any]) -> NDArray[Any]:
    """The pixels of a tile, by another road than the server's and the package's."""
    tile = only_tile(area)
    lon, lat = Transformer.from_crs(tile.epsg, 4326, always_xy=True).transform(
        *np.meshgrid(tile.x, tile.y)
    )
    lon = -180 + (np.floor((lon + 180) * 1e4) + 0.5) * 1e-4
    lat = 90 - (np.floor((90 - lat) * 1e4) + 0.5) * 1e-4
    return codes[landscape.parcel(lon, lat)[0]]


def config(server: LocalEarthEngine, folder: Path, place: Area, *labels: str) -> Path:
    """A config that asks for labels which the package of these tests may not know."""
    known = fixtures.config({"here": place}, fixtures.settings(server.url, Path("cache")))
    path = fixtures.write_config(folder / "config.yaml", known)
    asked = ", ".join(labels)
    text = path.read_text().replace("- worldcover", "\n".join(f"- {name}" for name in labels))
    text = text.replace("    label: worldcover", f"    label: {labels[0]}")
    assert "worldcover" not in text or "worldcover" in asked
    path.write_text(text.replace("\n- ", "\n    - "))
    return path


def export(path: Path, place: Area, folder: Path) -> tuple[int, str]:
    name, out = only_tile(place).name, folder / "cube.zarr"
    status, _, said = run("cube", "--config", path, "here", name, out, cwd=folder)
    return status, said


PLACE = in_place(fixtures.FRANCE, labels=("worldcover",))
IOWA = in_place(fixtures.OVERLAP, labels=("worldcover",))


def test_without_the_module_nobody_knows_the_product(
    server: LocalEarthEngine, package: Path, tmp_path: Path
) -> None:
    status, _, said = run("config", "check", config(server, tmp_path, PLACE, "euland"),
                          cwd=tmp_path)  # fmt: skip
    assert status == 3
    assert "unknown label 'euland'; this source has ['aci', 'cdl', 'dynamicworld'" in said


def test_codes_above_255_year_and_legend_reach_the_cube(
    server: LocalEarthEngine, euland: None, tmp_path: Path
) -> None:
    path = config(server, tmp_path, PLACE, "euland", "worldcover")
    before = len(server.sent())
    status, said = export(path, PLACE, tmp_path)
    assert status == 0, said
    found = cube.open_cube(tmp_path / "cube.zarr")
    assert found.euland.dtype == np.uint16
    np.testing.assert_array_equal(found.euland, expected(PLACE, EULAND_CODES))
    assert found.euland.max() > 255
    legend = cube.label_layers(found)["euland"]
    assert dict(zip(legend.codes, legend.names, strict=True))[300] == "Woodland and shrubland"
    # The season of 2021 is nearer to 2022 than to 2018.
    assert found.attrs["euland_year"] == 2022
    assert "EU/LAND/V1" in found.attrs["collections"]
    # The other layer keeps its type, and all labels come in one request.
    assert found.worldcover.dtype == np.uint8
    assert set(np.unique(found.worldcover)) <= {10, 30, 40, 50, 80}
    assert len(server.sent()) - before == 3


def test_every_command_knows_the_product(
    server: LocalEarthEngine, euland: None, tmp_path: Path
) -> None:
    path = config(server, tmp_path, PLACE, "euland")
    status, _, said = run("config", "check", path, cwd=tmp_path)
    assert status == 0, said
    status, out, said = run("plan", path, "--earthengine", cwd=tmp_path)
    assert status == 0, said
    assert "at most 4 requests" in out
    status, out, said = run("doctor", path, cwd=tmp_path)
    assert status == 0, said
    (line,) = [line for line in out.splitlines() if "EU/LAND" in line]
    assert line.startswith("ok")
    assert "European Commission, Joint Research Centre" in line
    status, out, said = run("view", path, tmp_path / "map.html", "--online", cwd=tmp_path)
    assert status == 0, said
    assert "euland" in (tmp_path / "map.html").read_text()


def test_classes_of_a_set_are_checked_against_the_legend(
    server: LocalEarthEngine, euland: None, tmp_path: Path
) -> None:
    path = config(server, tmp_path, PLACE, "euland")
    text = path.read_text().replace("    label: eul", "    classes: {rye: [214]}\n    label: eul")
    path.write_text(text)
    status, _, said = run("config", "check", path, cwd=tmp_path)
    assert status == 3
    assert "unknown label 214; the legend euland has 100, 211" in said


def test_outside_of_its_coverage_it_is_refused_before_anything_is_asked(
    server: LocalEarthEngine, euland: None, tmp_path: Path
) -> None:
    before = len(server.calls)
    status, said = export(config(server, tmp_path, IOWA, "euland"), IOWA, tmp_path)
    assert status == 3
    assert "lies outside EULAND, which covers the European Union only" in said
    assert "labels that cover the world are `worldcover`" in said
    assert len(server.calls) == before
    assert not (tmp_path / "cube.zarr").exists()


def test_a_legend_that_the_type_cannot_hold_is_refused(
    server: LocalEarthEngine, package: Path, tmp_path: Path
) -> None:
    narrow = EULAND.replace('    dtype="uint16",\n', "")
    add(package, "euland", narrow, EULAND_LEGEND)
    status, said = export(config(server, tmp_path, PLACE, "euland"), PLACE, tmp_path)
    assert status == 3
    assert "code 500 of its legend is above the largest of uint8; its record needs" in said


def test_years_that_the_record_does_not_name_are_asked_for(
    server: LocalEarthEngine, package: Path, tmp_path: Path
) -> None:
    add(package, "inventory", INVENTORY, INVENTORY_LEGEND)
    before = len(server.calls)
    status, said = export(config(server, tmp_path, IOWA, "inventory"), IOWA, tmp_path)
    assert status == 0, said
    found = cube.open_cube(tmp_path / "cube.zarr")
    np.testing.assert_array_equal(found.inventory, expected(IOWA, INVENTORY_CODES))
    assert found.inventory.dtype == np.uint8
    assert found.attrs["inventory_year"] == 2021
    asked = [call.path for call in server.calls[before:] if call.path.endswith("value:compute")]
    assert len(asked) == 1

    late = in_place(fixtures.OVERLAP, labels=("worldcover",), start=date(2025, 5, 1),
                    end=date(2025, 8, 1))  # fmt: skip
    status, said = export(config(server, tmp_path, late, "inventory"), late, tmp_path / "..")
    assert status == 3
    assert "CA/INVENTORY has no map for 2025" in said
    assert "it has 2009 to 2023: change the season, or take `inventory` out of" in said


def test_maps_that_are_single_images_by_year(
    server: LocalEarthEngine, package: Path, tmp_path: Path
) -> None:
    images = EULAND.replace(
        'collection="EU/LAND/V1"',
        'collection={2018: "EU/LAND/2018", 2022: "EU/LAND/2022"},\n    images=True',
    ).replace("    years=(2018, 2022),\n", "")
    add(package, "euland", images, EULAND_LEGEND)
    for image in server.catalogue.collections["EU/LAND/V1"]:
        year = image.properties["system:index"]
        server.catalogue.images[f"EU/LAND/{year}"] = image
    path = config(server, tmp_path, PLACE, "euland")
    status, said = export(path, PLACE, tmp_path)
    assert status == 0, said
    found = cube.open_cube(tmp_path / "cube.zarr")
    np.testing.assert_array_equal(found.euland, expected(PLACE, EULAND_CODES))
    assert found.attrs["euland_collection"] == "EU/LAND/2022"
    status, out, said = run("doctor", path, cwd=tmp_path)
    assert status == 0, said
    assert out.count("EU/LAND/20") == 2


def test_a_band_that_the_maps_lack_is_named(
    server: LocalEarthEngine, package: Path, tmp_path: Path
) -> None:
    add(
        package,
        "inventory",
        INVENTORY.replace('band="landcover"', 'band="crops"'),
        INVENTORY_LEGEND,
    )
    status, said = export(config(server, tmp_path, IOWA, "inventory"), IOWA, tmp_path)
    assert status == 3
    assert "has the bands ['landcover'] and no 'crops'" in said


def test_a_copied_record_that_kept_its_name_is_refused(
    server: LocalEarthEngine, package: Path, tmp_path: Path
) -> None:
    shutil.copy(package / "labels" / "cdl.py", package / "labels" / "acdl.py")
    shutil.copy(package / "labels" / "cdl.csv", package / "labels" / "acdl.csv")
    status, _, said = run("config", "check", config(server, tmp_path, IOWA, "cdl"), cwd=tmp_path)
    assert status == 3
    assert "two records of sitsformer.labels are called 'cdl', in sitsformer.labels.acdl" in said
    assert "Traceback" not in said
