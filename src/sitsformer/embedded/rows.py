"""The stage that takes the embeddings of a set's samples out of the tiles of a layer."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sitsformer import samples
from sitsformer.embedded import store
from sitsformer.errors import SitsError

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger("sitsformer")

COMMON = (
    *("layer", "title", "collection", "divisor", "power", "license", "attribution", "references"),
)
"""What the tiles of a layer have in common, and the samples keep."""


def gather(layer: str, set_path: Path, tiles: Sequence[Path], out: Path) -> int:
    """Write the embedding of the labelled pixel of every sample of a set, in the set's order.

    Args:
        layer: name, for messages.
        set_path: the sample store.
        tiles: embeddings of every tile that it has samples of.
        out: written.

    Returns:
        Number of samples without an embedding.

    Raises:
        SitsError: a tile is missing, or is not of the layer or of the place of its samples.
    """
    dataset = samples.open_samples(set_path)
    names = samples.about(dataset).tiles
    opened = {_name(item): (path, item) for path, item in _open(tiles)}
    tile = dataset.tile.values
    if lacking := [names[k] for k in np.unique(tile) if names[k] not in opened]:
        raise SitsError(
            f"{set_path} has samples of {', '.join(lacking[:3])}, and no embeddings of "
            f"{'it' if len(lacking) == 1 else 'them'} were given; make these tiles of {layer} too"
        )
    common, axes = _agreed(layer, opened)
    first = next(iter(opened.values()))[1]
    values = np.empty((dataset.sizes["sample"], len(axes)), first.embedding.dtype)
    for number in np.unique(tile).tolist():
        rows = np.flatnonzero(tile == number)
        path, item = opened[names[number]]
        place = (dataset[name].values[rows] for name in ("x", "y", "epsg"))
        values[rows] = _at(item, path, *place).T
    without = int(store.missing(values.T).sum())
    if without == len(values):
        raise SitsError(
            f"none of the {without} samples of {set_path} has an embedding in {layer}: is it of "
            "this place? Take the layer out of `embeddings`"
        )
    if without:
        logger.warning("%s: %d of %d samples have no embedding", layer, without, len(values))
    inputs = {f"tiles/{name}": opened[name][0] for name in sorted(opened)}
    years = {name.split("/")[0]: item.attrs.get("year") for name, (_, item) in opened.items()}
    attrs = {**common, "years": {k: v for k, v in sorted(years.items()) if v is not None}}
    store.write_rows(
        out, values, axes, {**attrs, "without": without},
        config={"embeddings": layer}, inputs={"samples": set_path, **inputs},
    )  # fmt: skip
    return without


def _open(paths: Sequence[Path]) -> list[tuple[Path, xr.Dataset]]:
    return [(path, store.open_store(path, store.TILE_KIND)) for path in paths]


def _name(item: xr.Dataset) -> str:
    return f"{item.attrs['area']}/{item.attrs['tile']}"


def _agreed(
    layer: str, opened: Mapping[str, tuple[Path, xr.Dataset]]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Attributes and axes that all tiles have."""
    found = []
    for path, item in opened.values():
        if item.attrs["layer"] != layer:
            raise SitsError(f"{path} holds {item.attrs['layer']!r}; tiles of {layer!r} are wanted")
        common = {key: item.attrs[key] for key in COMMON if key in item.attrs}
        axes = tuple(map(str, item.axis.values.tolist()))
        found.append((path, common, axes, str(item.embedding.dtype)))
    for path, *rest in found[1:]:
        if rest != list(found[0][1:]):
            raise SitsError(
                f"{path} and {found[0][0]} hold embeddings of different kinds ({len(rest[1])} axes "
                f"of {rest[2]}, {len(found[0][2])} of {found[0][3]}); the rasters of a layer must "
                "be of one model, and tiles of one version: make both again"
            )
    return found[0][1], found[0][2]


def _at(
    item: xr.Dataset,
    path: Path,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    epsg: npt.NDArray[np.int32],
) -> npt.NDArray[Any]:
    """Stored values (axis, sample) at places, chunk by chunk."""
    pixel = float(item.x[1] - item.x[0])
    column = np.rint((x - float(item.x[0])) / pixel).astype(np.int64)
    row = np.rint((float(item.y[0]) - y) / pixel).astype(np.int64)
    size = item.sizes["x"]
    inside = (column >= 0) & (column < size) & (row >= 0) & (row < size)
    if not inside.all() or (epsg != item.rio.crs.to_epsg()).any():
        raise SitsError(
            f"{path} does not cover the samples of its tile: the tiles of the area have changed; "
            "make the embeddings again"
        )
    found = np.empty((item.sizes["axis"], len(x)), item.embedding.dtype)
    for block in store.blocks(size):
        here = np.flatnonzero(
            (row >= block.rows.start)
            & (row < block.rows.stop)
            & (column >= block.columns.start)
            & (column < block.columns.stop)
        )
        if len(here):
            values = store.part(item, path, y=block.rows, x=block.columns)
            found[:, here] = values[
                :, row[here] - block.rows.start, column[here] - block.columns.start
            ]
    return found
