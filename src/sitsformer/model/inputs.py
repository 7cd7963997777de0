"""Samples as people have them -> stored integers and days of year, and what cannot be refused.

Numpy arrays, lists and xarray (which is known by its `dims` alone; nothing of it is imported).

Axes: S samples, T time steps, C bands, P x P pixels of a patch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer.errors import SitsError
from sitsformer.model.steps import LAST_DAY
from sitsformer.stored import MISSING, SCALE

Stored = npt.NDArray[np.uint16]
Ints = npt.NDArray[np.int64]

NAMES = ("sample", "time", "band", "py", "px")
"""Dimensions of reflectance, as sample stores name them."""

STEP = NAMES[:2]
"""Dimensions of days."""

DAY = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].*)?$")
"""A date as text; hours do not count."""

HIGHEST = 6.5
"""Reflectance that stored integers hold at most, nearly; clouds and snow reach about 1.5."""

LOWEST = 0.002
"""Largest of the reflectances given that is less is none: integers were scaled twice."""

FAR = 1.5
"""Distance from the model's statistics, in their standard deviations, up to which nothing is
said: another landscape may be that far."""

CLOSER = 1 / 3
"""A change of scale, offset or order that brings the values so much closer was left out before."""

BRIGHTEST = 1.5
"""Mean reflectance of a band that no ground has: fresh snow stays below 1."""

REMEDY = "say check=False"

LOOKED_AT = 4096
"""Samples that plausibility is judged by, evenly over all."""


def as_stored(
    reflectance: Any, doy: Any, bands: Sequence[str], shape: tuple[int, int, int]
) -> tuple[Stored, Ints]:
    """Samples in the form of sample stores.

    Args:
        reflectance: (S, T, C, P, P); see `SITSFormer.predict`.
        doy: (S, T) days of year or dates.
        bands: names of the model's bands.
        shape: (C, P, P) that the model reads.

    Returns:
        (S, T, C, P, P) uint16, and (S, T) days of year, valid steps in front.

    Raises:
        SitsError: other shapes, bands, types or values.
    """
    values = _array(_in_order(reflectance, bands), "reflectances")
    if values.ndim != 5 or values.shape[2:] != shape:
        raise SitsError(
            f"the model reads (sample, time, {', '.join(map(str, shape))}), bands {list(bands)}; "
            f"found {values.shape}"
        )
    days = _days(doy)
    if days.shape != values.shape[:2]:
        raise SitsError(f"days of year are {days.shape}, but the samples are {values.shape[:2]}")
    stored = _integers(values)
    if values.dtype.kind == "f":
        # A step of which nothing was seen is none; whoever decoded a store has such padding.
        days = np.where((stored == MISSING).all((2, 3, 4)), 0, days)
    return _packed(stored, days)


def _in_order(reflectance: Any, bands: Sequence[str]) -> Any:
    """A DataArray with its dimensions and bands in the model's order; all else as it is."""
    dims = getattr(reflectance, "dims", None)
    if dims is None:
        return reflectance
    if set(dims) != set(NAMES):
        raise SitsError(f"reflectance has the dimensions {tuple(dims)}; the model reads {NAMES}")
    if "band" in getattr(reflectance, "coords", {}) and bands:
        there = [str(name) for name in reflectance["band"].values.tolist()]
        lacking = [name for name in bands if name not in there]
        if lacking:
            raise SitsError(
                f"the model reads the bands {list(bands)}; these samples have {there}, without "
                f"{', '.join(lacking)}"
            )
        if there != list(bands):
            reflectance = reflectance.isel(band=[there.index(name) for name in bands])
    return reflectance.transpose(*NAMES)


def _integers(values: npt.NDArray[Any]) -> Stored:
    if values.dtype == np.uint16:
        return values
    if values.dtype.kind in "iu":
        if values.size and not 0 <= values.min() <= values.max() <= MISSING:
            raise SitsError(
                f"integers are stored reflectance, 0 to {MISSING - 1} with {MISSING} for missing; "
                f"found {values.min()} to {values.max()}: give floats of reflectance, NaN for "
                "missing"
            )
        return values.astype(np.uint16)
    if values.dtype.kind != "f":
        raise SitsError(f"reflectance must be whole numbers or floats; found {values.dtype}")
    values = values.astype(np.promote_types(values.dtype, np.float32))  # halves end at 65,504
    seen = np.isfinite(values)
    if np.isinf(values).any():
        raise SitsError("reflectance holds infinite values; give NaN where nothing was seen")
    highest = float(values.max(where=seen, initial=0))
    lowest = float(values.min(where=seen, initial=0))
    if highest > HIGHEST or lowest < -1 or (seen.any() and highest < LOWEST):
        raise SitsError(
            f"floats are reflectance, 0 to about 1; found {lowest:g} to {highest:g}: divide by the "
            "scale of the values (10,000 for most Sentinel-2 products), subtract their offset, and "
            "give NaN for what is missing; or give the stored integers as uint16"
        )
    # Slightly negative reflectances are noise of atmospheric correction over dark ground.
    whole = np.rint(np.where(seen, values, 0).clip(0) / SCALE)
    return np.where(seen, whole, MISSING).astype(np.uint16)


def _days(doy: Any) -> Ints:
    """(S, T) days of year; 0 where there is no step."""
    found = _array(
        doy if set(getattr(doy, "dims", ())) != {*STEP} else doy.transpose(*STEP), "days"
    )
    if found.dtype.kind in "OUT":
        found = _said(found)
    if found.dtype.kind == "M":
        years = found.astype("datetime64[Y]")
        whole = found.astype("datetime64[D]") - years.astype("datetime64[D]")
        return np.where(np.isnat(found), 0, whole.astype(np.int64) + 1)
    if found.dtype.kind == "f":
        found = np.where(np.isnan(found), 0, found)
        if not np.array_equal(found, np.rint(found)):
            raise SitsError("days of year must be whole numbers, 1-366, 0 or NaN for no step")
    elif found.dtype.kind not in "iu":
        raise SitsError(f"days must be days of year or dates; found {found.dtype}")
    days: Ints = found.astype(np.int64)
    if days.size and not 0 <= days.min() <= days.max() <= LAST_DAY:
        raise SitsError(f"days of year are {days.min()} to {days.max()}, not 0 to {LAST_DAY}")
    return days


def _said(found: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Days of year or dates that came as text, as Python's own, or with None among them.

    Numpy alone would take the text "91" for a year, and the number 91 for nanoseconds.
    """
    values = found.ravel().tolist()
    there = [value is not None and value == value and value not in ("", "NaT") for value in values]
    given = [value for value, is_there in zip(values, there, strict=True) if is_there]
    numbers = all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in given)
    known = numbers or all(
        isinstance(v, date | np.datetime64) or (isinstance(v, str) and DAY.match(v)) for v in given
    )
    try:
        if not known:
            raise ValueError
        if numbers:
            plain = np.array([v if yes else 0 for v, yes in zip(values, there, strict=True)], float)
            return plain.reshape(found.shape)
        days = [
            np.datetime64(str(v)[:10] if yes else "NaT", "D")
            for v, yes in zip(values, there, strict=True)
        ]
        return np.array(days, "datetime64[D]").reshape(found.shape)
    except ValueError:
        odd = next((v for v in given if not (isinstance(v, str) and DAY.match(v))), given[0])
        raise SitsError(
            f"days must be days of year (1-366, 0 none) or dates, text as 2021-04-30; found {odd!r}"
        ) from None


def _array(values: Any, what: str) -> npt.NDArray[Any]:
    """An array of what people give; masked values as missing ones."""
    try:
        if isinstance(values, np.ma.MaskedArray):
            fill = {"f": np.nan, "M": np.datetime64("NaT")}.get(
                values.dtype.kind, 0 if what == "days" else MISSING
            )
            found = np.array(values.data, values.dtype if values.dtype.kind in "fM" else np.int64)
            found[np.ma.getmaskarray(values)] = fill
            return found
        return np.asarray(values)
    except ValueError:
        raise SitsError(
            f"{what} are no array: the lists have different lengths; fill each series up, days "
            "with 0 or None, reflectance with NaN"
        ) from None


def _packed(stored: Stored, days: Ints) -> tuple[Stored, Ints]:
    """Valid steps in front, in their order."""
    valid = days > 0
    empty = np.flatnonzero(~valid.any(1))
    if len(empty):
        shown = ", ".join(map(str, empty[:8].tolist())) + (", ..." if len(empty) > 8 else "")
        raise SitsError(
            f"{len(empty)} of {len(days)} samples have no valid time step (samples {shown}): leave "
            "them out"
        )
    if not (valid[:, 1:] & ~valid[:, :-1]).any():
        return stored, days
    order = np.argsort(~valid, axis=1, kind="stable")
    each = np.arange(len(days))[:, None]
    return stored[each, order], days[each, order]


def refuse_implausible(
    stored: Stored,
    days: Ints,
    mean: npt.NDArray[np.floating],
    std: npt.NDArray[np.floating],
    remedy: str = REMEDY,
) -> None:
    """Refuse reflectances that look like another scale, offset or order of bands.

    The means of the bands are compared with those the model was trained on. Nothing is said of
    values that are merely unlike them: only of such as one slip would explain.

    Args:
        stored: (S, T, C, P, P) uint16.
        days: (S, T).
        mean: (C,) reflectance that the model was trained on.
        std: (C,).
        remedy: how the caller is told that they are right.

    Raises:
        SitsError: with the slip, and what to do.
    """
    every = max(1, len(stored) // LOOKED_AT)
    steps = stored[::every][days[::every] > 0]
    seen = steps != MISSING
    count = seen.sum((0, 2, 3))
    if not count.all():
        return
    found = steps.sum((0, 2, 3), where=seen, dtype=np.float64) / count * SCALE
    refuse_means(found, mean, std, remedy)


def refuse_means(
    found: npt.NDArray[np.floating],
    mean: npt.NDArray[np.floating],
    std: npt.NDArray[np.floating],
    remedy: str = REMEDY,
) -> None:
    """The same of the mean (C,) reflectance of each band.

    Args:
        found: (C,).
        mean: (C,) reflectance that the model was trained on.
        std: (C,).
        remedy: how the caller is told that they are right.

    Raises:
        SitsError: see `refuse_implausible`.
    """
    if not mean.any():
        return  # a model that was converted without statistics

    def distance(values: npt.NDArray[np.floating]) -> float:
        return float(np.sqrt(np.mean(((values - mean) / std) ** 2)))

    usual = distance(found)
    # What is far too small is near in standard deviations: zero is not far from most means.
    dark = bool((found < mean / 5).all())
    slips = {
        "they are 10 times too small: check their scale": found * 10,
        "they are 100 times too small: check their scale": found * 100,
        "they have an offset of 0.1 (1000 in stored integers: Sentinel-2 products since January "
        "2022): subtract it": found - 0.1,
        "their bands stand in the reverse order": found[::-1],
    }
    if found.max() > BRIGHTEST:
        slips["they are 10 times too large: divide them"] = found / 10
    best = min(slips, key=lambda slip: distance(slips[slip]))
    if distance(slips[best]) < CLOSER * usual and (usual > FAR or dark):
        shown = ", ".join(f"{value:.3f}" for value in found)
        known = ", ".join(f"{value:.3f}" for value in mean)
        raise SitsError(
            f"these reflectances are unlike those the model was trained on, and it looks as if "
            f"{best}; means of the bands: {shown}; the model's: {known}. If they are right, "
            f"{remedy}"
        )
