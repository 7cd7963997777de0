"""One .npz with a table of pixel series -> a sample store of patch size 1."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer.convert import bands as bandnames
from sitsformer.convert import days as daynames
from sitsformer.convert import labels as labelnames
from sitsformer.convert import npz, series, splits, store, units
from sitsformer.convert.days import Days, Ints
from sitsformer.convert.npz import Array, Arrays
from sitsformer.errors import SitsError
from sitsformer.registry import find
from sitsformer.samples.contract import KIND
from sitsformer.sensors import DEFAULT, said, sensors

REQUIRED = ("x", "dates")
OPTIONAL = ("lon", "lat", "label", "label_names", "valid", "bands", "split", "block")
logger = logging.getLogger("sitsformer")

_BLOCK = 4096
"""Samples looked at in one go."""


@dataclass(frozen=True)
class _Steps:
    """Which steps of the table are whole, and what the values of these tell.

    Attributes:
        order: (sample, time) positions of the whole steps in order of time; -1 after them.
        scale: reflectance of a value of 1.
    """

    order: Ints
    scale: float


def table(
    path: Path,
    out: Path,
    *,
    fractions: tuple[float, float, float] = (0.5, 0.2, 0.3),
    block: float = 0.5,
    seed: int = 0,
    scale: float | None = None,
    fill: float | None = None,
    bands: Sequence[str] | None = None,
    sensor: str = DEFAULT,
) -> int:
    """Turn one .npz with a table of pixel series into a sample store of patch size 1.

    The file holds `x` (sample, time, band), reflectance or reflectance x 10,000; `lon`, `lat`
    degrees; `dates` (time,) or (sample, time), days; and if it has them `label` (sample,),
    `label_names`, `valid` (sample, time), `bands` (band,) and `block` (sample,), numbers or texts:
    which samples belong to one split, without which `lon` and `lat` may be left out. A step that
    lacks a value in any band is left out, and a sample without a step is dropped and counted.

    Blocks, or else squares with a side of `block` degrees, go to train, validation and test by the
    shares `fractions`; no two splits share one. With `block` the file may hold `split` (sample,)
    instead of that, where no block of the test is in another split. `scale`, `fill`, `bands` and
    `sensor`: see `samples.folder`; the file may name its bands itself.

    Returns:
        The number of samples.

    Raises:
        SitsError: an array is missing, does not fit, or can be read in two ways.
    """
    store.check_place(out, KIND)
    whose = find(sensors(), sensor, "sensor")
    splits.check_shares(fractions, block)
    found = npz.read(path, REQUIRED, OPTIONAL)
    splits.check_places(path, found)
    days = daynames.parse(_dates(path, found["dates"]), f"{path}: dates")
    _check_shape(path, found["x"], days)
    x = found["x"]
    names, positions = bandnames.arrange(_band_names(found, bands), x.shape[2], whose, f"{path}: x")
    lon, lat = _places(path, found, len(x))
    labels = _labels(path, found, len(x))
    steps = _look(
        path,
        x,
        _valid(path, found, x.shape[:2]),
        days,
        fill,
        units.Magnitudes(f"{path}: x", scale, whose),
    )
    kept = steps.order[:, 0] >= 0
    apart = splits.keep_apart(path, found, kept, (lon, lat), fractions, block, seed)
    order = steps.order[kept]
    shape = (x.shape[1], len(names), 1, 1)
    counts = store.manifest(labels, kept, apart.split, steps.scale)
    store.write(
        out,
        _pieces(x[..., positions], np.flatnonzero(kept), order, steps.scale, shape),
        shape,
        {
            "doy": _along(days.doy, np.flatnonzero(kept), order, 0),
            "date": _along(days.date, np.flatnonzero(kept), order, -1),
            "label": labels.index[kept],
            "split": apart.split,
            "block": apart.block,
            "lon": lon[kept],
            "lat": lat[kept],
        },
        store.about(path.stem, labels, names, whose, "label", "block"),
        counts,
        {
            "fractions": list(fractions),
            "block": block,
            "converted": path.name,
            "scale": scale,
            "fill": fill,
            **said(whose),
        },
        {"table": path},
        seed,
    )
    return int(kept.sum())


def _dates(path: Path, dates: Array) -> Array:
    return dates.reshape(-1) if dates.ndim == 2 and 1 in dates.shape else dates


def _check_shape(path: Path, x: Array, days: Days) -> None:
    if x.ndim != 3:
        raise SitsError(f"{path}: x is {x.shape}, expected (sample, time, band)")
    wanted = x.shape[:2] if days.doy.ndim == 2 else x.shape[1:2]
    if days.doy.shape != wanted:
        swapped = days.doy.ndim == 1 and len(days.doy) in (x.shape[0], x.shape[2])
        hint = ": its axes are in another order, transpose it" if swapped else ""
        raise SitsError(
            f"{path}: x is {x.shape}, expected (sample, time, band) with the time steps of dates "
            f"{days.doy.shape}{hint}"
        )
    if 0 in x.shape:
        raise SitsError(f"{path}: x is {x.shape}: it holds nothing")
    if days.doy.ndim == 1 and (days.doy == 0).any():
        raise SitsError(f"{path}: dates lacks a day at position {int(np.argmin(days.doy))}")


def _band_names(found: Arrays, given: Sequence[str] | None) -> Sequence[str] | None:
    if given is not None:
        return given
    return npz.texts(found["bands"]) if "bands" in found else None


def _places(
    path: Path, found: Arrays, rows: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Degrees east and north of the samples; NaN where the file does not say."""
    if "lon" not in found:
        logger.info("%s has no lon and lat: its samples have no place, but their block", path)
        return np.full(rows, np.nan), np.full(rows, np.nan)
    degrees = []
    for name, most in (("lon", 180.0), ("lat", 90.0)):
        flat = npz.column(found[name], rows, f"{path}: {name}")
        if flat.dtype.kind not in "fiu":
            raise SitsError(f"{path}: {name} has the type {flat.dtype}; degrees were expected")
        values = flat.astype(np.float64)
        lost = ~np.isfinite(values)
        if lost.any():
            raise SitsError(
                f"{path}: {name} of {int(lost.sum())} samples is no number (the first is sample "
                f"{int(np.argmax(lost))}): their place decides their split, leave them out"
            )
        beyond = np.abs(values) > most
        if beyond.any():
            raise SitsError(
                f"{path}: {name} of sample {int(np.argmax(beyond))} is {values[beyond][0]:g}, "
                f"expected degrees from {-most:g} to {most:g} (are lon and lat swapped, or metres?)"
            )
        degrees.append(values)
    return degrees[0], degrees[1]


def _labels(path: Path, found: Arrays, rows: int) -> labelnames.Labels:
    if "label" not in found:
        if "label_names" in found:
            raise SitsError(f"{path} has label_names, but no array 'label' with a number a sample")
        logger.info("%s has no array 'label': its samples have no labels", path)
    label = found.get("label", np.full(rows, -1))
    return labelnames.read(label, rows, found.get("label_names"), str(path))


def _valid(path: Path, found: Arrays, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """(sample, time) steps that the file calls valid; all where it has no `valid`."""
    if "valid" not in found:
        return np.ones(shape, bool)
    valid = found["valid"]
    if valid.shape != shape:
        raise SitsError(f"{path}: valid is {valid.shape}, expected {shape} by `x`")
    if valid.dtype.kind not in "biuf":
        raise SitsError(f"{path}: valid has the type {valid.dtype}; 0 and 1 were expected")
    valid = np.nan_to_num(valid.astype(np.float64))
    values = np.unique(valid)
    if len(values[values != 0]) > 1:
        raise SitsError(
            f"{path}: valid holds {', '.join(f'{v:g}' for v in values[:4])}: write 1 for steps to "
            "keep and 0 for others"
        )
    chosen: npt.NDArray[np.bool_] = valid != 0
    return chosen


def _look(
    path: Path,
    x: Array,
    valid: npt.NDArray[np.bool_],
    days: Days,
    fill: float | None,
    sizes: units.Magnitudes,
) -> _Steps:
    order = np.full(x.shape[:2], -1, np.int64)
    for start in range(0, len(x), _BLOCK):
        rows = slice(start, start + _BLOCK)
        values = x[rows, :, :, None, None]
        whole = valid[rows] & ~units.missing(values, fill, f"{path}: x").any((2, 3, 4))
        for i in range(len(values)):
            own = days if days.doy.ndim == 1 else Days(days.doy[start + i], days.date[start + i])
            sample = f"sample {start + i}"
            if (whole[i] & (own.doy == 0)).any():
                raise SitsError(f"{path}: {sample} has a step with values and without a date")
            steps = series.in_order(values[i], whole[i], own, f"{path}: {sample}")
            order[start + i, : len(steps)] = steps
            sizes.add(values[i][steps], sample)
    return _Steps(order, sizes.scale())


def _along(values: Ints, rows: Ints, order: Ints, fill: int) -> Ints:
    """Values of the steps (time,) or (sample, time) in the order of each kept sample."""
    of_samples = values[rows] if values.ndim == 2 else np.broadcast_to(values, order.shape)
    found: Ints = np.where(order >= 0, np.take_along_axis(of_samples, order.clip(0), 1), fill)
    return found


def _pieces(
    x: Array, rows: Ints, order: Ints, scale: float, shape: tuple[int, ...]
) -> Iterator[npt.NDArray[np.uint16]]:
    """Stored values of the kept samples, a chunk at a time."""
    size = store.piece_rows(shape)
    for start in range(0, len(rows), size):
        wanted = order[start : start + size, :, None]
        values: npt.NDArray[Any] = np.take_along_axis(
            x[rows[start : start + size]], wanted.clip(0), 1
        )
        yield units.stored(values, scale, wanted < 0)[..., None, None]
