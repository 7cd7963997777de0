"""The sample-store contract: patch time series with labels and splits, in one sharded Zarr store.

    reflectance (sample, time, band, py, px)  uint16, reflectance x 10,000; 65535 padding
    doy         (sample, time)                int16 day of year 1-366 in time order; 0 padding
    date        (sample, time)                int32 days since 1970-01-01; -1 padding
    label       (sample)                      int16 class index, -1 none; CF flags, legend `codes`
    split       (sample)                      uint8 0 train, 1 validation, 2 test, 255 not yet
    area, tile  (sample)                      int32 positions in the attributes `names`
    block       (sample)                      int64 square of the UTM grid, see splits.block_ids
    lon lat x y epsg (sample)                 centre of the patch, degrees and UTM metres

Valid steps come first and hold no missing value. The patch's centre is the labelled pixel. A
`manifest.json` beside the arrays counts what was kept and dropped. `xr.open_zarr` opens a store
with units, flags and CRS; `load_samples` gives the plain arrays that training works on.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitsformer import provenance, shards
from sitsformer.config import BANDS, Split
from sitsformer.errors import SitsError

if TYPE_CHECKING:
    import xarray as xr

MISSING = 65535
"""Stored reflectance of padding, as in cubes."""
SCALE = 1e-4
"""Reflectance = stored value x SCALE, as in cubes."""
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
"""Names of the values of `split`, in order."""
UNASSIGNED = 255
"""`split` of the samples of a tile store: the merge assigns it."""
NO_CLASS_NAME = "(none)"
"""How manifests call pixels without a class."""
MANIFEST = "manifest.json"
KIND = "samples"

COLUMN_ROWS = 65536
"""Rows of a chunk of the small arrays; shards of them hold up to 16 chunks."""

_COLUMNS: dict[str, tuple[str, dict[str, Any]]] = {
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

_SERIES = ("doy", "date")
_COORDINATES = ("date", "tile", "area", "block", "epsg", "lon", "lat", "x", "y")

Columns = Mapping[str, NDArray[Any]]


class SampleError(SitsError):
    """A sample store that breaks the contract, or a request it cannot meet."""


@dataclass(frozen=True)
class About:
    """What the samples of a store have in common.

    Attributes:
        name: of the set.
        class_names, class_colours: classes in the order of `label`; colours are `#rrggbb`.
        class_codes: legend codes that each class gathers.
        label: label layer of the cubes.
        tiles: `area/tile` names in the order of `tile`.
        areas: names in the order of `area`.
        years: year in which each area's season starts.
        split_by: `block`, `area`, `year` or `polygons`.
        block: side of a block, metres.
        bands: names in the order of `band`.
    """

    name: str
    class_names: tuple[str, ...]
    class_colours: tuple[str, ...]
    class_codes: tuple[tuple[int, ...], ...]
    label: str
    tiles: tuple[str, ...]
    areas: tuple[str, ...]
    years: tuple[int, ...]
    split_by: str
    block: float
    bands: tuple[str, ...] = BANDS


@dataclass(frozen=True)
class Samples:
    """Samples in memory.

    Attributes:
        reflectance: (sample, time, band, py, px) uint16, reflectance x 10,000; 65535 padding.
        doy: (sample, time) int16, 1-366; 0 padding.
        label: (sample,) int64 class index; -1 none.
        split: (sample,) uint8 position in SPLITS.
        block: (sample,) int64.
        index: (sample,) int64 row in the store.
        lon, lat: (sample,) float64 degrees.
        bands: names in the order of `band`.
        class_names, class_colours: in the order of `label`.
    """

    reflectance: NDArray[np.uint16]
    doy: NDArray[np.int16]
    label: NDArray[np.int64]
    split: NDArray[np.uint8]
    block: NDArray[np.int64]
    index: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    bands: tuple[str, ...]
    class_names: tuple[str, ...]
    class_colours: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: NDArray[Any]) -> Samples:
        """The samples at some positions (or where a mask is true)."""
        arrays = {
            name: value[rows] for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        return Samples(**{**vars(self), **arrays})


@dataclass(frozen=True)
class BandStatistics:
    """Mean and standard deviation of each band (band,), units of reflectance."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]


def write_samples(
    path: Path,
    reflectance: NDArray[np.uint16],
    columns: Columns,
    about: About,
    *,
    manifest: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Path] | None = None,
    seed: int | None = None,
) -> None:
    """Write a sample store from arrays, whole or not at all.

    Args:
        path: of the store.
        reflectance: (sample, time, band, py, px) uint16.
        columns: the small arrays by name; `doy` and `label` at least. Missing ones are filled:
            `split` unassigned, positions 0, places unknown (NaN).
        about: what the samples have in common.
        manifest: counts to go beside the arrays.
        config: config values the samples were made with.
        inputs: artefacts and files they were made from, by role.
        seed: seed of the draw.
    """
    steps = reflectance.shape[1:]
    chunk = shards.chunk_rows(int(np.prod(steps)) * 2)
    pieces = (reflectance[i : i + chunk] for i in range(0, len(reflectance), chunk))
    with provenance.create(path, KIND, config=config or {}, inputs=inputs, seed=seed) as partial:
        with reflectance_writer(partial) as writer:
            for packed in encoded(pieces, chunk):
                writer.append(packed)
        write_arrays(partial, len(reflectance), steps, columns, about)
        write_manifest(partial, manifest or {})


def encoded(pieces: Iterable[NDArray[np.uint16]], chunk: int) -> Iterable[bytes]:
    """Compress chunks by threads, keeping their order."""
    from concurrent.futures import ThreadPoolExecutor

    workers = shards.threads()
    with ThreadPoolExecutor(workers) as pool:
        yield from shards.ahead(
            pool, lambda rows: shards.encode(rows, chunk, MISSING), pieces, 2 * workers
        )


def rechunk(parts: Iterable[NDArray[np.uint16]], rows: int) -> Iterator[NDArray[np.uint16]]:
    """Pieces of any length -> pieces of `rows`, the last one shorter."""
    rest: NDArray[np.uint16] | None = None
    for part in parts:
        rest = part if rest is None or len(rest) == 0 else np.concatenate([rest, part])
        while len(rest) >= rows:
            yield rest[:rows]
            rest = rest[rows:]
    if rest is not None and len(rest):
        yield rest


def reflectance_writer(directory: Path) -> shards.Writer:
    """Writer of the chunks of `reflectance` of the store to be."""
    return shards.Writer(directory / "reflectance", dimensions=5)


def write_arrays(
    directory: Path, rows: int, steps: tuple[int, ...], columns: Columns, about: About
) -> None:
    """Write all of a store but the chunks of `reflectance`.

    Args:
        directory: the store to be.
        rows: number of samples.
        steps: (time, band, py, px) lengths.
        columns: see `write_samples`.
        about: what the samples have in common.
    """
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


def open_samples(path: Path) -> xr.Dataset:
    """Open a store lazily with raw integers, and check the contract.

    Raises:
        SampleError: it is missing, damaged or breaks the contract.
    """
    import xarray as xr

    try:
        dataset: xr.Dataset = xr.open_zarr(
            path, mask_and_scale=False, decode_times=False, chunks=None
        )
    except (OSError, ValueError, KeyError) as error:
        raise SampleError(f"{path} cannot be opened as a sample store: {error}") from None
    problems = _problems(dataset)
    if not problems:
        with shards.Reader(path / "reflectance") as reader:
            problems = [f"{missing} is missing" for missing in reader.missing()]
    if problems:
        raise SampleError(f"{path} breaks the sample contract: {'; '.join(problems)}")
    return dataset


def about(dataset: xr.Dataset) -> About:
    """What the samples of an opened store have in common."""
    label, area = dataset.label.attrs, dataset.area.attrs
    return About(
        name=str(dataset.attrs["set"]),
        class_names=tuple(label["flag_names"]),
        class_colours=tuple(str(label["flag_colours"]).split()),
        class_codes=tuple(tuple(codes) for codes in label["codes"]),
        label=str(label["layer"]),
        tiles=tuple(dataset.tile.attrs["names"]),
        areas=tuple(area["names"]),
        years=tuple(area["years"]),
        split_by=str(dataset.attrs["split_by"]),
        block=float(dataset.attrs["block"]),
        bands=tuple(map(str, dataset.band.values.tolist())),
    )


def load_samples(path: Path, split: Split | None = None) -> Samples:
    """Read a store, or one split of it, into memory.

    Raises:
        SampleError: the store is damaged, or the split is empty.
    """
    dataset = open_samples(path)
    rows = split_rows(dataset, path, split)
    common = about(dataset)
    with shards.Reader(path / "reflectance") as reader:
        reflectance = reader.take(rows)
    return Samples(
        reflectance=reflectance,
        doy=dataset.doy.values[rows],
        label=dataset.label.values[rows].astype(np.int64),
        split=dataset.split.values[rows],
        block=dataset.block.values[rows],
        index=rows,
        lon=dataset.lon.values[rows],
        lat=dataset.lat.values[rows],
        bands=common.bands,
        class_names=common.class_names,
        class_colours=common.class_colours,
    )


def split_rows(dataset: xr.Dataset, path: Path, split: Split | None) -> NDArray[np.int64]:
    """Rows of a split (all rows for None), ascending.

    Raises:
        SampleError: there are none.
    """
    if split is None:
        return np.arange(dataset.sizes["sample"])
    values = dataset.split.values
    rows = np.flatnonzero(values == SPLITS.index(split))
    if len(rows) == 0:
        there = [name for i, name in enumerate(SPLITS) if (values == i).any()]
        raise SampleError(
            f"{path} has no samples in the split {split!r}; it has {there or 'no split yet'}. "
            "Tile stores get their splits from `sitsformer merge`"
        )
    return rows


def statistics(path: Path, split: Split = "train") -> BandStatistics:
    """Mean and standard deviation of each band over the valid steps of one split.

    Sums are of whole numbers and exact, so the result does not depend on order or threads; only
    the last division is rounded.

    Args:
        path: of a set store.
        split: which samples; normalisation must never look beyond `train`.
    """
    from concurrent.futures import ThreadPoolExecutor

    dataset = open_samples(path)
    wanted = np.zeros(dataset.sizes["sample"], bool)
    wanted[split_rows(dataset, path, split)] = True
    valid = (dataset.doy.values > 0) & wanted[:, None]
    with (
        shards.Reader(path / "reflectance") as reader,
        ThreadPoolExecutor(shards.threads()) as pool,
    ):

        def sums(chunk: int) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
            rows = reader.rows(chunk)
            return _sums(reader.read(chunk), valid[rows.start : rows.stop])

        count, total, squares = 0, [0] * len(BANDS), [0] * len(BANDS)
        for n, first, second in shards.ahead(pool, sums, range(reader.chunks), 4):
            count += n
            total = [a + int(b) for a, b in zip(total, first, strict=True)]
            squares = [a + int(b) for a, b in zip(squares, second, strict=True)]
    mean = [value / count for value in total]
    variance = [
        (count * square - value * value) / (count * count)
        for value, square in zip(total, squares, strict=True)
    ]
    return BandStatistics(np.array(mean) * SCALE, np.sqrt(np.array(variance)) * SCALE)


def _sums(
    reflectance: NDArray[np.uint16], valid: NDArray[np.bool_]
) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """Values of a band, and sums and sums of squares of each band over valid steps.

    Exact in float64: a chunk holds fewer than 2**19 values of a band (shards.CHUNK_BYTES, bands),
    so the largest sum of squares is below 2**51.
    """
    steps = reflectance[valid].astype(np.float64)
    steps = steps.reshape(len(steps), reflectance.shape[2], -1)
    return (
        steps.shape[0] * steps.shape[2],
        steps.sum(axis=(0, 2)),
        np.einsum("tbp,tbp->b", steps, steps),
    )


def _group_attributes(about: About) -> dict[str, Any]:
    return {
        "Conventions": "CF-1.11",
        "title": f"Patch time series of Sentinel-2 surface reflectance, set {about.name}",
        "set": about.name,
        "split_by": about.split_by,
        "block": about.block,
        "coordinates": " ".join((*_COORDINATES, "spatial_ref")),
    }


def _column_attributes(name: str, about: About) -> dict[str, Any]:
    attributes = dict(_COLUMNS[name][1])
    if name == "label":
        from sitsformer.labels import Legend

        codes = tuple(range(len(about.class_names)))
        flags = Legend(about.label, codes, about.class_names, about.class_colours).flags()
        attributes = {
            **flags,
            **attributes,
            "codes": [list(codes) for codes in about.class_codes],
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
    for name, (dtype, _) in _COLUMNS.items():
        shape = (rows, length) if name in _SERIES else (rows,)
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
            attributes={"long_name": "Sentinel-2 band"},
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


def _problems(dataset: xr.Dataset) -> list[str]:
    problems = []
    expected = {
        "reflectance": (("sample", "time", "band", "py", "px"), "uint16"),
        **{
            name: (("sample", "time") if name in _SERIES else ("sample",), dtype)
            for name, (dtype, _) in _COLUMNS.items()
        },
    }
    for name, (dims, dtype) in expected.items():
        if name not in dataset.variables:
            problems.append(f"{name} is missing")
        elif dataset[name].dims != dims or str(dataset[name].dtype) != dtype:
            found = dataset[name]
            problems.append(f"{name} is {found.dtype} {found.dims}, not {dtype} {dims}")
    if "band" not in dataset.variables:
        problems.append("band is missing")
    return problems
