"""Embeddings of others over a mapped tile, and maps that are drawn from nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from sitsformer.cube import open_cube, tile_of
from sitsformer.embedded import store
from sitsformer.errors import SitsError
from sitsformer.maps.tile import NO_DATES, UNKNOWN, CropMap, Predict, Vectors, scored
from sitsformer.progress import Progress


def vectors_of(path: Path, cube_path: Path, axes: tuple[str, ...]) -> Vectors:
    """The embeddings of the pixels of a tile.

    Args:
        path: of the layer over the tile.
        cube_path: cube of the tile.
        axes: that the model learned from.

    Raises:
        SitsError: they are damaged, of another tile, or have other axes.
    """
    item, tile = store.open_store(path, store.TILE_KIND), tile_of(open_cube(cube_path))
    there = (item.rio.crs.to_epsg(), item.x.values.tolist(), item.y.values.tolist())
    if there != (tile.epsg, tile.x.tolist(), tile.y.tolist()):
        raise SitsError(
            f"{path} does not lie where {cube_path} does: give the embeddings of the mapped tile"
        )
    found = tuple(str(axis) for axis in item.axis.values)
    if found != axes:
        raise SitsError(
            f"{path} has {len(found)} axes ({', '.join(found[:3])} ...), and the model learned "
            f"from {len(axes)} ({', '.join(axes[:3])} ...): give embeddings of the same product"
        )
    # Axes last: a pixel's embedding is then one piece of memory.
    values = np.ascontiguousarray(np.moveaxis(store.part(item, path), 0, -1))
    return lambda row, column: store.decoded(values[row, column].T, item.attrs).T


def predict(
    cube_path: Path,
    model: Predict,
    vectors: Vectors,
    batch_size: int,
    *,
    inside: Callable[[xr.Dataset], npt.NDArray[np.bool_]] | None = None,
    probabilities: int = 0,
) -> CropMap:
    """Predict every pixel of a tile from its embedding alone; one without has no class.

    No date is looked at: clouds leave no gap, and the map reaches to the edge of the tile.

    Args:
        cube_path: cube of the tile.
        model: raw samples, which are not looked at, and embeddings -> probabilities.
        vectors: of its pixels.
        batch_size: pixels predicted at once.
        inside: of the cube, which pixels (y, x) are to be mapped; default: all.
        probabilities: number of classes, whose probabilities are then kept too; 0: they are not.
    """
    cube = open_cube(cube_path)
    size = tile_of(cube).size
    classes, confidence = np.zeros((size, size), np.uint16), np.zeros((size, size), np.uint8)
    margin, dates = np.full((size, size), UNKNOWN, np.uint8), np.full((size, size), NO_DATES)
    kept = np.full((probabilities, size, size), np.nan, np.float16)
    rows, columns = np.nonzero(np.ones((size, size), bool) if inside is None else inside(cube))
    with Progress(total=len(rows), unit="px", desc="map") as bar:
        for start in range(0, len(rows), batch_size):
            part = slice(start, start + batch_size)
            bar.update(len(rows[part]))
            values = vectors(rows[part], columns[part])
            known = np.isfinite(values).all(1)
            if not known.any():
                continue
            place = rows[part][known], columns[part][known]
            nothing = np.zeros((int(known.sum()), 0), np.uint16)
            found = model(nothing, nothing, values[known])
            classes[place], confidence[place], margin[place] = scored(found)
            if probabilities:
                kept[(slice(None), *place)] = found.T
    layers = {"probabilities": kept} if probabilities else {}
    return CropMap(classes, confidence, margin, dates.astype(np.uint16), **layers)
