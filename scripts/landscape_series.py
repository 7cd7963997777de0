"""Series to compare: pixels of the embedded landscape, or a table of real ones.

Used by `landscape_statistics.py` and `landscape_difficulty.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sitsformer.baselines.series import interpolate
from sitsformer.config import Area, Synthetic
from sitsformer.errors import SitsError
from sitsformer.grid import tiles
from sitsformer.imagery.synthetic.source import SyntheticSource
from sitsformer.sensors import BANDS

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

HOME = (-94.90, 43.10, -94.80, 43.16)
PLACES = (HOME, (-98.10, 44.00, -98.00, 44.06), (-97.30, 40.80, -97.20, 40.86))
CLEAR = 60
"""Least cloud score of a date that counts."""
SMALLEST = 75
"""Classes of a table with fewer series are left out."""


@dataclass(frozen=True)
class Series:
    """Series of single pixels; dates that do not count are left out.

    Attributes:
        name: what they are.
        values: (sample, time, band) reflectance; NaN padding at the end.
        day: (sample, time) days since the first of January of the season's year; -1 padding.
        label: (sample,) position in `classes`.
        classes: names.
        cell: (sample,) number of the square of ground that the sample lies in.
        place: (sample,) number of the wider region within which fields are compared.
        bands: names.
    """

    name: str
    values: Floats
    day: Ints
    label: Ints
    classes: tuple[str, ...]
    cell: Ints
    place: Ints
    bands: tuple[str, ...]

    def on(self, grid: Ints) -> Floats:
        """(sample, day of `grid`, band) by linear interpolation."""
        return interpolate(self.values, self.day, grid)


def of_landscape(
    year: int = 2021,
    places: tuple[tuple[float, float, float, float], ...] = (HOME,),
    tiles_each: int = 6,
    pixels: int = 1000,
) -> Series:
    """Pixels with a crop label from tiles of some places in one year, with the default settings."""
    draw = np.random.default_rng(0)
    source = SyntheticSource(Synthetic())
    parts = []
    for number, bounds in enumerate(places):
        area = Area(
            source="synthetic",
            bounds=bounds,
            start=date(year, 3, 1),
            end=date(year, 10, 31),
            labels=("worldcover", "cdl"),
        )
        found = tiles("area", area)
        for tile in (found[i] for i in draw.permutation(len(found))[:tiles_each]):
            cube = source.cube("area", area, tile)
            row, column = np.nonzero(cube.cdl.values)
            kept = draw.permutation(len(row))[:pixels]
            row, column = row[kept], column[kept]
            values = cube.reflectance.values[:, :, row, column].transpose(2, 0, 1)
            clear = cube.clear.values[:, row, column].T >= CLEAR
            since = (cube.time.values - np.datetime64(str(year))) / np.timedelta64(1, "D")
            day = np.broadcast_to(since.astype(np.int64), clear.shape)
            square = (tile.x[column] // 420).astype(np.int64) * 100_000
            square = square + (tile.y[row] // 420).astype(np.int64)
            code = cube.cdl.values[row, column].astype(np.int64)
            place = np.full(len(row), number)
            parts.append((*_packed(values, day, clear, 60), code, square, place))
    values, day, code, square, place = (np.concatenate(part) for part in zip(*parts, strict=True))
    codes, label = np.unique(code, return_inverse=True)
    names = tuple(str(int(value)) for value in codes)
    return Series("landscape", values, day, label, names, square, place, BANDS)


def of_file(path: Path) -> Series:
    """A table of real series.

    The file (.npz) holds `x` (sample, time, band), reflectance x 10,000; `bands`; `dates` ((time,)
    or (sample, time)) or `doy` (sample, time; 0 padding); `label` and `label_names`, or
    `crop_code`; where it has them `valid` (sample, time), `cloud` (sample, time; a date counts
    where it is below 0.05) and `region`; else `lon` and `lat`, which make squares.

    Raises:
        SitsError: one of these is missing.
    """
    with np.load(path, allow_pickle=False) as opened:
        found = {name: opened[name] for name in opened.files}
    lacking = [name for name in ("x", "bands") if name not in found]
    for pair in (("dates", "doy"), ("label", "crop_code"), ("region", "lon")):
        lacking += [] if set(pair) & set(found) else [" or ".join(pair)]
    if lacking:
        raise SitsError(
            f"{path}: a table of series needs {', '.join(lacking)}; found {sorted(found)}"
        )
    x = found["x"]
    if "doy" in found:
        day = found["doy"].astype(np.int64)
        counts = day > 0
    else:
        dates = found["dates"].astype("datetime64[D]")
        # The year in which most of the dates fall.
        year = np.median(dates.astype("datetime64[Y]").astype(int)[dates > np.datetime64("1971")])
        day = (dates - np.datetime64(f"{int(year) + 1970}", "D")).astype(np.int64)
        day = np.broadcast_to(day, x.shape[:2])
        counts = np.ones(day.shape, bool)
    counts = counts & (day >= 0) & (day <= 366) & (x > 0).all(2)
    if "valid" in found:
        counts = counts & (found["valid"] > 0)
    if "cloud" in found:
        counts = counts & (found["cloud"] < CLOUD) & (x[..., 0] < BRIGHT)
    code = found["label"] if "label" in found else found["crop_code"]
    codes, size = np.unique(code, return_counts=True)
    codes = codes[(size >= SMALLEST) & (codes > (-1 if "label" in found else 0))]
    kept = np.isin(code, codes) & (counts.sum(1) >= 5)
    names = found.get("label_names")
    classes = tuple(str(names[c] if names is not None else c) for c in codes)
    if "region" in found:
        place = np.unique(found["region"], return_inverse=True)[1]
        cell = place
    else:
        place, cell = (
            np.floor(found["lon"] / side).astype(np.int64) * 1000
            + np.floor(found["lat"] / side).astype(np.int64)
            for side in (1.0, 0.5)
        )
    values, day = _packed(x[kept], day[kept], counts[kept], x.shape[1])
    label = np.searchsorted(codes, code[kept])
    bands = tuple(map(str, found["bands"]))
    return Series(path.stem, values, day, label, classes, cell[kept], place[kept], bands)


CLOUD, BRIGHT = 0.05, 2500
"""Of uncleaned tables: cloud score and reflectance x 10,000 in B02 below which a date counts."""


def _packed(
    values: NDArray[np.uint16], day: Ints, counts: NDArray[np.bool_], length: int
) -> tuple[Floats, Ints]:
    """Dates that count to the front, padding behind; reflectance as a share."""
    order = np.argsort(~counts, axis=1, kind="stable")
    row = np.arange(len(day))[:, None]
    values = values[row, order].astype(np.float32) * np.float32(1e-4)
    there = counts[row, order]
    values[~there] = np.nan
    day = np.where(there, day[row, order], -1)
    short = max(0, length - day.shape[1])
    values = np.pad(values, ((0, 0), (0, short), (0, 0)), constant_values=np.nan)[:, :length]
    return values, np.pad(day, ((0, 0), (0, short)), constant_values=-1)[:, :length]
