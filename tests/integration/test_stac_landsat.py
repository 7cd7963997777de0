"""A Landsat-like series listed in a catalogue gives the cube that its files give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.warp import transform_geom
from shapely.geometry import box, mapping

from landsat_world import write_scenes
from sitsformer.config import Area
from sitsformer.grid import tiles
from sitsformer.imagery.rasters.source import RasterSource
from sitsformer.imagery.stac.source import StacSource
from sitsformer.sensors import sensors

LANDSAT = sensors()["landsat"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Scenes of one tile, and a file of items that list them as the Planetary Computer does."""
    area = made(tmp_path)
    (tile,) = tiles("farm", area)
    write_scenes(tmp_path / "scenes", area, [tile], "farm")
    outline = transform_geom(f"EPSG:{tile.epsg}", "EPSG:4326", mapping(box(*tile.bounds)))
    items = []
    for quality in sorted((tmp_path / "scenes").glob("*_QA_PIXEL.TIF")):
        name = quality.name.removesuffix("_QA_PIXEL.TIF")
        day = name.split("_")[3]
        assets: dict[str, Any] = {"qa_pixel": {"href": str(quality), "roles": ["cloud"]}}
        for number, band in enumerate(LANDSAT.bands, start=2):
            assets[band.common] = {
                "href": str(quality.with_name(f"{name}_SR_B{number}.TIF")),
                "roles": ["data"],
                "eo:bands": [{"name": f"OLI_B{number}", "common_name": band.common}],
                "raster:bands": [{"nodata": 0, "scale": 2.75e-5, "offset": -0.2}],
            }
        items.append(
            {
                "type": "Feature",
                "stac_version": "1.0.0",
                "id": name,
                "geometry": outline,
                "bbox": list(box(*tile.bounds).bounds),
                "properties": {
                    "datetime": f"{day[:4]}-{day[4:6]}-{day[6:]}T00:00:00Z",
                    "platform": "landsat-8",
                },
                "links": [],
                "assets": assets,
            }
        )
    listed = {"type": "FeatureCollection", "features": items}
    (tmp_path / "items.json").write_text(json.dumps(listed))
    return tmp_path


def made(folder: Path, source: str = "rasters") -> Area:
    """The area, of scenes in a folder or of a catalogue."""
    section: dict[str, Any] = {
        "clouds": {"by": "bits"},
        "labels": {"cdl": {"path": str(folder / "scenes_cdl_0.tif"), "legend": "cdl"}},
    }
    if source == "rasters":
        section |= {"path": str(folder / "scenes"), "pattern": "*.TIF"}
    else:
        section |= {"url": str(folder / "items.json"), "cache": str(folder / "cache")}
    return Area.model_validate(
        {
            "source": source,
            "sensor": "landsat",
            "bounds": (-94.001, 43.0, -93.999, 43.002),
            "start": "2021-05-01",
            "end": "2021-06-30",
            "tiles": {"size": 20, "count": 1},
            "labels": ["cdl"],
            source: section,
        }
    )


def test_a_catalogue_gives_the_cube_that_the_files_give(files: Path) -> None:
    (tile,) = tiles("farm", made(files))
    assert tiles("farm", made(files, "stac")) == [tile]
    found = StacSource().cube("farm", made(files, "stac"), tile).compute()
    expected = RasterSource().cube("farm", made(files), tile).compute()
    assert found.attrs["sensor"] == "landsat" and found.sizes["time"] > 4
    assert 0 < int((expected.clear == 100).sum()) < expected.clear.size
    for name in ("time", "band", "reflectance", "clear", "cdl"):
        np.testing.assert_array_equal(found[name], expected[name])
