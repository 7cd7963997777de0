"""Files listed by the program of docs/stac.md give the cubes and samples of `source: rasters`.

Made-up files always; the real series of Belgium where SITSFORMER_BELGIUM names its folder.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

import raster_files
from sitsformer import cube
from sitsformer.config import Config, parse
from sitsformer.export import export
from sitsformer.grid import Tile, tiles
from sitsformer.imagery.stac.source import StacSource
from sitsformer.patches import make_tile_store
from sitsformer.patches.merge import merge

ROOT = Path(__file__).parents[2]

OUTCOMES = {"kept": 135, "duplicate": 44, "cloud": 20, "rare": 11, "edge": 7, "outside": 1}
"""Of 218 points drawn in the parcels of Belgium."""


def listed(folder: Path, out: Path) -> list[dict[str, Any]]:
    """The items that the program of the page makes of a folder, written to `out`."""
    page = (ROOT / "docs" / "stac.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    subprocess.run([sys.executable, "-c", program, str(folder), str(out)], check=True)
    items: list[dict[str, Any]] = json.loads(out.read_text())["features"]
    return items


def test_files_listed_by_the_program_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    for number, day in enumerate(raster_files.DAYS):
        image = raster_files.image(number)
        raster_files.write(tmp_path / "files" / f"S2_{day}T105021.tif", image)
    items = listed(tmp_path / "files", tmp_path / "items.json")
    assert [item["id"] for item in items] == [f"S2_{day}T105021" for day in raster_files.DAYS]
    files = raster_files.area(tmp_path / "files", clouds={"by": "simple"})
    section = {"url": str(tmp_path / "items.json"), "clouds": {"by": "simple"}}
    changes = {"source": "stac", "rasters": None, "stac": section}
    area = type(files).model_validate(files.model_dump() | changes)
    found = StacSource().cube("farm", area, raster_files.TILE).compute()
    expected = raster_files.build(tmp_path / "files", clouds={"by": "simple"})
    assert found.drop_attrs().identical(expected.drop_attrs())


def catalogue(items: list[dict[str, Any]], folder: Path) -> Path:
    """A static catalogue of items, a file each."""
    folder.mkdir()
    for item in items:
        (folder / f"{item['id']}.json").write_text(json.dumps(item))
    root = {
        "type": "Catalog",
        "stac_version": "1.1.0",
        "id": "belgium",
        "description": "Flanders",
        "links": [{"rel": "item", "href": f"./{item['id']}.json"} for item in items],
    }
    path = folder / "catalog.json"
    path.write_text(json.dumps(root))
    return path


def samples(config: Config, tile: Tile, folder: Path) -> dict[str, xr.Dataset]:
    """The sets of a config, from cube to store; and the cube."""
    export(config, tile.area, tile.name, folder / "cube.zarr")
    found = {"cube": cube.open_cube(folder / "cube.zarr").drop_attrs()}
    for name in config.sets:
        part, out = folder / f"{name}-tile.zarr", folder / f"{name}.zarr"
        make_tile_store(config, name, tile.area, tile.name, folder / "cube.zarr", part)
        merge(config, name, out, [part])
        found[name] = xr.open_zarr(out, decode_coords="all", mask_and_scale=False).drop_attrs()
    return found


def points(folder: Path, out: Path) -> int:
    """Twelve points drawn in each parcel of the series, as a table in Belgian coordinates.

    One more lies in the sea, and the first stands twice.

    Returns:
        Number of points.
    """
    labels = folder / "labels_landcover_croptype.tif"
    subprocess.run(
        [sys.executable, ROOT / "scripts" / "belgium_parcels.py", labels, out], check=True
    )
    parcels = geopandas.read_file(out / "parcels.gpkg").to_crs(31370)
    drawn = parcels.set_geometry(parcels.sample_points(12, rng=1)).explode(index_parts=False)
    table = pd.DataFrame(
        {"x": drawn.geometry.x, "y": drawn.geometry.y, "crop": drawn.code, "field": drawn.field}
    )
    sea = pd.DataFrame({"x": [20_000.0], "y": [240_000.0], "crop": [1200], "field": [-1]})
    table = pd.concat([table, table.iloc[:1], sea])
    table.to_csv(out / "points.csv", sep=";", decimal=",", index=False)
    return len(table)


@pytest.mark.shared_data
@pytest.mark.skipif(
    "SITSFORMER_BELGIUM" not in os.environ,
    reason="set SITSFORMER_BELGIUM to the folder of the Belgian series",
)
def test_real_files_give_equal_cubes_and_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(os.environ["SITSFORMER_BELGIUM"]).absolute()
    items = listed(folder, tmp_path / "items.json")
    url = catalogue(items, tmp_path / "catalogue")
    drawn = points(folder, tmp_path / "made")
    monkeypatch.chdir(ROOT)  # paths of the example are relative to the checkout
    values = yaml.safe_load((ROOT / "config/examples/rasters.yaml").read_text())
    values["labels"] = {
        "visits": {
            "kind": "points", "path": str(tmp_path / "made" / "points.csv"), "column": "crop",
            "group": "field", "crs": "EPSG:31370", "legend": "config/examples/belgium/croptype.csv",
        }
    }  # fmt: skip
    values["sets"]["visits"] = {
        "areas": ["belgium_2018"], "label": "visits", "split": {"by": "group"}
    }  # fmt: skip
    config = parse(values)
    area = values["areas"]["belgium_2018"]
    rasters = area.pop("rasters")
    area["source"] = "stac"
    area["stac"] = {"url": str(url), "clouds": rasters["clouds"], "labels": rasters["labels"]}
    (tile,) = tiles("belgium_2018", config.areas["belgium_2018"])
    for name in ("rasters", "stac"):
        (tmp_path / name).mkdir()
    expected = samples(config, tile, tmp_path / "rasters")
    found = samples(parse(values), tile, tmp_path / "stac")
    assert found["crops"].sizes["sample"] > 1000
    assert set(found) == {"cube", "landcover", "crops", "visits"}
    for name, dataset in expected.items():
        assert found[name].sizes == dataset.sizes
        for key, variable in dataset.variables.items():
            np.testing.assert_array_equal(found[name][key].values, variable.values, f"{name} {key}")
    account, same = (
        pd.read_csv(tmp_path / name / "visits.zarr" / "features.csv")
        for name in ("stac", "rasters")
    )
    pd.testing.assert_frame_equal(account, same)
    assert len(account) == drawn
    assert account.outcome.value_counts().to_dict() == OUTCOMES
    assert found["visits"].sizes["sample"] == account.samples.sum() == OUTCOMES["kept"]
