"""The mask and the parcels of the maps, looked at before the first job."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import rasterio
from shapely.geometry import LineString, box

import made_run
from sitsformer.checks.problems import problems
from sitsformer.config import parse

WEST, SOUTH, EAST, NORTH = made_run.CONFIG["areas"]["county"]["bounds"]


def found(**maps: Any) -> list[str]:
    """What a config with such maps of the area is told."""
    return problems(parse({**made_run.CONFIG, "maps": {"tiles": {"county": 1}, **maps}}))


def raster(path: Path, bounds: tuple[float, ...], crs: object = 4326) -> Path:
    transform = rasterio.transform.from_bounds(*bounds, 40, 40)
    with rasterio.open(
        path, "w", driver="GTiff", width=40, height=40, count=1, dtype="uint8", crs=crs,
        transform=transform,
    ) as target:  # fmt: skip
        target.write(np.ones((40, 40), np.uint8), 1)
    return path


def parcels(path: Path, shape: Any, crs: object = 4326, **columns: object) -> Path:
    geopandas.GeoDataFrame({"farm": ["a"], **columns}, geometry=[shape], crs=crs).to_file(path)
    return path


def test_a_mask_that_fits_and_what_does_not(tmp_path: Path) -> None:
    world = raster(tmp_path / "world.tif", (-180, -90, 180, 90))
    county = raster(tmp_path / "county.tif", (WEST - 1, SOUTH - 1, EAST + 1, NORTH + 1))
    assert found(mask={"path": str(world)}) == found(mask={"path": str(county)}) == []
    far = raster(tmp_path / "far.tif", (100, 10, 101, 11))
    nowhere = raster(tmp_path / "nowhere.tif", (WEST, SOUTH, EAST, NORTH), None)
    (tmp_path / "text.tif").write_text("a mask")
    told = {
        "maps.mask.path: .* does not reach tile 32632_.* of county": {"path": str(far)},
        "maps.mask.path: .* has no coordinate system": {"path": str(nowhere)},
        "maps.mask.path: .* cannot be read as a raster": {"path": str(tmp_path / "text.tif")},
        "maps.mask.band: .* has 1 bands, not 2": {"path": str(county), "band": 2},
    }
    for message, mask in told.items():
        (problem,) = found(mask=mask)
        assert re.match(message, problem)


def test_parcels_that_fit_and_what_does_not(tmp_path: Path) -> None:
    field = box(WEST, SOUTH, EAST, NORTH)
    for name in ("p.gpkg", "p.geojson", "p.shp"):
        assert found(parcels=str(parcels(tmp_path / name, field))) == []
    projected = geopandas.GeoSeries([field], crs=4326).to_crs(3035)[0]
    assert found(parcels=str(parcels(tmp_path / "laea.gpkg", projected, 3035))) == []
    (tmp_path / "text.gpkg").write_text("parcels")
    told = {
        "lies elsewhere than all mapped tiles: 100 to 101 and 10 to 11 in WGS 84": parcels(
            tmp_path / "far.gpkg", box(100, 10, 101, 11)
        ),
        "has no coordinate reference system": parcels(tmp_path / "none.shp", field, None),
        "shapes of the type LineString; give polygons": parcels(
            tmp_path / "line.gpkg", LineString([(WEST, SOUTH), (EAST, NORTH)])
        ),
        "has the columns map_class already": parcels(
            tmp_path / "mapped.gpkg", field, map_class=["maize"]
        ),
        "cannot be read": tmp_path / "text.gpkg",
    }
    for message, path in told.items():
        (problem,) = found(parcels=str(path))
        assert problem.startswith("maps.parcels: ") and message in problem
