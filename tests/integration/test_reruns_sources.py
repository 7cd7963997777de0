"""What runs again after a changed key of files, catalogues, surveys and embeddings of the user.

The demo with all of these in the place of its own sources: with the table of `test_reruns.py` every
key of the config is there. And what runs again after a change of one of these files.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
from affine import Affine
from dryruns import ROOT, DryRuns
from reruns import (
    CROPS,
    LANDCOVER,
    MAPPED,
    PLAINS,
    REFUSED,
    RIVER,
    TABLES,
    Jobs,
    changed,
    demo,
    under,
)
from reruns import KEYS as DEMO_KEYS
from shapely import box

from raster_files import write

pytestmark = pytest.mark.long

CLOUDS: dict[str, tuple[Any, bool]] = {
    "band": ("clear", True),
    "scl_clear": ([4, 5], False),
    "bits": ([1], False),
    "mask_clear": ([3], False),
    "probability_max": (30.0, True),
    "blue_max": (0.5, False),
    "swir_min": (0.1, False),
}
"""Keys of clouds that are found by a probability, and whether they decide anything then."""


def clouds(made: Jobs) -> dict[str, tuple[Any, Jobs | str]]:
    keys = {key: (value, made if decides else {}) for key, (value, decides) in CLOUDS.items()}
    return {"by": ("mask", made), **keys}


def label_raster(made: Jobs) -> dict[str, tuple[Any, Jobs | str]]:
    return {
        "path": ("other.tif", made),
        "band": (2, made),
        "legend": ("other.csv", made),
        "nodata": (7, made),
    }


def survey(name: str, made: Jobs, kind: str) -> dict[str, tuple[Any, Jobs | str]]:
    """Keys of a survey; those of the other kind are refused."""
    points = kind == "points"
    only_polygons = REFUSED if points else made
    return under(
        f"labels.{name}",
        {
            "kind": ("polygons" if points else "points", REFUSED),
            "path": ("other_visits.csv" if points else "other.gpkg", made),
            "layer": ("second", {} if points else made),
            "column": ("farm", made),
            "legend": ("fields.csv", made),
            "date": ("day", made),
            "weight": ("weight", made),
            "group": ("farm", made),
            "crs": ("EPSG:4269", made if points else REFUSED),
            "lon": ("east", made if points else {}),
            "lat": ("north", made if points else {}),
            "erode": (0.0, only_polygons),
            "per_polygon": (3, only_polygons),
            "min_samples": (1, made),
            "seed": (1, made),
        },
    )


VISITS = {"patches": 3, "merge": 1, "report": 1}
"""Jobs of a set that nobody learns from."""
FIELDS = {"patches": 3, **CROPS, "embedded_samples": 1, "embedded_baseline": 2}
EMBEDDED = {"embedded_tile": 3, "embedded_samples": 1, "embedded_baseline": 2, **TABLES}
FILES = "areas.plains_2021.rasters"
CATALOGUE = "areas.river_2020.stac"

KEYS: dict[str, tuple[Any, Jobs | str]] = {
    **under(
        FILES,
        {
            "path": ("elsewhere", PLAINS),
            "pattern": ("S2_*.tif", PLAINS),
            "date_pattern": ("S2_(?P<date>[0-9]{8})", PLAINS),
            "date_format": ("%Y%m%d", PLAINS),
            "bands": (["B02", "B03"], PLAINS),
            "scale": (0.001, PLAINS),
            "offset": (-0.1, PLAINS),
            "nodata": (9.0, PLAINS),
            "on_broken": ("skip", PLAINS),
        },
    ),
    **under(f"{FILES}.clouds", clouds(PLAINS)),
    **under(f"{FILES}.labels.cover", label_raster(PLAINS)),
    **under(
        CATALOGUE,
        {
            "url": ("https://example.org/other", RIVER),
            "collection": ("other", RIVER),
            "sign": ("planetary_computer", {}),
            "max_cloud": (50.0, RIVER),
            "exclude": (["one"], RIVER),
            "assets": ({"B05": "red_edge_1"}, RIVER),
            "scale": (0.001, RIVER),
            "offset": (-0.1, RIVER),
            "nodata": (9.0, RIVER),
            "on_broken": ("skip", RIVER),
            "cache": ("elsewhere", {}),
            "concurrent": (2, {}),
            "attempts": (2, {}),
            "timeout": (1.0, {}),
        },
    ),
    **under(f"{CATALOGUE}.clouds", clouds(RIVER)),
    **under(f"{CATALOGUE}.labels.cover", label_raster(RIVER)),
    **survey("fields", FIELDS, "polygons"),
    **survey("visits", VISITS, "points"),
    "embeddings.mine.rasters": ({"county_2021": "other.tif"}, EMBEDDED),
    "embeddings.mine.learners": (
        ["logistic_regression", "nearest_neighbour"],
        {"embedded_baseline": 2, **TABLES},
    ),
    **under(
        "maps.mask",
        {
            "path": ("other.tif", {**MAPPED, "report": 1}),
            "band": (2, {**MAPPED, "report": 1}),
            "values": ([1], {**MAPPED, "report": 1}),
        },
    ),
    "maps.parcels": ("other_parcels.shp", {"mosaic": 1, "report": 1}),
}  # fmt: skip
"""As in `test_reruns.py`."""

COVER = {"cube": 4, "patches": 4, **LANDCOVER}
FILES_OF_THE_USER: dict[str, Jobs] = {
    "images/S2_20210801.tif": PLAINS,
    "cover.tif": COVER,
    "cover.csv": COVER,
    "fields.gpkg": FIELDS,
    "visits.csv": VISITS,
    "visits_legend.csv": VISITS,
    "mine.tif": EMBEDDED,
    "mask.tif": {**MAPPED, "report": 1},
    "parcels.shp": {"mosaic": 1, "report": 1},
    "parcels.dbf": {"mosaic": 1, "report": 1},
}
"""File -> the jobs that a change of it makes."""


@pytest.fixture(scope="module")
def others(dry: DryRuns, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder in which the demo was made out of files of the user, and what made it."""
    folder = tmp_path_factory.mktemp("others")
    west, south, east, north = demo()["areas"]["county_2021"]["bounds"]
    for name in ("images", "elsewhere"):
        (folder / name).mkdir()
        (folder / name / "S2_20210801.tif").write_text("pixels")
    for name in ("cover.tif", "other.tif", "mask.tif", "mine.tif"):
        grid = Affine(0.001, 0, west - 0.01, 0, -0.001, north + 0.01)
        ones = np.ones((2, 80, 80), np.uint8)
        write(folder / name, ones, transform=grid, crs="EPSG:4326", names=None)
    for name in ("cover.csv", "other.csv", "fields.csv", "visits_legend.csv"):
        (folder / name).write_text("code,name,colour\n1,maize,#ffcc00\n2,wheat,#aa8800\n")
    columns = {"crop": [1, 2], "farm": [1, 2], "day": ["2021-06-01"] * 2, "weight": [1.0, 2.0]}
    halves = [box(west, south, west + 0.03, north), box(west + 0.03, south, east, north)]
    frame = geopandas.GeoDataFrame(columns, geometry=halves, crs=4326)
    for name in ("fields.gpkg", "other.gpkg"):
        for layer in ("first", "second"):
            frame.to_file(folder / name, layer=layer)
    for name in ("parcels.shp", "other_parcels.shp"):
        frame[["crop", "geometry"]].to_file(folder / name)
    places = [(west + x * 0.001, south + y * 0.001) for x in range(60) for y in range(45)]
    table = pd.DataFrame(places, columns=["lon", "lat"])
    table = table.assign(crop=1, farm=2, day="2021-06-01", weight=1.0, east=table["lon"])
    table = table.assign(north=table["lat"])
    for name in ("visits.csv", "other_visits.csv"):
        table.to_csv(folder / name, index=False)
    values = changed(
        demo(),
        {
            "areas.river_2020.source": "stac",
            "areas.river_2020.labels": ["cover"],
            CATALOGUE: {
                "url": "https://example.org",
                "collection": "one",
                "clouds": {"by": "probability", "band": "cloudy"},
                "labels": {"cover": {"path": "cover.tif", "legend": "cover.csv"}},
            },
            "areas.plains_2021.source": "rasters",
            "areas.plains_2021.labels": ["cover"],
            FILES: {
                "path": "images",
                "clouds": {"by": "probability", "band": "cloudy"},
                "labels": {"cover": {"path": "cover.tif", "legend": "cover.csv"}},
            },
            "labels.fields": {
                "kind": "polygons", "path": "fields.gpkg", "layer": "first", "column": "crop",
            },
            "labels.visits": {
                "kind": "points", "path": "visits.csv", "column": "crop",
                "legend": "visits_legend.csv",
            },
            "sets.landcover.label": "cover",
            "sets.crops.label": "fields",
            "sets.visits": {"areas": ["county_2021"], "label": "visits"},
            "embeddings.mine": {
                "rasters": {"county_2021": "mine.tif"}, "learners": ["logistic_regression"],
            },
            "maps.mask": {"path": "mask.tif"},
            "maps.parcels": "parcels.shp",
        },
    )  # fmt: skip
    dry.pretend(folder, values)
    return folder, values


def test_every_key_of_the_config_is_in_one_of_the_tables() -> None:
    text = (ROOT / "config" / "README.md").read_text()
    known = set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))
    named = {
        re.sub(r"^(areas|sets|embeddings|labels)\.\w+\.", r"\1.<name>.", key)
        for key in (*DEMO_KEYS, *KEYS)
    }
    named = {re.sub(r"(rasters|stac)\.labels\.\w+\.", r"\1.labels.<name>.", key) for key in named}
    # Sections whose keys have names of the user's.
    named |= {"maps.tiles"} if "maps.tiles.county_2021" in named else set()
    assert known - named == set()


@pytest.mark.parametrize("key", KEYS)
def test_a_changed_key_runs_again_what_depends_on_it_and_nothing_else(
    dry: DryRuns, others: tuple[Path, dict[str, Any]], key: str
) -> None:
    folder, values = others
    value, expected = KEYS[key]
    found = dry.jobs(folder, changed(values, {key: value}))
    if expected == REFUSED:
        assert isinstance(found, str), found
        assert "cannot be used" in found
    else:
        assert found == expected


def test_touched_files_run_nothing_again(dry: DryRuns, others: tuple[Path, dict[str, Any]]) -> None:
    folder, values = others
    for name in FILES_OF_THE_USER:
        (folder / name).write_bytes((folder / name).read_bytes())
    assert dry.jobs(folder, values) == {}


@pytest.mark.parametrize("name", FILES_OF_THE_USER)
def test_a_changed_file_runs_again_what_is_made_of_it(
    dry: DryRuns, others: tuple[Path, dict[str, Any]], name: str
) -> None:
    folder, values = others
    path = folder / name
    before, times = path.read_bytes(), path.stat()
    try:
        path.write_bytes(before + b"\n")
        assert dry.jobs(folder, values) == FILES_OF_THE_USER[name]
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
