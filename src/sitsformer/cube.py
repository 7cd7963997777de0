"""The cube contract: one tile and season of a sensor with its labels, in one Zarr store.

    reflectance (time, band, y, x)  uint16, reflectance x 10,000; 65535 missing
    clear       (time, y, x)        uint8, 0 cloudy to 100 clear; 255 missing
    <labels>    (y, x)              uint8 or uint16 codes with CF flags; `no_label` (0) none
    <label>_confidence (y, x)       uint8, percent; 255 missing (`labels.confidence_layers`)
    time                            UTC, one entry a date and datatake, sorted, unique
    spatial_ref                     CRS, for `rio.crs` with decode_coords="all"

The bands and the grid are those of the sensor that the attribute `sensor` names; without it, of
Sentinel-2. Sources build cubes with `build`, the export stage writes them with `write`, everything
after reads them with `open_cube`, which checks the contract.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec

from sitsformer import artefacts, threads
from sitsformer.classes import Legend
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.labels import confidence_layers
from sitsformer.sensors import SENTINEL2, Sensor, recorded, said
from sitsformer.stored import MISSING, SCALE

CLEAR_MISSING = 255

CHUNK = {"time": 12, "y": 126, "x": 126}
"""Chunk of `reflectance` with all bands: at most 3.8 MB, a file of 1 to 3 MB."""

_CHECKED = ("reflectance/c/", "clear/c/")
"""The large arrays: a chunk's checksum is looked at when the chunk is read, not before."""

DECODING = (OSError, ValueError, RuntimeError, KeyError, TypeError)
"""What Zarr and its codecs raise for files that are not what they should be."""

Array = Any
"""A numpy or dask array."""


class CubeError(SitsError):
    """A cube that breaks the contract or cannot be read."""


def build(
    tile: Tile,
    times: NDArray[np.datetime64],
    reflectance: Array,
    clear: Array,
    layers: Mapping[str, tuple[Array, Legend | None]],
    attrs: Mapping[str, Any],
    sensor: Sensor = SENTINEL2,
) -> xr.Dataset:
    """Assemble a cube and check it.

    Args:
        tile: where it lies.
        times: (time,) datetime64, UTC, sorted, unique.
        reflectance: (time, band, y, x) uint16, numpy or dask; MISSING where not seen.
        clear: (time, y, x) uint8, 0-100; CLEAR_MISSING where not scored.
        layers: name -> ((y, x) uint8 or uint16, legend); a confidence has no legend.
        attrs: what made it: source assets, product versions, request hash (JSON values).
        sensor: whose bands these are, in its order.

    Raises:
        CubeError: the arrays break the contract.
    """
    dataset = xr.Dataset(
        {
            "reflectance": (("time", "band", "y", "x"), reflectance, _reflectance_attrs()),
            "clear": (
                ("time", "y", "x"),
                clear,
                {
                    "long_name": "clear-sky score, 0 cloudy to 100 clear",
                    "units": "percent",
                    "_FillValue": np.uint8(CLEAR_MISSING),
                    "grid_mapping": "spatial_ref",
                },
            ),
            **{
                name: (("y", "x"), array, _layer_attrs(name, legend))
                for name, (array, legend) in layers.items()
            },
        },
        coords={
            "time": ("time", np.asarray(times).astype("datetime64[ns]"), {"long_name": "UTC"}),
            "band": ("band", np.array(sensor.names, object)),
            "wavelength": (
                "band",
                np.array([band.wavelength for band in sensor.bands], np.int32),
                {"units": "nm", "long_name": "central wavelength"},
            ),
            "y": ("y", tile.y, _axis_attrs("y", "northing")),
            "x": ("x", tile.x, _axis_attrs("x", "easting")),
            "spatial_ref": ((), np.int32(0), _crs_attrs(tile)),
        },
        attrs={
            "Conventions": "CF-1.11",
            "title": (
                f"{sensor.title} surface reflectance and labels, {tile.area}, tile {tile.name}"
            ),
            "area": tile.area,
            "tile": tile.name,
            **said(sensor),
            **attrs,
        },
    )
    validate(dataset, f"the cube of {tile.area}/{tile.name}")
    return dataset


def write(
    dataset: xr.Dataset,
    path: Path,
    *,
    config: Mapping[str, Any],
    inputs: Mapping[str, Path] | None = None,
    seed: int | None = None,
) -> None:
    """Write a cube, whole or not at all, chunk by chunk where its arrays are lazy."""
    size = dict(dataset.sizes)
    encoding: dict[str, dict[str, Any]] = {}
    for name, array in dataset.data_vars.items():
        chunks = tuple(
            min(CHUNK.get(str(dim), size[str(dim)]), size[str(dim)]) for dim in array.dims
        )
        encoding[str(name)] = {"chunks": chunks, "compressors": _compressor(array.dtype.itemsize)}
        if "_FillValue" in array.attrs:
            encoding[str(name)]["fill_value"] = int(array.attrs["_FillValue"])
    encoding |= {str(name): {"compressors": [Crc32cCodec()]} for name in dataset.coords}
    encoding["time"] |= {"units": "seconds since 1970-01-01", "dtype": "int64"}
    lazy = any(array.chunks is not None for array in dataset.data_vars.values())
    if lazy:
        dataset = dataset.chunk({dim: CHUNK[dim] for dim in ("time", "y", "x")})
    with artefacts.create(path, "cube", config=config, inputs=inputs, seed=seed) as partial:
        for variable in dataset.variables.values():
            variable.encoding.clear()
        with warnings.catch_warnings(), _own_threads():
            # Consolidated metadata are an extension of Zarr v3; with them a store opens in one
            # read and without listing the files beside the arrays.
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification")
            dataset.to_zarr(partial, mode="w", encoding=encoding, zarr_format=3, consolidated=True)


@contextmanager
def _own_threads() -> Iterator[None]:
    """Dask on threads that have ended afterwards.

    When a block fails, Dask says so while the others are still being written; what they write must
    not outlast the folder that it goes to.
    """
    from dask import config as settings

    workers = settings.get("num_workers", None) or threads.count()
    with ThreadPoolExecutor(workers) as pool, settings.set(pool=pool):
        yield


def open_cube(path: Path, dask: bool = True) -> xr.Dataset:
    """Open a cube lazily, with raw integers, and check the contract.

    Arrays are Dask's in the stored chunks; without `dask`, what is asked for is read at once.

    Raises:
        CubeError: it is missing, damaged or breaks the contract.
    """
    recorded = artefacts.has_record(path)
    problems = artefacts.glance(path, checked=_CHECKED) if recorded else []
    if problems:
        raise CubeError(f"{path} {artefacts.damage(problems)}, export the cube again")
    try:
        dataset: xr.Dataset = xr.open_zarr(
            path, mask_and_scale=False, decode_coords="all", chunks={} if dask else None
        )
    except DECODING as error:
        raise CubeError(f"{path} cannot be opened as a cube: {error}; export it again") from None
    validate(dataset, str(path))
    for variable in dataset.variables.values():
        variable.encoding["source"] = str(path)
    return dataset


def layer_values(array: xr.DataArray) -> NDArray[Any]:
    """Read a part of a layer of an opened cube.

    Raises:
        CubeError: a chunk is damaged.
    """
    try:
        found: NDArray[Any] = array.values
    except DECODING as error:
        raise CubeError(
            f"{array.name} of the cube {array.encoding.get('source', '')} is damaged ({error}); "
            "`sitsformer check` lists every damaged file, export the cube again"
        ) from None
    return found


def label_layers(dataset: xr.Dataset) -> dict[str, Legend]:
    """Label layers of a cube with their legends."""
    return {
        str(name): Legend.from_flags(array.attrs)
        for name, array in dataset.data_vars.items()
        if "flag_values" in array.attrs
    }


def tile_of(dataset: xr.Dataset) -> Tile:
    """The tile that a cube covers."""
    west, _, _, north = dataset.rio.bounds(recalc=True)
    place = dataset.rio.crs.to_epsg(), round(west), round(north)
    size, pixel = dataset.sizes["x"], recorded(dataset.attrs).pixel
    return Tile(dataset.attrs["area"], dataset.attrs["tile"], *place, size, pixel)


def validate(dataset: xr.Dataset, what: str) -> None:
    """Check a dataset against the cube contract.

    Raises:
        CubeError: naming each breach: variables, dtypes, dimensions, grid, dates.
    """
    problems = [*_layout_problems(dataset)]
    if not problems:
        problems = [*_grid_problems(dataset), *_time_problems(dataset)]
    if problems:
        raise CubeError(f"{what} breaks the cube contract: {'; '.join(problems)}; export it again")


def _layout_problems(dataset: xr.Dataset) -> list[str]:
    problems = []
    expected: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
        "reflectance": (("time", "band", "y", "x"), ("uint16",)),
        "clear": (("time", "y", "x"), ("uint8",)),
    }
    without_legend = ("reflectance", "clear", *confidence_layers())
    for name, array in dataset.data_vars.items():
        expected.setdefault(str(name), (("y", "x"), ("uint8", "uint16")))
        if str(name) not in without_legend and "flag_values" not in array.attrs:
            problems.append(f"label layer {name} has no flag_values")
    for name, (dims, dtypes) in expected.items():
        if name not in dataset:
            problems.append(f"{name} is missing")
            continue
        array = dataset[name]
        if array.dims != dims:
            problems.append(f"{name} has the dimensions {array.dims}, not {dims}")
        if str(array.dtype) not in dtypes:
            problems.append(f"{name} is {array.dtype}, not {' or '.join(dtypes)}")
    coords = ("time", "band", "y", "x", "spatial_ref")
    problems += [
        f"the coordinate {name} is missing" for name in coords if name not in dataset.coords
    ]
    if problems:
        return problems
    bands = recorded(dataset.attrs).names
    if tuple(dataset.band.values.tolist()) != bands:
        problems.append(f"the bands are {dataset.band.values.tolist()}, not {list(bands)}")
    return problems


def _grid_problems(dataset: xr.Dataset) -> list[str]:
    import rioxarray  # noqa: F401 (what has passed here has its methods, under `rio`)
    from pyproj.exceptions import CRSError

    problems = []
    try:
        known = dataset.rio.crs is not None and dataset.rio.crs.to_epsg() is not None
    except CRSError:
        known = False
    if not known:
        problems.append("spatial_ref tells no CRS of EPSG")
    if dataset.sizes["x"] != dataset.sizes["y"]:
        problems.append(f"the tile is {dataset.sizes['x']} x {dataset.sizes['y']} px, not square")
    sensor = recorded(dataset.attrs)
    snap, corner = sensor.snap, sensor.corner
    for name, step in (("x", sensor.pixel), ("y", -sensor.pixel)):
        values = dataset[name].values
        if values.size < 2 or not np.allclose(np.diff(values), step, atol=1e-6):
            problems.append(f"{name} does not run in steps of {step} m")
            continue
        edge = values[0] - step / 2
        off = (edge - corner) / snap
        if abs(off - round(off)) > 1e-6:
            rest = f" and {corner} m" if corner else ""
            problems.append(f"the {name} origin {edge:g} m is not a multiple of {snap} m{rest}")
    return problems


def _time_problems(dataset: xr.Dataset) -> list[str]:
    times = dataset.time.values
    if times.size == 0:
        return ["it has no dates"]
    steps = np.diff(times.astype("datetime64[ns]").astype(np.int64))
    if (steps < 0).any():
        return [f"dates are not sorted ({times[int(np.argmax(steps < 0)) + 1]} comes too late)"]
    if (steps == 0).any():
        return [f"the date {times[int(np.argmax(steps == 0))]} is there twice"]
    return []


def _reflectance_attrs() -> dict[str, Any]:
    return {
        "standard_name": "surface_bidirectional_reflectance",
        "units": "1",
        "scale_factor": SCALE,
        "add_offset": 0.0,
        "_FillValue": np.uint16(MISSING),
        "grid_mapping": "spatial_ref",
    }


def _layer_attrs(name: str, legend: Legend | None) -> dict[str, Any]:
    if legend is not None:
        return {**legend.flags(), "grid_mapping": "spatial_ref"}
    return {
        "long_name": f"{name} of the label product",
        "units": "percent",
        "_FillValue": np.uint8(255),
        "grid_mapping": "spatial_ref",
    }


def _axis_attrs(axis: str, word: str) -> dict[str, str]:
    return {
        "standard_name": f"projection_{axis}_coordinate",
        "long_name": f"{word} of the pixel centre",
        "units": "m",
        "axis": axis.upper(),
    }


def _crs_attrs(tile: Tile) -> dict[str, Any]:
    from pyproj import CRS

    crs = CRS.from_epsg(tile.epsg)
    transform = f"{tile.west} {tile.pixel} 0 {tile.north} 0 {-tile.pixel}"
    return {**crs.to_cf(), "epsg": tile.epsg, "GeoTransform": transform}


def _compressor(itemsize: int) -> list[Any]:
    """Zstandard with a checksum behind it: Blosc's own decoder lets altered bytes through."""
    return [
        BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle", typesize=itemsize),
        Crc32cCodec(),
    ]
