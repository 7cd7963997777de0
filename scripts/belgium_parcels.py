"""Make the files of config/examples/belgium.yaml from a raster of parcels.

    python scripts/belgium_parcels.py labels_landcover_croptype.tif OUT_FOLDER

`parcels.gpkg` holds the fields, connected pixels of one crop, `LEAST` or more: the survey that the
crops are learned from. `splits.gpkg` gives whole fields to the splits, the largest of each crop to
train, the next to test and to validation in turn, and all other ground to train: pretraining sees
no field of the test.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import geopandas
import numpy as np
import rasterio
from rasterio.features import shapes
from shapely.geometry import shape
from shapely.ops import unary_union

BAND = 2
"""Of the crops; 0 is none."""

LEAST = 6
"""Pixels of a field."""

TURNS = ("train", "test", "validation")


def fields(codes: np.ndarray, transform: rasterio.Affine) -> Iterator[dict[str, object]]:
    """Connected pixels of one code: its outline, code, size and split."""
    size = abs(transform.a * transform.e)
    found = [
        {"geometry": shape(outline), "code": int(code)}
        for outline, code in shapes(codes.astype(np.int32), codes > 0, transform=transform)
    ]
    turns: dict[int, int] = {}
    for field in sorted(found, key=lambda one: -one["geometry"].area):
        pixels = round(field["geometry"].area / size)
        if pixels >= LEAST:
            turn = turns.get(field["code"], 0)
            turns[field["code"]] = turn + 1
            yield {**field, "pixels": pixels, "split": TURNS[turn % len(TURNS)]}


def main(source: Path, folder: Path) -> None:
    """Write both files."""
    with rasterio.open(source) as opened:
        codes, transform, crs = opened.read(BAND), opened.transform, opened.crs
        west, south, east, north = opened.bounds
    parcels = geopandas.GeoDataFrame(list(fields(codes, transform)), crs=crs)
    if parcels.empty:
        raise SystemExit(f"{source}: band {BAND} has no field of {LEAST} pixels or more")
    parcels["field"] = np.arange(len(parcels))
    whole = shape(
        {
            "type": "Polygon",
            "coordinates": [[(west, south), (east, south), (east, north), (west, north)]],
        }
    )
    rest = whole.difference(unary_union(parcels.geometry))
    folder.mkdir(parents=True, exist_ok=True)
    parcels.drop(columns="split").to_file(folder / "parcels.gpkg")
    own = {"geometry": [*parcels.geometry, rest], "split": [*parcels.split, "train"]}
    geopandas.GeoDataFrame(own, crs=crs).to_file(folder / "splits.gpkg")
    print(parcels.groupby(["code", "split"]).pixels.agg(["count", "sum"]).to_string())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
