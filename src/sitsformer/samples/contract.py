"""How a sample store lies on disk: its arrays, their attributes, and how they are written.

The contract that users see is described in samples/__init__.py; this is the part of it that writes.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer import threads
from sitsformer.classes import Classes, Legend
from sitsformer.config import Split
from sitsformer.errors import SitsError
from sitsformer.samples import shards
from sitsformer.sensors import BANDS, SENTINEL2, Sensor, said
from sitsformer.stored import MISSING, SCALE

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
"""Names of the values of `split`, in order."""
UNASSIGNED = 255
"""`split` of the samples of a tile store: the merge assigns it."""
MANIFEST = "manifest.json"
KIND = "samples"
"""Kind of a set store in its provenance."""
TILE_KIND = "tile_samples"

COLUMN_ROWS = 65536
"""Rows of a chunk of the small arrays; shards of them hold up to 16 chunks."""

COLUMNS: dict[str, tuple[str, dict[str, Any]]] = {
    "doy": ("int16", {"units": "1", "long_name": "day of year, 1-366; 0 is padding"}),
    "date": (
        "int32",
        {"units": "days since 1970-01-01", "calendar": "proleptic_gregorian", "_FillValue": -1},
    ),
    "label": ("int16", {"long_name": "class of the centre pixel; -1 is none"}),
    "split": (
        "uint8",
        {"flag_values": [0, 1, 2, UNASSIGNED], "flag_meanings": " ".join((*SPLITS, "unassigned"))},
    ),
    "tile": ("int32", {"long_name": "position in `names`: area/tile"}),
    "area": ("int32", {"long_name": "position in `names` and `years` (start of the season)"}),
    "block": ("int64", {"long_name": "square of the UTM grid that no two splits share"}),
    "epsg": ("int32", {"long_name": "EPSG code of the UTM zone of x and y"}),
    "lon": ("float64", {"units": "degrees_east", "standard_name": "longitude"}),
    "lat": ("float64", {"units": "degrees_north", "standard_name": "latitude"}),
    "x": ("float64", {"units": "m", "standard_name": "projection_x_coordinate"}),
    "y": ("float64", {"units": "m", "standard_name": "projection_y_coordinate"}),
}
"""Small arrays: dtype and attributes; `doy` and `date` are (sample, time), the others (sample)."""

SURVEYED: dict[str, tuple[str, dict[str, Any]]] = {
    "feature": ("int64", {"long_name": "number of the labelled feature in its file, from 1"}),
    "group": ("int64", {"long_name": "group of features that no two splits share"}),
    "weight": ("float64", {"units": "1", "long_name": "weight of the labelled feature"}),
}
"""Small arrays (sample) that sets with labels of a survey have beside the others."""

SERIES = ("doy", "date")
_COORDINATES = ("date", "tile", "area", "block", "epsg", "lon", "lat", "x", "y")

Columns = Mapping[str, NDArray[Any]]


class SampleError(SitsError):
    """A sample store that breaks the contract, or a request it cannot meet."""


@dataclass(frozen=True)
class About:
    """What the samples of a store have in common.

    Attributes:
        name: of the set.
        classes: in the order of `label`.
        label: label layer of the cubes.
        tiles: `area/tile` names in the order of `tile`.
        areas: names in the order of `area`.
        years: year in which each area's season starts.
        split_by: `block`, `group`, `area`, `year` or `polygons`.
        block: side of a block, metres.
        bands: names in the order of `band`.
        sensor: whose images they are.
    """

    name: str
    classes: Classes
    label: str
    tiles: tuple[str, ...]
    areas: tuple[str, ...]
    years: tuple[int, ...]
    split_by: str
    block: float
    bands: tuple[str, ...] = BANDS
    sensor: Sensor = SENTINEL2


def encoded(pieces: Iterable[NDArray[np.uint16]], chunk: int) -> Iterable[bytes]:
    """Compress chunks by threads, keeping their order."""
    workers = threads.count()
    with ThreadPoolExecutor(workers) as pool:
        yield from shards.ahead(
            pool, lambda rows: shards.encode(rows, chunk, MISSING), pieces, 2 * workers
        )


def rechunk(parts: Iterable[NDArray[np.uint16]], rows: int) -> Iterator[NDArray[np.uint16]]:
    """Pieces of any length -> pieces of `rows`, the last one shorter."""
    rest: NDArray[np.uint16] | None = None
    for part in parts:
        if rest is not None and len(rest):
            fill = rows - len(rest)
            rest = np.concatenate([rest, part[:fill]])
            part = part[fill:]
            if len(rest) < rows:
                continue
            yield rest
        whole = len(part) // rows * rows
        for start in range(0, whole, rows):
            yield part[start : start + rows]
        rest = part[whole:]
    if rest is not None and len(rest):
        yield rest


def write_reflectance(directory: Path, packed: Iterable[bytes]) -> None:
    """Write the chunks of `reflectance` of the store to be, as `encoded` gives them."""
    with shards.Writer(directory / "reflectance", dimensions=5) as writer:
        for chunk in packed:
            writer.append(chunk)


def write_arrays(
    directory: Path, rows: int, steps: tuple[int, ...], columns: Columns, about: About
) -> None:
    """Write all of a store but the chunks of `reflectance`; `steps` are (time, band, py, px)."""
    import zarr

    zarr.create_group(directory, attributes=_group_attributes(about))
    shards.create(
        directory,
        "reflectance",
        rows,
        steps,
        fill_value=MISSING,
        dimension_names=["sample", "time", "band", "py", "px"],
        attributes={
            "long_name": "surface reflectance of cloud-free dates, padded at the end",
            "standard_name": "surface_bidirectional_reflectance",
            "units": "1",
            "scale_factor": SCALE,
            "add_offset": 0.0,
            "_FillValue": MISSING,
            "grid_mapping": "spatial_ref",
        },
    )
    for name, values in _complete(columns, rows, steps[0]).items():
        _write_column(directory, name, values, _column_attributes(name, about))
    _write_labels(directory, about)
    with warnings.catch_warnings():
        # An extension of Zarr v3: with it a store opens in one read, without listing its files.
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        zarr.consolidate_metadata(directory)


def write_manifest(directory: Path, manifest: Mapping[str, Any]) -> None:
    """Write the counts of a store beside its arrays."""
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def read_manifest(path: Path) -> dict[str, Any]:
    """Counts of a store: what was kept, what was dropped and why."""
    try:
        manifest: dict[str, Any] = json.loads((path / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise SampleError(f"{path / MANIFEST} cannot be read: {error}; make the store again") from (
            None
        )
    return manifest


def _group_attributes(about: About) -> dict[str, Any]:
    return {
        "Conventions": "CF-1.11",
        "title": f"Patch time series of {about.sensor.title} surface reflectance, set {about.name}",
        "set": about.name,
        "split_by": about.split_by,
        "block": about.block,
        **said(about.sensor),
        "coordinates": " ".join((*_COORDINATES, "spatial_ref")),
    }


def _column_attributes(name: str, about: About) -> dict[str, Any]:
    attributes = dict({**COLUMNS, **SURVEYED}[name][1])
    if name == "label":
        classes = about.classes
        positions = tuple(range(len(classes.names)))
        flags = Legend(about.label, positions, classes.names, classes.colours, -1).flags()
        attributes = {
            **flags,
            **attributes,
            "codes": [list(codes) for codes in classes.codes],
            "layer": about.label,
        }
    if name == "tile":
        attributes["names"] = list(about.tiles)
    if name == "area":
        attributes |= {"names": list(about.areas), "years": list(about.years)}
    return attributes


def _complete(columns: Columns, rows: int, length: int) -> dict[str, NDArray[Any]]:
    """All columns with their dtypes; the ones not given are filled."""
    fill = {"date": -1, "split": UNASSIGNED}
    complete = {}
    surveyed = {name: column for name, column in SURVEYED.items() if name in columns}
    for name, (dtype, _) in {**COLUMNS, **surveyed}.items():
        shape = (rows, length) if name in SERIES else (rows,)
        default = np.nan if dtype == "float64" else fill.get(name, 0)
        values = np.asarray(columns[name] if name in columns else np.full(shape, default), dtype)
        if values.shape != shape:
            raise SampleError(f"{name} has the shape {values.shape}, not {shape}")
        complete[name] = values
    return complete


def _write_column(
    directory: Path, name: str, values: NDArray[Any], attributes: Mapping[str, Any]
) -> None:
    import zarr
    from zarr.codecs import BloscCodec, Crc32cCodec

    rows = max(1, min(len(values), COLUMN_ROWS))
    chunks = (rows, *values.shape[1:])
    per_shard = min(16, -(-len(values) // rows))
    array = zarr.create_array(
        directory,
        name=name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=chunks,
        shards=(rows * per_shard, *values.shape[1:]) if per_shard > 1 else None,
        compressors=[
            BloscCodec(cname="zstd", clevel=3, shuffle="shuffle", typesize=values.dtype.itemsize),
            Crc32cCodec(),
        ],
        fill_value=0,
        dimension_names=["sample", "time"][: values.ndim],
        attributes=dict(attributes),
    )
    if len(values):
        array[:] = values


def _write_labels(directory: Path, about: About) -> None:
    """Write the coordinates that are no columns: band names and the CRS of lon and lat."""
    import zarr
    from pyproj import CRS

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification")
        band = zarr.create_array(
            directory,
            name="band",
            shape=(len(about.bands),),
            dtype=str,
            dimension_names=["band"],
            attributes={"long_name": f"{about.sensor.title} band"},
        )
        band[:] = np.array(about.bands, object)
    zarr.create_array(
        directory,
        name="spatial_ref",
        shape=(),
        dtype="int32",
        fill_value=0,
        dimension_names=[],
        attributes={**CRS.from_epsg(4326).to_cf(), "epsg": 4326},
    )
