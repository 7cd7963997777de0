"""Samples that are windows of one series of images, each pixel of which is in many of them.

A map's samples overlap: cut out, patches of 5 x 5 pixels are 25 times as large as what they are cut
from. A GPU is given the images once, and cuts there (`model/cutting.py`).

Axes: T images of the series, C bands, Y x X its pixels; n samples, S steps of one, P x P pixels of
a patch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer.stored import MISSING

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Images:
    """A series of images.

    Attributes:
        values: (T, C, Y, X) uint16, 65535 = missing.
        elsewhere: copies by device; see `model/cutting.py`.
    """

    values: npt.NDArray[np.uint16]
    elsewhere: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def last(self) -> npt.NDArray[np.uint16]:
        """(T, Y, X, C) the same with bands last.

        A row of a patch is then one piece of memory, and a gather several times as fast.
        """
        return np.ascontiguousarray(np.moveaxis(self.values, 1, 3))


@dataclass(frozen=True)
class Windows:
    """Patches of some pixels on some dates, not cut out yet; numpy takes them for (n, S, C, P, P).

    Attributes:
        images: what they are cut from.
        step: (n, S) which image; any where `doy` is 0.
        row: (n,) first row of the patch.
        column: (n,) first column.
        doy: (n, S) days of year, 0 = no step; steps stand in front.
        patch: P.
    """

    images: Images = field(repr=False)
    step: Ints
    row: Ints
    column: Ints
    doy: Ints
    patch: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, S, C, P, P)."""
        return *self.step.shape, self.images.values.shape[1], self.patch, self.patch

    def take(self, chosen: npt.NDArray[np.bool_]) -> Windows:
        """Some of the samples."""
        return Windows(
            self.images,
            self.step[chosen],
            self.row[chosen],
            self.column[chosen],
            self.doy[chosen],
            self.patch,
        )

    def centres(self) -> npt.NDArray[np.uint16]:
        """(step, C) values of the middle pixel, over all steps of all samples."""
        sample, place = np.nonzero(self.doy > 0)
        half = self.patch // 2
        row, column = self.row[sample] + half, self.column[sample] + half
        found: npt.NDArray[np.uint16] = self.images.values[self.step[sample, place], :, row, column]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """(n, S, C, P, P) uint16, missing where there is no step."""
        sides = (self.patch, self.patch)
        view = np.lib.stride_tricks.sliding_window_view(self.images.last, sides, axis=(1, 2))
        found = view[self.step, self.row[:, None], self.column[:, None]]
        found[self.doy == 0] = MISSING
        return found if dtype is None else found.astype(dtype, copy=False)
