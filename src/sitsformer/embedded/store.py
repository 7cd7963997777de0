"""How a layer of embeddings lies on disk: tiles beside cubes, and the samples of a set.

    results/embeddings/LAYER/AREA/TILE.zarr   embedding (axis, y, x)
    results/embeddings/LAYER/SET.zarr         embedding (sample, axis), in the order of the set

`embedding` holds the publisher's bytes, int8 with -128 where there is none, which the attributes
`divisor` and `power` turn into numbers, or float32 with NaN. Both are artefacts of their own: cubes
and sample stores are the same bytes with a layer and without it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sitsformer import artefacts
from sitsformer.errors import SitsError
from sitsformer.grid import Tile

if TYPE_CHECKING:
    import xarray as xr

TILE_KIND, KIND = "tile_embeddings", "embeddings"
"""Kinds of the artefacts in their records."""
NO_BYTE = -128
"""Stands for no embedding among bytes."""
SIDE = 126
"""Of the chunks of a tile, pixels, as of cubes: 1 MB of 64 bytes a pixel."""
ROWS = 4096
"""Of the chunks of samples."""
_DAMAGED = (OSError, ValueError, RuntimeError, KeyError, TypeError)
_CHECKED = ("embedding/c/",)


@dataclass(frozen=True)
class Block:
    """A part of a tile, pixels; both slices have a start and a stop."""

    rows: slice
    columns: slice


@dataclass(frozen=True)
class Head:
    """What a raster of embeddings says without a pixel read.

    Attributes:
        axes: number of its bands.
        crs: its coordinate system, as WKT.
        bounds: west, south, east, north in it.
    """

    axes: int
    crs: str
    bounds: tuple[float, float, float, float]

    def reaches(self, tile: Tile) -> bool:
        """Whether it lies under a part of a tile."""
        from rasterio.warp import transform_bounds

        # A raster of the whole world has no bounds in a zone, so the tile goes to it.
        west, south, east, north = transform_bounds(f"EPSG:{tile.epsg}", self.crs, *tile.bounds)
        left, low, right, top = self.bounds
        return bool(west <= right and east >= left and south <= top and north >= low)


Source: TypeAlias = Callable[[Block], "npt.NDArray[Any]"]
"""A part of a tile -> (axis, y, x) int8 bytes, or float32."""


def blocks(size: int) -> Iterator[Block]:
    """The chunks of a tile."""
    for row in range(0, size, SIDE):
        for column in range(0, size, SIDE):
            rows = slice(row, min(row + SIDE, size))
            yield Block(rows, slice(column, min(column + SIDE, size)))


def write_tile(
    path: Path,
    tile: Tile,
    axes: tuple[str, ...],
    dtype: str,
    source: Source,
    attrs: Mapping[str, Any],
    *,
    config: Mapping[str, Any],
    inputs: Mapping[str, Path],
) -> int:
    """Write the embeddings of a tile chunk by chunk, whole or not at all.

    Args:
        path: of the store.
        tile: where they lie.
        axes: names, in order.
        dtype: `int8` or `float32`.
        source: gives the values.
        attrs: product, year, licence ... (JSON values).
        config: values it was made with.
        inputs: files it was made from.

    Returns:
        Number of pixels without an embedding.
    """
    import rioxarray  # noqa: F401 (the methods under `rio`)
    import xarray as xr
    import zarr

    shape = (len(axes), tile.size, tile.size)
    dataset = xr.Dataset(
        {"embedding": (("axis", "y", "x"), _unwritten(shape, dtype), _array_attrs(dtype))},
        coords={"axis": np.array(axes, object), "y": tile.y, "x": tile.x},
        attrs={"Conventions": "CF-1.11", "area": tile.area, "tile": tile.name, **attrs},
    )
    dataset = dataset.rio.write_crs(tile.epsg).rio.write_transform(tile.transform)
    side = min(SIDE, tile.size)
    without = 0
    with artefacts.create(path, TILE_KIND, config=config, inputs=inputs) as partial:
        _write(dataset, partial, (len(axes), side, side))
        array = zarr.open_array(partial / "embedding", mode="r+")
        for block in blocks(tile.size):
            values = source(block)
            without += int(missing(values).sum())
            array[:, block.rows, block.columns] = values
    return without


def write_rows(
    path: Path,
    values: npt.NDArray[Any],
    axes: tuple[str, ...],
    attrs: Mapping[str, Any],
    *,
    config: Mapping[str, Any],
    inputs: Mapping[str, Path],
) -> None:
    """Write the embeddings (sample, axis) of a set, whole or not at all; see `write_tile`."""
    import xarray as xr

    dataset = xr.Dataset(
        {"embedding": (("sample", "axis"), values, _array_attrs(str(values.dtype)))},
        coords={"axis": np.array(axes, object)},
        attrs=dict(attrs),
    )
    with artefacts.create(path, KIND, config=config, inputs=inputs) as partial:
        _write(dataset, partial, (max(1, min(ROWS, len(values))), len(axes)))


def _unwritten(shape: tuple[int, ...], dtype: str) -> Any:
    import dask.array as da

    return da.empty(shape, dtype=dtype, chunks=-1)


def _write(dataset: xr.Dataset, partial: Path, chunks: tuple[int, ...]) -> None:
    """Write a store; the values of an array that is lazy come later."""
    from zarr.codecs import BloscCodec, Crc32cCodec

    dtype = dataset.embedding.dtype
    blosc = BloscCodec(cname="zstd", clevel=3, shuffle="shuffle", typesize=dtype.itemsize)
    encoding: dict[str, dict[str, Any]] = {
        "embedding": {"chunks": chunks, "compressors": [blosc, Crc32cCodec()]}
    }
    if dtype == np.int8:
        encoding["embedding"]["fill_value"] = NO_BYTE
    for variable in dataset.variables.values():
        variable.encoding.clear()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification")
        dataset.to_zarr(
            partial, mode="w", encoding=encoding, zarr_format=3, consolidated=True, compute=False
        )


def _array_attrs(dtype: str) -> dict[str, Any]:
    found: dict[str, Any] = {"long_name": "yearly embedding", "units": "1"}
    return {**found, "_FillValue": np.int8(NO_BYTE)} if dtype == "int8" else found


def missing(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where a vector along the first axis is none: one of its values is."""
    gone = values == NO_BYTE if values.dtype == np.int8 else ~np.isfinite(values)
    found: npt.NDArray[np.bool_] = gone.any(axis=0)
    return found


def open_store(path: Path, kind: str) -> xr.Dataset:
    """Open a tile or the samples of a layer, with raw values.

    Raises:
        SitsError: it is missing, damaged, or something else.
    """
    import rioxarray  # noqa: F401 (what is opened here has its methods, under `rio`)
    import xarray as xr

    found = artefacts.read(path)["kind"] if artefacts.has_record(path) else None
    if found != kind:
        what = f"is of kind {found!r}" if found else "is no artefact"
        raise SitsError(f"{path} {what}; embeddings ({kind}) are wanted")
    if problems := artefacts.glance(path, checked=_CHECKED):
        raise SitsError(f"{path} {artefacts.damage(problems)}, make the embeddings again")
    try:
        dataset: xr.Dataset = xr.open_zarr(
            path, mask_and_scale=False, decode_coords="all", chunks=None, consolidated=True
        )
    except _DAMAGED as error:
        raise SitsError(f"{path} cannot be opened: {error}; make the embeddings again") from None
    return dataset


def given_layer(paths: Sequence[Path], kind: str, layer: str, who: str) -> Path:
    """The store of a layer among several.

    Args:
        paths: stores of that kind.
        kind: of them.
        layer: that is wanted.
        who: wants it, for the message.

    Raises:
        SitsError: none of them is of this layer.
    """
    found = {str(open_store(path, kind).attrs["layer"]): path for path in paths}
    if layer not in found:
        given = f"those given are of {', '.join(sorted(found))}" if found else "none were given"
        raise SitsError(f"{who} reads the embeddings {layer}, and {given}: give --embeddings of it")
    return found[layer]


def part(dataset: xr.Dataset, path: Path, **where: Any) -> npt.NDArray[Any]:
    """Stored values of a part of an opened store, by dimension.

    Raises:
        SitsError: a chunk is damaged.
    """
    try:
        found: npt.NDArray[Any] = dataset.embedding.isel(where).values
    except _DAMAGED as error:
        raise SitsError(f"{path} is damaged ({error}); make the embeddings again") from None
    return found


def read_rows(path: Path) -> npt.NDArray[np.float32]:
    """Embeddings (sample, axis) of a set as numbers; NaN where a sample has none.

    Raises:
        SitsError: they are missing or damaged.
    """
    dataset = open_store(path, KIND)
    return decoded(part(dataset, path).T, dataset.attrs).T


def decoded(values: npt.NDArray[Any], attrs: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    """Stored values (axis, ...) as numbers; NaN for every axis where one is missing."""
    found = values.astype(np.float32)
    if values.dtype == np.int8:
        size = np.abs(found) / np.float32(attrs["divisor"])
        found = np.asarray(np.sign(found) * size ** attrs["power"], np.float32)
    found[:, missing(values)] = np.nan
    return found
