"""The sample-store contract: patch time series with labels and splits, in one sharded Zarr store.

    reflectance (sample, time, band, py, px)  uint16, reflectance x 10,000; 65535 padding
    doy         (sample, time)                int16 day of year 1-366 in time order; 0 padding
    date        (sample, time)                int32 days since 1970-01-01; -1 padding
    label       (sample)                      int16 class index, -1 none; CF flags, legend `codes`
    split       (sample)                      uint8 0 train, 1 validation, 2 test, 255 not yet
    area, tile  (sample)                      int32 positions in the attributes `names`
    block       (sample)                      int64 square of the UTM grid, see splits.block_ids; in
                                              a split by group the group
    lon lat x y epsg (sample)                 centre of the patch, degrees and UTM metres
    feature group weight (sample)             of the labelled feature; with labels of a survey alone

Valid steps come first and hold no missing value. The patch's centre is the labelled pixel. A
`manifest.json` beside the arrays counts what was kept and dropped. `xr.open_zarr` opens a store
with units, flags and CRS; `load_samples` gives the plain arrays that training works on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sitsformer import artefacts, threads
from sitsformer.classes import Classes
from sitsformer.config import Split
from sitsformer.samples import shards
from sitsformer.samples.contract import (
    COLUMNS,
    KIND,
    SERIES,
    SPLITS,
    SURVEYED,
    About,
    Columns,
    SampleError,
    encoded,
    write_arrays,
    write_manifest,
    write_reflectance,
)
from sitsformer.sensors import SENTINEL2, Sensor, recorded
from sitsformer.stored import SCALE

if TYPE_CHECKING:
    import xarray as xr

_Sums: TypeAlias = tuple[int, NDArray[Any], NDArray[Any]]
_CHECKED = ("reflectance/c/",)
"""The large array: a chunk's checksum is looked at when the chunk is read, not before."""


@dataclass(frozen=True)
class Samples:
    """Samples in memory.

    Attributes:
        reflectance: (sample, time, band, py, px) uint16, reflectance x 10,000; 65535 padding. No
            time step of any where they were not asked for.
        doy: (sample, time) int16, 1-366; 0 padding.
        label: (sample,) int64 class index; -1 none.
        split: (sample,) uint8 position in SPLITS.
        block: (sample,) int64.
        index: (sample,) int64 row in the store.
        lon, lat: (sample,) float64 degrees.
        bands: names in the order of `band`.
        classes: in the order of `label`.
        sensor: whose images they are.
        weight: (sample,) float64 of the labelled feature; None where all are alike.
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
    classes: Classes
    sensor: Sensor = SENTINEL2
    weight: NDArray[np.float64] | None = None

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
    """Mean and standard deviation of each band (band,), units of reflectance.

    The deviation of a band that holds one value throughout is 1: there is nothing to scale.
    """

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

    `reflectance` is (sample, time, band, py, px) uint16; `columns` are the small arrays by name,
    `doy` and `label` at least. Missing ones are filled: `split` unassigned, positions 0, places
    unknown (NaN). The manifest holds counts; config, inputs and seed say what the store is made of.
    """
    steps = reflectance.shape[1:]
    chunk = shards.chunk_rows(int(np.prod(steps)) * 2)
    pieces = (reflectance[i : i + chunk] for i in range(0, len(reflectance), chunk))
    with artefacts.create(path, KIND, config=config or {}, inputs=inputs, seed=seed) as partial:
        write_reflectance(partial, encoded(pieces, chunk))
        write_arrays(partial, len(reflectance), steps, columns, about)
        write_manifest(partial, manifest or {})


def open_samples(path: Path) -> xr.Dataset:
    """Open a store lazily with raw integers, and check the contract.

    Raises:
        SampleError: it is missing, damaged or breaks the contract.
    """
    import xarray as xr

    recorded = artefacts.has_record(path)
    problems = artefacts.glance(path, checked=_CHECKED) if recorded else []
    if problems:
        raise SampleError(f"{path} {artefacts.damage(problems)}, make the store again")
    try:
        dataset: xr.Dataset = xr.open_zarr(
            path, mask_and_scale=False, decode_times=False, chunks=None, consolidated=True
        )
        if not recorded:
            # Of a store that somebody else wrote nothing is known; what is small is read at once,
            # so that damage shows here.
            for name in set(dataset.variables) - {"reflectance"}:
                dataset.variables[name].load()
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise SampleError(
            f"{path} cannot be opened as a sample store: {error}; make it again"
        ) from None
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
        classes=Classes(
            tuple(label["flag_names"]),
            tuple(str(label["flag_colours"]).split()),
            tuple(tuple(codes) for codes in label["codes"]),
        ),
        label=str(label["layer"]),
        tiles=tuple(dataset.tile.attrs["names"]),
        areas=tuple(area["names"]),
        years=tuple(area["years"]),
        split_by=str(dataset.attrs["split_by"]),
        block=float(dataset.attrs["block"]),
        bands=tuple(map(str, dataset.band.values.tolist())),
        sensor=recorded(dataset.attrs),
    )


def load_samples(
    path: Path,
    split: Split | None = None,
    *,
    choose: Callable[[xr.Dataset, NDArray[np.int64]], NDArray[Any]] | None = None,
    reflectance: bool = True,
) -> Samples:
    """Read a store, or one split of it, into memory.

    Args:
        path: the store.
        split: None: all of it.
        choose: the opened store and the rows (row,) of the split, ascending -> which of them are
            wanted: positions among them or a mask. Reflectances of no others are held.
        reflectance: whether it is wanted; else its array is (sample, 0, band, py, px).

    Raises:
        SampleError: the store is damaged, or the split is empty.
    """
    dataset = open_samples(path)
    rows = split_rows(dataset, path, split)
    if choose is not None:
        rows = rows[choose(dataset, rows)]
    common = about(dataset)
    weight = dataset.weight.values if "weight" in dataset.variables else None
    if weight is not None and (weight == weight[:1]).all():
        weight = None
    if reflectance:
        with shards.Reader(path / "reflectance") as reader:
            values = reader.take(rows)
    else:
        values = np.empty((len(rows), 0, *dataset.reflectance.shape[2:]), np.uint16)
    return Samples(
        reflectance=values,
        doy=dataset.doy.values[rows],
        label=dataset.label.values[rows].astype(np.int64),
        split=dataset.split.values[rows],
        block=dataset.block.values[rows],
        index=rows,
        lon=dataset.lon.values[rows],
        lat=dataset.lat.values[rows],
        bands=common.bands,
        classes=common.classes,
        sensor=common.sensor,
        weight=None if weight is None else weight[rows],
    )


def labelled(dataset: xr.Dataset, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows have a label, for `load_samples`."""
    found: NDArray[np.bool_] = dataset.label.values[rows] >= 0
    return found


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

    Normalisation must never look beyond `train`.

    Raises:
        SampleError: the store is damaged, or the split has no sample or no valid step.
    """
    dataset = open_samples(path)
    wanted = np.zeros(dataset.sizes["sample"], bool)
    wanted[split_rows(dataset, path, split)] = True
    valid = (dataset.doy.values > 0) & wanted[:, None]
    if not valid.any():
        raise SampleError(
            f"the samples of {path} in the split {split!r} have no valid step (`doy` is 0 "
            "everywhere); make the store again"
        )
    with (
        shards.Reader(path / "reflectance") as reader,
        ThreadPoolExecutor(threads.count()) as pool,
    ):

        def sums(chunk: int) -> _Sums:
            rows = reader.rows(chunk)
            return _sums(reader.read(chunk), valid[rows.start : rows.stop])

        # A split may be anywhere: chunks without a sample of it are not read.
        chunks = np.unique(np.flatnonzero(valid.any(axis=1)) // reader.chunk).tolist()
        return _statistics(shards.ahead(pool, sums, chunks, 4))


def statistics_of(samples: Samples, split: Split = "train") -> BandStatistics:
    """`statistics` of samples in memory.

    Raises:
        SampleError: the split has no sample or no valid step.
    """
    valid = (samples.doy > 0) & (samples.split == SPLITS.index(split))[:, None]
    if not valid.any():
        raise SampleError(f"no sample of the split {split!r} has a valid step; make the set again")
    rows = shards.chunk_rows(samples.reflectance[:1].nbytes)
    pieces = (slice(start, start + rows) for start in range(0, len(samples), rows))
    return _statistics(_sums(samples.reflectance[piece], valid[piece]) for piece in pieces)


def _statistics(sums: Iterable[_Sums]) -> BandStatistics:
    """Statistics from what `_sums` found in every piece.

    Sums are of whole numbers and exact, so the result does not depend on pieces, order or threads;
    only the last division is rounded.
    """
    counts, totals, squared = zip(*sums, strict=True)
    count = sum(counts)
    total = [sum(map(int, band)) for band in zip(*totals, strict=True)]
    squares = [sum(map(int, band)) for band in zip(*squared, strict=True)]
    mean = [value / count for value in total]
    variance = [
        (count * square - value * value) / (count * count)
        for value, square in zip(total, squares, strict=True)
    ]
    std = np.sqrt(np.array(variance)) * SCALE
    return BandStatistics(np.array(mean) * SCALE, np.where(std > 0, std, 1.0))


def _sums(reflectance: NDArray[np.uint16], valid: NDArray[np.bool_]) -> _Sums:
    """Values of a band, and sums and sums of squares of each band over valid steps.

    Exact in float64: a chunk holds at most 2**22 values (shards.CHUNK_BYTES), so with two bands or
    more a sum of squares is below 2**53. A single band is summed in whole numbers.
    """
    bands = reflectance.shape[2]
    steps = reflectance[valid].astype(np.float64 if bands > 1 else np.int64)
    steps = steps.reshape(len(steps), bands, reflectance.shape[3] * reflectance.shape[4])
    return (
        steps.shape[0] * steps.shape[2],
        steps.sum(axis=(0, 2)),
        np.einsum("tbp,tbp->b", steps, steps),
    )


def _problems(dataset: xr.Dataset) -> list[str]:
    problems = []
    surveyed = {name: column for name, column in SURVEYED.items() if name in dataset.variables}
    expected = {
        "reflectance": (("sample", "time", "band", "py", "px"), "uint16"),
        **{
            name: (("sample", "time") if name in SERIES else ("sample",), dtype)
            for name, (dtype, _) in {**COLUMNS, **surveyed}.items()
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
