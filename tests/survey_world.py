"""200 points and 60 polygons over the embedded landscape, as people's files have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
from shapely.affinity import translate
from shapely.geometry import Point, box

from sitsformer.config import Survey, parse
from sitsformer.config.areas import Area
from sitsformer.grid import tiles
from sitsformer.surveys.placing import place
from sitsformer.surveys.reading import read

AREA: dict[str, Any] = {
    "source": "synthetic",
    "bounds": [-94.900, 43.100, -94.884, 43.110],
    "start": "2021-03-01",
    "end": "2021-10-31",
    "labels": ["worldcover"],
    "tiles": {"size": 60},
}
CROPS = ("Maize", "Soya", "Winter wheat", "Alfalfa")
RARE = ("Flax", "Hops", "Quince")
SEA = (-30.0, 40.0)


def area_tiles(area: dict[str, Any] | None = None):
    return tiles("county", Area.model_validate(area or AREA))


def points() -> geopandas.GeoDataFrame:
    """200 points in UTM 15 N: in pixels of tiles but for the last ten, which tell of mistakes.

    188 in distinct pixels, of which three each are of RARE; two again in the pixel of another
    (one of its class, one of another class), one in the sea, one without a class, two without
    coordinates, two of another year, two of weight 0, two outside of the tiles but near.
    """
    rng = np.random.default_rng(5)
    around = area_tiles()
    west = min(tile.bounds[0] for tile in around)
    south = min(tile.bounds[1] for tile in around)
    east = max(tile.bounds[2] for tile in around)
    north = max(tile.bounds[3] for tile in around)
    columns, rows = (east - west) // 10, (north - south) // 10
    pixel = rng.choice(columns * rows, 188, replace=False)
    x = west + 10 * (pixel % columns) + rng.uniform(0.5, 9.5, 188)
    y = south + 10 * (pixel // columns) + rng.uniform(0.5, 9.5, 188)
    names = [CROPS[k % 4] for k in range(179)] + [RARE[k % 3] for k in range(9)]
    frame = pd.DataFrame({"crop": names, "year": 2021, "sure": 1.0, "farm": ""})
    shapes = [Point(*place) for place in zip(x, y, strict=True)]
    sea = geopandas.GeoSeries([Point(*SEA)], crs=4326).to_crs(around[0].epsg)[0]
    extra = [
        ("Maize", 2021, 1.0, translate(shapes[0], 0.1, 0.1)),  # again
        (CROPS[2], 2021, 1.0, shapes[1]),  # in conflict with the second one
        ("Maize", 2021, 1.0, sea),
        (None, 2021, 1.0, Point(west + 205, south + 205)),
        ("Maize", 2021, 1.0, None),
        ("Maize", 2021, 1.0, Point()),
        ("Maize", 2019, 1.0, Point(west + 215, south + 215)),
        ("Soya", 2019, 1.0, Point(west + 225, south + 225)),
        ("Soya", 2021, 0.0, Point(west + 235, south + 235)),
        ("Soya", 2021, 0.0, Point(west + 245, south + 245)),
        ("Soya", 2021, 1.0, Point(west - 50, south + 300)),
        ("Soya", 2021, 1.0, Point(east + 50, south + 300)),
    ]
    frame = pd.concat(
        [
            frame,
            pd.DataFrame([{"crop": c, "year": y, "sure": w, "farm": ""} for c, y, w, _ in extra]),
        ],
        ignore_index=True,
    )
    frame.loc[:39, "farm"] = [f"farm {k // 4}" for k in range(40)]
    shapes += [shape for *_, shape in extra]
    return geopandas.GeoDataFrame(frame, geometry=shapes, crs=around[0].epsg)


def polygons() -> geopandas.GeoDataFrame:
    """60 fields of 60 x 60 m on a lattice of 100 m, one of them in two tiles, two overlapping.

    Codes of crops, of which three (91, 92, 93) have a field each.
    """
    around = area_tiles()
    west = min(tile.bounds[0] for tile in around)
    north = max(tile.bounds[3] for tile in around)
    shapes, codes = [], []
    for k in range(57):
        left, top = west + 25 + 100 * (k % 10), north - 25 - 100 * (k // 10)
        shapes.append(box(left, top - 60, left + 60, top))
        codes.append(91 + k if k < 3 else (1, 5, 24)[k % 3])
    side = around[0].size * 10
    shapes.append(box(west + side - 45, north - 700, west + side + 45, north - 640))  # two tiles
    codes.append(1)
    shapes.append(translate(shapes[10], 20, 0))  # overlaps one of another class
    codes.append(36)
    shapes.append(box(west + 700, north - 704, west + 704, north - 700))  # too small
    codes.append(5)
    assert len(shapes) == 60
    return geopandas.GeoDataFrame({"code": codes}, geometry=shapes, crs=around[0].epsg)


def survey_config(labels: dict[str, Any], sets: dict[str, Any], **sections: Any) -> dict[str, Any]:
    """A config with the area `county` and the sets given, each over `county`."""
    return {
        "areas": {"county": AREA},
        "labels": labels,
        "sets": {name: {"areas": ["county"]} | chosen for name, chosen in sets.items()},
        "patches": {"size": 3, "max_length": 16, "min_dates": 4},
        "pretrain": {"set": next(iter(sets))},
        "fewshot": {"set": next(iter(sets)), "inits": ["none"]},
    } | sections


def parsed(path: Path, **survey: Any):
    """A config with the set `crops`, of one survey."""
    labels = {"survey": {"kind": "points", "path": str(path), "column": "crop"} | survey}
    return parse(survey_config(labels, {"crops": {"label": "survey"}}))


TILE = area_tiles()[0]


def placed(path, tile=TILE, size=1, block=None, **survey):
    given = {"kind": "points", "path": str(path), "column": "crop"} | survey
    found = read("survey", Survey(**given))
    area = Area.model_validate(AREA)
    return found, place(found, area, area_tiles(), tile, size=size, block=block)


def at(column, row, dx=5.0, dy=5.0):
    """A point in a pixel of TILE, metres from its upper left corner."""
    return Point(TILE.west + 10 * column + dx, TILE.north - 10 * row - dy)


def save(path, shapes, **columns):
    frame = geopandas.GeoDataFrame(columns, geometry=shapes, crs=TILE.epsg)
    frame.to_file(path)
    return path
