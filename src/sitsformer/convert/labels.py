"""Labels of any type -> class indices and names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sitsformer.convert.npz import Array, column, texts
from sitsformer.errors import SitsError, some

NONE = (-1, -999, -9999, -32768)
"""Numbers that stand for no label."""
NONE_ABOVE = (255, 65535)
"""And these, where they are beyond the names."""
NO_WORDS = ("", "nan", "none", "null", "(none)")
_MOST = 2**15 - 1


@dataclass(frozen=True)
class Labels:
    """Labels of a set.

    Attributes:
        index: (sample,) int16 class; -1: none.
        names: of the classes.
        codes: numbers that the file had for them.
    """

    index: npt.NDArray[np.int16]
    names: tuple[str, ...]
    codes: tuple[int, ...]


def read(label: Array, rows: int, names: Array | None, where: str) -> Labels:
    """Read one label a sample; -1, NaN, empty text and 255 stand for none.

    `names` are of the numbers 0, 1, ..., or the order of the texts; None: every value is a class.

    Raises:
        SitsError: labels that are neither, or beyond the names.
    """
    flat = column(label, rows, f"{where}: label")
    listed = None if names is None else _names(names, where)
    if flat.dtype.kind in "SU":
        words = texts(flat)
        if all(re.fullmatch(r"-?\d+(?:\.0+)?", w) or w.lower() in NO_WORDS for w in words) and (
            listed is None or not set(words) & set(listed)
        ):
            numbers = [float(-1 if w.lower() in NO_WORDS else w) for w in words]
            return _numbers(np.array(numbers), listed, where)
        return _words(words, listed, where)
    if flat.dtype.kind not in "biuf":
        raise SitsError(f"{where}: label has the type {flat.dtype}: numbers or text were expected")
    return _numbers(flat.astype(np.float64), listed, where)


def _names(names: Array, where: str) -> tuple[str, ...]:
    if names.ndim > 1 and max(names.shape) != names.size:
        raise SitsError(f"{where}: label_names is {names.shape}, expected one name a class")
    found = tuple(texts(names))
    again = sorted({name for name in found if found.count(name) > 1})
    if again or "" in found or not found:
        what = f"the name {again[0]!r} twice" if again else "an empty name"
        raise SitsError(f"{where}: label_names has {what}: each class needs its own")
    return found


def _words(words: list[str], listed: tuple[str, ...] | None, where: str) -> Labels:
    there = {w for w in words if w.lower() not in NO_WORDS or w in (listed or ())}
    names = tuple(sorted(there)) if listed is None else listed
    unknown = sorted(there - set(names))
    if unknown:
        raise SitsError(f"{where}: the label {unknown[0]!r} is not in label_names: {some(names)}")
    return _indexed(words, names, names, tuple(range(len(names))), where)


def _numbers(values: npt.NDArray[np.float64], listed: tuple[str, ...] | None, where: str) -> Labels:
    values = np.where(np.isnan(values), -1, values)
    odd = values[(values != np.floor(values)) | (np.abs(values) > 2**53)]
    if odd.size:
        raise SitsError(f"{where}: labels must be whole numbers or text; found {odd[0]:g}")
    whole = values.astype(np.int64)
    absent = [*NONE, *(v for v in NONE_ABOVE if listed is None or v >= len(listed))]
    whole[np.isin(whole, absent)] = -1
    there = np.unique(whole[whole != -1]).tolist()
    codes = tuple(there) if listed is None else tuple(range(len(listed)))
    if there and there[0] < 0:
        raise SitsError(f"{where}: the label {there[0]} is below 0: write -1 where there is none")
    if listed is not None and there and there[-1] >= len(listed):
        counted = there[0] == 1 and there[-1] == len(listed)
        hint = ": labels count from 0, subtract 1" if counted else ": name every class"
        raise SitsError(
            f"{where}: the label {there[-1]} has no name: label_names has {len(listed)}, for 0 to "
            f"{len(listed) - 1}{hint}"
        )
    names = listed or tuple(f"class_{code}" for code in codes)
    return _indexed(whole.tolist(), codes, names, codes, where)


def _indexed(
    values: Sequence[str | int],
    order: Sequence[str | int],
    names: tuple[str, ...],
    codes: tuple[int, ...],
    where: str,
) -> Labels:
    if len(names) > _MOST:
        raise SitsError(f"{where}: {len(names)} different labels are no classes, at most {_MOST}")
    position = {value: i for i, value in enumerate(order)}
    index = np.array([position.get(value, -1) for value in values], np.int16)
    return Labels(index, names, codes)
