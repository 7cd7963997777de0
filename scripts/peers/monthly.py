"""A sample store as peers are fed: medians of calendar months, places, elevations.

What is given is what there is: a month or band without a value is marked as missing, never filled.
"""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from sitsformer.sensors import SENTINEL2
from sitsformer.stored import MISSING, SCALE

LONGEST = 24
"""Months that the peers know positions for."""

NAMES = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
"""Bands as both peers order them."""


@dataclass(frozen=True)
class Monthly:
    """Medians of the centre pixel of each sample.

    Attributes:
        values: (sample, month, band) float32 reflectance, NaN = none; bands are `NAMES`.
        month: (month,) 0 = January, one after the other.
        ndvi: (sample, month) float32, NaN = none.
        lonlat: (sample, 2) degrees, NaN = not known.
    """

    values: np.ndarray
    month: np.ndarray
    ndvi: np.ndarray
    lonlat: np.ndarray


def monthly(path: Path) -> Monthly:
    """Monthly medians of a sample store.

    Raises:
        SystemExit: its dates span more than `LONGEST` months, or it has no band of `NAMES`.
    """
    from sitsformer.samples import open_samples

    store = open_samples(path)
    bands = [str(name) for name in store.band.values]
    middle = store.sizes["py"] // 2
    stored = store.reflectance.isel(py=middle, px=middle).values
    values = np.full((*stored.shape[:2], len(NAMES)), np.nan, np.float32)
    for place, name in enumerate(NAMES):
        if name in bands:
            own = stored[..., bands.index(name)]
            values[..., place] = np.where(own == MISSING, np.nan, own * np.float32(SCALE))
    if np.isnan(values).all():
        raise SystemExit(f"{path} has the bands {bands}, none of {SENTINEL2.title}'s ten")
    number = _month_numbers(store)
    known = number >= 0
    first, last = int(number[known].min()), int(number[known].max())
    if last - first >= LONGEST:
        raise SystemExit(
            f"{path} spans {last - first + 1} months; the peers take {LONGEST} at most: make a "
            "store of one season"
        )
    span = np.arange(first, last + 1)
    found = np.stack([_median(values, number == one) for one in span], 1)
    red, nir = (found[..., NAMES.index(name)] for name in ("B04", "B08"))
    with np.errstate(invalid="ignore", divide="ignore"):
        ndvi = np.where(nir + red > 0, (nir - red) / (nir + red), 0)
    ndvi[np.isnan(nir + red)] = np.nan
    lonlat = np.stack([store.lon.values, store.lat.values], 1)
    return Monthly(found, span % 12, ndvi.astype(np.float32), lonlat)


def _month_numbers(store: Any) -> np.ndarray:
    """(sample, time) months since 1970, or of the year where the store has no dates; -1 = none."""
    doy, date = store.doy.values, store.date.values
    if (date[doy > 0] >= 0).all():
        days = date.astype("datetime64[D]") if date.dtype.kind in "iu" else date
        months = days.astype("datetime64[M]").astype(np.int64)
    else:
        starts = np.array([1, 32, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335])
        months = np.searchsorted(starts, doy, side="right") - 1
    return np.where(doy > 0, months, -1)


def _median(values: np.ndarray, here: np.ndarray) -> np.ndarray:
    """(sample, band) medians of some steps, NaN without one."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="All-NaN slice")
        return np.nanmedian(np.where(here[..., None], values, np.nan), axis=1).astype(np.float32)


def places(found: Monthly, given: bool) -> np.ndarray:
    """(sample, 2) degrees: of each sample, or the middle of all for every one.

    Raises:
        SystemExit: places are wanted and not known.
    """
    if given:
        lost = ~np.isfinite(found.lonlat).all(1)
        if lost.any():
            raise SystemExit(f"--place: {int(lost.sum())} samples of the store have no place")
        return found.lonlat
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mean of empty slice")
        middle = np.nan_to_num(np.nanmean(found.lonlat, axis=0))
    return np.broadcast_to(middle, found.lonlat.shape)


def elevations(path: Path | None, samples: int) -> np.ndarray | None:
    """(sample, 2) elevation in metres and slope in degrees; a file of elevations has slope 0.

    Raises:
        SystemExit: the file holds something else.
    """
    if path is None:
        return None
    try:
        found = np.load(path, allow_pickle=False).astype(np.float32)
    except (OSError, ValueError) as error:
        raise SystemExit(f"--elevation: {path} cannot be read: {error}") from None
    if found.shape == (samples,):
        found = np.stack([found, np.zeros_like(found)], 1)
    if found.shape != (samples, 2) or not np.isfinite(found).all():
        raise SystemExit(
            f"--elevation: {path} is {found.shape}; asked for ({samples},) metres, or "
            f"({samples}, 2) metres and degrees of slope, in the order of the store, all known"
        )
    return found


def module_of(clone: Path, name: str) -> ModuleType:
    """A file of the peer's repository.

    Raises:
        SystemExit: the clone does not have it, or lacks what it imports.
    """
    path = clone / name
    if not path.is_file():
        raise SystemExit(
            f"{path} is not there: give the folder of a clone of the peer's repository"
        )
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise SystemExit(f"{path} needs {error.name!r}: pip install {error.name}") from None
    return module


def write(out: Path, features: np.ndarray) -> None:
    """Save features for `fewshot.options.NAME.features`.

    Raises:
        SystemExit: some are not finite.
    """
    if not np.isfinite(features).all():
        raise SystemExit("the peer gave features that are not finite: nothing is written")
    out.parent.mkdir(parents=True, exist_ok=True)
    np.save(out, features.astype(np.float32))
    print(f"{out}: {features.shape[0]} samples, {features.shape[1]} features")
