"""Arrays of an .npz file by name, without unpickling."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer.errors import SitsError

Array = npt.NDArray[Any]
Arrays = dict[str, Array]

OTHER_NAMES = {
    "label": ("labels", "y", "class_label", "target"),
    "class_label": ("label", "labels", "y", "target"),
    "valid": ("mask", "valid_mask"),
    "bands": ("band_names",),
}
"""What people call an array that need not be there; it would be passed over without a word."""


def read(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Arrays:
    """Read the named arrays of a file; others in it are not looked at.

    Raises:
        SitsError: the file is no .npz, lacks an array, or an array holds Python objects.
    """
    try:
        opened = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise SitsError(f"{path} cannot be read as .npz: {_why(error)}") from None
    if not isinstance(opened, np.lib.npyio.NpzFile):
        raise SitsError(f"{path} holds one array without a name (.npy): an .npz was expected")
    with opened:
        for name in required:
            if name not in opened.files:
                raise SitsError(f"{path} lacks the array {name!r}; it has {sorted(opened.files)}")
        for name in optional:
            other = next((n for n in OTHER_NAMES.get(name, ()) if n in opened.files), None)
            if other is not None and name not in opened.files:
                raise SitsError(
                    f"{path} has an array {other!r} and no {name!r}: give it that name, or take it "
                    "out where it is something else"
                )
        wanted = [*required, *(name for name in optional if name in opened.files)]
        return {name: _array(path, opened, name) for name in wanted}


def _array(path: Path, opened: Any, name: str) -> Array:
    try:
        found: Array = opened[name]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error):
            raise SitsError(
                f"{path}: {name!r} is an array of Python objects, which is not read, since "
                "unpickling runs code: save it as numbers, datetime64 or text, such as "
                f"np.array(list({name}))"
            ) from None
        raise SitsError(f"{path}: {name!r} cannot be read: {_why(error)}") from None
    if found.dtype.names is not None:
        raise SitsError(f"{path}: {name!r} is a table of several columns: a plain array is needed")
    return found


def _why(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return "it is a pickle, or damaged" if "allow_pickle" in text else text


def column(array: Array, rows: int, where: str) -> Array:
    """One value a sample: (n,), (n, 1) or (1, n) -> (n,).

    Raises:
        SitsError: another shape.
    """
    if array.size == rows and array.ndim <= 2 and max(array.shape, default=1) == rows:
        return array.reshape(rows)
    hint = ""
    if array.ndim == 2 and array.shape[0] == rows:
        hint = ". Where it is one-hot, save np.argmax(label, 1)"
    raise SitsError(f"{where} is {array.shape}, expected ({rows},), one value a sample{hint}")


def texts(array: Array) -> list[str]:
    """Values of any array as text, bytes decoded, without blanks at the ends.

    Raises:
        SitsError: bytes that are not UTF-8.
    """
    flat = array.reshape(-1).tolist()
    try:
        return [(item.decode() if isinstance(item, bytes) else str(item)).strip() for item in flat]
    except UnicodeDecodeError as error:
        raise SitsError(
            f"the text {error.object!r} is not UTF-8: save it as an array of str, not as bytes of "
            "another encoding"
        ) from None
