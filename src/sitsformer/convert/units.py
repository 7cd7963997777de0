"""Reflectance in whatever numbers -> stored integers, reflectance x 10,000.

Integers are taken for reflectance x 10,000; numbers with a fraction are that or reflectance itself,
which their size tells. What fits neither is refused, and the user says the scale.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer.convert.npz import Array
from sitsformer.errors import SitsError
from sitsformer.sensors import SENTINEL2, Sensor
from sitsformer.stored import MISSING, SCALE

logger = logging.getLogger("sitsformer")

Mask = npt.NDArray[np.bool_]

FILLS = (-999.0, -9999.0, -32768.0, float(MISSING))
"""Values that stand for nothing in other people's files, whatever the unit."""
ABSURD = 1e20
"""No reflectance: NaN's neighbours, such as netCDF's default fill of 9.97e36."""
LOWEST = -0.2
"""Reflectance below this is no over-corrected dark pixel, but a fill value or another quantity."""
_EDGES = np.array([2.0, 256.0, 20000.0])
_MOST = 0.99
"""Share of the values that must fit a unit; the rest may be clouds and glint."""
_ENOUGH = 10_000
"""Values without one below the offset that are no chance."""
_NEGATIVE = 0.2
"""Normalised values have more of them below 0 than any reflectance."""


def missing(values: Array, fill: float | None, where: str) -> Mask:
    """Where values (time, band, ...) stand for nothing; all bands at once where all are alike.

    A pixel with the same value, 0 or less, in all bands is padding or the edge of an image.

    Raises:
        SitsError: values that are no numbers.
    """
    if values.dtype.kind not in "fiu":
        raise SitsError(f"{where} has the type {values.dtype}; numbers were expected")
    if values.dtype.kind == "f" and values.dtype.itemsize == 2:
        values = values.astype(np.float32)
    found = np.zeros(values.shape, bool)
    with np.errstate(invalid="ignore"):
        if values.dtype.kind == "f":
            found |= ~(np.abs(values) < ABSURD)
        for value in FILLS if fill is None else (*FILLS, fill):
            found |= values == value
        flat = (values == values[..., :1, :, :]).all(-3, keepdims=True)
        found |= flat & (values[..., :1, :, :] <= 0)
    return found


@dataclass
class Magnitudes:
    """What the values of a set tell of their unit, collected sample by sample.

    Attributes:
        where: what a message says first.
        given: reflectance of 1 as the user says it; None: the values tell.
        sensor: whose values they are.
    """

    where: str
    given: float | None = None
    sensor: Sensor = SENTINEL2
    _counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(4, np.int64))
    _negative: int = 0
    _smallest: float = np.inf
    _largest: float = -np.inf
    _whole: bool = True
    _tops: list[tuple[float, str]] = field(default_factory=list)

    def add(self, values: Array, sample: str) -> None:
        """Count the valid values of one sample."""
        if not values.size:
            return
        wide = values.astype(np.float64)
        self._counts += np.bincount(np.searchsorted(_EDGES, wide.reshape(-1)), minlength=4)
        self._negative += int((wide < 0).sum())
        self._smallest = min(self._smallest, float(wide.min()))
        top = float(wide.max())
        self._largest = max(self._largest, top)
        self._whole &= values.dtype.kind in "iu"
        self._tops.append((top, sample))

    def scale(self) -> float:
        """Reflectance of a value of 1.

        Raises:
            SitsError: the values are of no unit that can be told, of two units, or too large.
        """
        if not self._counts.any():
            raise SitsError(
                f"{self.where}: no step of any sample has a value in every band (NaN, fill values, "
                "and 0 in all bands are none)"
            )
        found = self._told() if self.given is None else self.given
        if found == self.sensor.scale and found != SCALE and self.sensor.offset:
            raise SitsError(
                f"{self.where}: numbers of {self.sensor.title}'s products are reflectance only "
                f"with their offset (x {found:g} {self.sensor.offset:+g}): give reflectance"
            )
        low, high = self._smallest * found, self._largest * found
        if low < LOWEST:
            raise SitsError(
                f"{self.where}: the value {self._smallest:g} would be a reflectance of {low:g}: "
                "where it stands for nothing say so with --fill, or give --scale"
            )
        if round(high / SCALE) >= MISSING:
            raise SitsError(
                f"{self.where}: the value {self._largest:g} would be a reflectance of {high:g}, "
                f"and the largest that can be stored is {(MISSING - 1) * SCALE:g}: where it stands "
                "for nothing say so with --fill, or give --scale"
            )
        since = self.sensor.offset_since
        if since and low >= -self.sensor.offset and self._counts.sum() >= _ENOUGH:
            logger.warning(
                "warning: %s: no reflectance is below %g. Since %s the numbers of L2A "
                "files are %d too large: take that away first if you have not",
                self.where,
                low,
                f"{since:%B %Y}",
                round(-self.sensor.offset / SCALE),
            )
        return found

    def _told(self) -> float:
        total = max(1, int(self._counts.sum()))
        if self._negative > _NEGATIVE * total:
            raise SitsError(
                f"{self.where}: {self._negative / total:.0%} of the values are below 0; they look "
                "normalised. Give reflectance as it was before"
            )
        share = np.cumsum(self._counts) / total
        if share[0] >= _MOST and not self._whole:
            return 1.0
        if share[1] < _MOST <= share[2]:
            return self._alike()
        kind = "whole numbers" if self._whole else "numbers"
        raise SitsError(
            f"{self.where}: {kind} from {self._smallest:g} to {self._largest:g} are neither "
            "reflectance (0 to 1) nor reflectance x 10,000: say with --scale what 1 stands for "
            "(0.0001 for x 10,000, 0.01 for percent)"
        )

    def _alike(self) -> float:
        """Reflectance x 10,000, unless a sample's numbers with a fraction are all small."""
        if self._whole:
            return SCALE
        for top, sample in self._tops:
            if 0 < top <= _EDGES[0]:
                raise SitsError(
                    f"{self.where}: most values are reflectance x 10,000, but those of {sample} go "
                    f"up to {top:g} alone: bring all samples to one unit"
                )
        return SCALE


def stored(values: Array, scale: float, gaps: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """Values as stored: reflectance x 10,000, rounded, below 0 as 0; 65535 at `gaps`."""
    wide = np.where(gaps, 0, values).astype(np.float64) * (scale / SCALE)
    found = np.clip(np.rint(wide), 0, MISSING - 1).astype(np.uint16)
    found[np.broadcast_to(gaps, found.shape)] = MISSING
    return found
