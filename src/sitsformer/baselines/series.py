"""What baselines see of a sample: its series on a regular calendar, and phenology features.

Shapes: N samples, T acquisitions (padded), C bands, G days of the calendar.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sitsformer.indices import normalised_difference
from sitsformer.samples import (
    BandStatistics,
    Samples,
    read_patches,
    statistics,
    statistics_of,
    valid_steps,
)
from sitsformer.sensors import Sensor
from sitsformer.stored import MISSING, SCALE

if TYPE_CHECKING:
    from sitsformer.model.steps import Series

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

STEP = 10
"""Days between the dates of the calendar; what a Sentinel-2 composite of cloudy areas allows."""

_YEAR = 365.25
CHUNK = 256


@dataclass(frozen=True)
class Calendar:
    """Regular dates, and how days of year are counted on to lie on them.

    Attributes:
        grid: (G,) int64 days.
        early: what is added to the days of a sample whose first day of year is below `turn`.
        late: and of one whose first day is `turn` or later; where the season crosses New Year, it
            differs by a year.
        turn: a day of year.
    """

    grid: Ints
    early: int
    late: int
    turn: int

    @classmethod
    def of(cls, doy: npt.NDArray[np.integer], day: Ints) -> Calendar:
        """Calendar of all samples, (N, T) days of year and the same counted on."""
        valid = doy > 0
        grid = np.arange(int(day[valid].min()), int(day[valid].max()) + STEP, STEP)
        first, added = doy[:, 0].astype(np.int64), day[:, 0] - doy[:, 0]
        late, early = int(added.min()), int(added.max())
        if late == early:
            return cls(grid, late, late, 0)
        # Those that start after New Year have the small days; the turn is amid the gap.
        turn = (first[added > late].max() + first[added == late].min()) // 2 + 1
        return cls(grid, early, late, int(turn))

    def days(self, doy: Ints) -> Ints:
        """Days of year (B, T) counted on through New Year; 0 = padding becomes -1."""
        turns = np.diff(doy, axis=1, prepend=doy[:, :1]) < 0
        years = np.rint(np.cumsum(turns & (doy > 0), axis=1) * _YEAR).astype(np.int64)
        start = np.where(doy[:, :1] < self.turn, self.early, self.late)
        return np.where(doy > 0, doy + years + start, -1)


@dataclass(frozen=True)
class _Store:
    """Arrays of all samples, and what was computed of them; shared by every selection.

    Series of pixels are made of the stored patches when they are asked for: those of all samples in
    float32 would be a good part of the patches themselves, and several times pixels alone. Where
    the patches are left on disk these are held in their place, once they are asked for.

    Attributes:
        samples: they.
        day: (N, T) int64 days in time order, counted on through New Year; -1 padding.
        calendar: that series are brought to.
        features: name of a view -> (N, feature), of the views that were asked for.
        device: where baselines that are networks run.
        statistics: of the bands; None: of the training split of the samples.
        path: where the patches are; None: the samples hold them.
        read: name of a view -> (N, T, C), of those that were read from there.
    """

    samples: Samples
    day: Ints
    calendar: Calendar
    device: str = "cpu"
    statistics: BandStatistics | None = None
    features: dict[str, Floats] = field(default_factory=dict)
    path: Path | None = None
    read: dict[str, Floats] = field(default_factory=dict)

    def values(self, view: str, rows: Ints) -> Floats:
        """(n, T, C) float32 reflectance of some samples; NaN padding."""
        if self.path is not None:
            if view not in self.read:
                self.read[view] = self._read(self.path, view)
            return self.read[view][rows]
        found = self._blank(len(rows))
        for piece in _pieces(len(rows)):
            found[piece] = _pixels(
                self.samples.reflectance[rows[piece]], self.samples.doy[rows[piece]], view
            )
        return found

    def _read(self, path: Path, view: str) -> Floats:
        found = self._blank(len(self.samples))

        def put(places: Ints, patches: npt.NDArray[np.uint16]) -> None:
            found[places] = _pixels(patches, self.samples.doy[places], view)

        read_patches(path, self.samples, put)
        return found

    def _blank(self, count: int) -> Floats:
        return np.empty((count, self.samples.doy.shape[1], len(self.samples.bands)), np.float32)

    def regular(self, view: str, rows: Ints) -> Floats:
        """(n, G, C) float32 reflectance of some samples on the calendar."""
        grid = self.calendar.grid
        found = np.empty((len(rows), len(grid), len(self.samples.bands)), np.float32)
        for piece in _pieces(len(rows)):
            own = rows[piece]
            found[piece] = interpolate(self.values(view, own), self.day[own], grid)
        return found

    @cached_property
    def normalised(self) -> Series:
        """The samples as networks read them."""
        from sitsformer.model.steps import make_series, packed_series

        samples = self.samples
        if self.path is not None:
            stats = self.statistics or statistics(self.path)
            steps = valid_steps(self.path, samples)
            return packed_series(steps, samples.doy, stats.mean, stats.std, self.device)
        stats = self.statistics or statistics_of(samples)
        return make_series(samples.reflectance, samples.doy, stats.mean, stats.std, self.device)


@dataclass(frozen=True)
class PixelSeries:
    """Some samples: their series, of the labelled pixel or of the mean of the patch."""

    store: _Store
    rows: Ints

    @classmethod
    def of(
        cls,
        samples: Samples,
        device: str = "cpu",
        calendar: Calendar | None = None,
        statistics: BandStatistics | None = None,
        path: Path | None = None,
    ) -> PixelSeries:
        """PixelSeries of samples.

        Args:
            samples: they.
            device: where baselines that are networks run.
            calendar: that they are brought to; None: one that covers them all.
            statistics: of the bands; None: of their training split.
            path: of the store that their reflectance is read from, when it is asked for; None: they
                hold it.
        """
        if calendar is None:
            day = calendar_days(samples.doy)
            calendar = Calendar.of(samples.doy, day)
        else:
            day = calendar.days(samples.doy.astype(np.int64))
        store = _Store(samples, day, calendar, device, statistics=statistics, path=path)
        return cls(store, np.arange(len(samples)))

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: npt.NDArray[np.integer]) -> PixelSeries:
        """The series at some positions, on the same calendar."""
        return replace(self, rows=self.rows[rows])

    @property
    def views(self) -> tuple[str, ...]:
        """Which pixels features may be made from; one choice when the patch is one pixel."""
        return ("centre",) if self.store.samples.reflectance.shape[-1] == 1 else ("centre", "mean")

    @property
    def day(self) -> Ints:
        """(N, T) int64 days in time order; -1 padding."""
        return self.store.day[self.rows]

    @property
    def index(self) -> Ints:
        """(N,) int64 rows of the sample store."""
        return self.store.samples.index[self.rows]

    @property
    def calendar(self) -> Calendar:
        """The dates that all samples can be brought to."""
        return self.store.calendar

    @property
    def normalised(self) -> Series:
        """All samples, of every selection, as networks read them; `rows` are positions in it."""
        return self.store.normalised

    def values(self, view: str) -> Floats:
        """(N, T, C) float32 reflectance as acquired; NaN padding."""
        return self.store.values(view, self.rows)

    def regular(self, view: str) -> Floats:
        """(N, G, C) float32 reflectance on the calendar, by linear interpolation."""
        return self.store.regular(view, self.rows)

    def features(self, view: str) -> Floats:
        """(N, feature) float32: the regular series, NDVI on it, and phenology."""
        done, store = self.store.features, self.store
        if view not in done:
            done[view] = _every_feature(store, view)
        return done[view][self.rows]


def _pieces(count: int) -> Iterator[slice]:
    """Stretches of so many rows that are worked on in one go."""
    return (slice(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK))


def _every_feature(store: _Store, view: str) -> Floats:
    """Features of all samples, made piece by piece."""
    count, found = len(store.samples), None
    for piece in _pieces(count):
        regular = store.regular(view, np.arange(piece.start, piece.stop))
        made = _features(regular, store.calendar.grid, store.samples.bands, store.samples.sensor)
        if found is None:
            found = np.empty((count, made.shape[1]), np.float32)
        found[piece] = made
    assert found is not None, "a store without samples has no splits to draw from"
    return found


def _features(series: Floats, grid: Ints, bands: tuple[str, ...], sensor: Sensor) -> Floats:
    flat = series.reshape(len(series), -1)
    known = sensor.has("red", "nir", "swir16")
    wanted = sensor.called("red", "nir", "swir16") if known else ()
    if not wanted or not set(wanted) <= set(bands):
        return flat
    red, nir, swir = (series[..., bands.index(name)] for name in wanted)
    ndvi, ndmi = normalised_difference(nir, red), normalised_difference(nir, swir)
    return np.concatenate([flat, ndvi, phenology(ndvi, grid), phenology(ndmi, grid)], axis=1)


def _pixels(reflectance: npt.NDArray[np.uint16], doy: npt.NDArray[np.integer], view: str) -> Floats:
    """(n, T, C) reflectance of the centre of patches, or their mean; NaN padding."""
    middle = reflectance.shape[-1] // 2
    found = _patch_mean(reflectance)
    if view == "centre":
        raw = reflectance[..., middle, middle]
        # A masked centre pixel on a date that counts as clear: the patch stands in for it.
        found = np.where(raw == MISSING, found, raw * np.float32(SCALE))
    found[doy == 0] = np.nan
    return found


def _patch_mean(reflectance: npt.NDArray[np.uint16]) -> Floats:
    """(n, T, C) mean over the patch's valid pixels; NaN where there is none."""
    valid = reflectance != MISSING
    total = np.where(valid, reflectance, 0).sum((-1, -2), dtype=np.float32) * SCALE
    count = valid.sum((-1, -2))
    blank = np.full(total.shape, np.nan, np.float32)
    found: Floats = np.divide(total, count, out=blank, where=count > 0)
    return found


def calendar_days(doy: npt.NDArray[np.integer]) -> Ints:
    """Days of year counted on through New Year, so that time never runs backwards.

    Within a sample a day of year smaller than the one before starts a new year. Samples whose first
    clear date lies after New Year are brought beside the others by whole years.

    Args:
        doy: (N, T), in time order, 0 = padding at the end.

    Returns:
        (N, T) int64; -1 padding.
    """
    valid = doy > 0
    days = doy.astype(np.int64)
    turn = np.diff(days, axis=1, prepend=days[:, :1]) < 0
    days = days + np.rint(np.cumsum(turn & valid, axis=1) * _YEAR).astype(np.int64)
    middle = np.where(valid, days, 0).sum(1) / np.maximum(valid.sum(1), 1)
    shift = np.rint((np.median(middle) - middle) / _YEAR)
    days = days + np.rint(shift * _YEAR).astype(np.int64)[:, None]
    days += max(0, 1 - int(days[valid].min(initial=1)))
    return np.where(valid, days, -1)


def interpolate(values: Floats, day: Ints, grid: Ints) -> Floats:
    """Bring series to a common calendar; linear between dates, constant beyond the ends.

    Args:
        values: (N, T, C); rows of padding may hold anything.
        day: (N, T) ascending days, -1 = padding at the end.
        grid: (G,) days.

    Returns:
        (N, G, C) float32; 0 for a sample without dates.
    """
    found = np.empty((len(values), len(grid), values.shape[2]), np.float32)
    for rows in _pieces(len(values)):
        found[rows] = _interpolate(values[rows], day[rows], grid)
    return found


def _interpolate(values: Floats, day: Ints, grid: Ints) -> Floats:
    left, right, share = between(day, grid)
    row = np.arange(len(day))[:, None]
    seen = (day >= 0).sum(1) > 0
    clean: Floats = np.where(seen[:, None, None], values, np.float32(0))
    return clean[row, left] * (1 - share) + clean[row, right] * share


def between(day: Ints, grid: Ints) -> tuple[Ints, Ints, Floats]:
    """Which dates of a series a day of a calendar lies between.

    Args:
        day: (N, T) ascending days, -1 = padding at the end.
        grid: (G,) days.

    Returns:
        (N, G) positions of the date before and of the date after, the same one beyond the ends;
        (N, G, 1) float32 share of the latter.
    """
    count = (day >= 0).sum(1)
    far = np.where(day >= 0, day, np.iinfo(np.int64).max)
    # Number of dates at or before each day of the grid: (N, G).
    after = (far[:, :, None] <= grid[None, None, :]).sum(1)
    last = np.maximum(count - 1, 0)[:, None]
    left = np.clip(after - 1, 0, last)
    right = np.clip(after, 0, last)
    row = np.arange(len(day))[:, None]
    from_day, to_day = day[row, left], day[row, right]
    span = np.maximum(to_day - from_day, 1)
    share = np.clip((grid[None, :] - from_day) / span, 0, 1).astype(np.float32)[..., None]
    return left, right, share


def phenology(index: Floats, grid: Ints) -> Floats:
    """Simple features of a yearly curve of a vegetation index.

    Args:
        index: (N, G), such as NDVI.
        grid: (G,) days.

    Returns:
        (N, 9) float32: least, greatest, mean and standard deviation; day of the greatest; first
        and last day above half of the amplitude and how many days lie between (as days); steepest
        rise (index units a day).
    """
    least, greatest = index.min(1), index.max(1)
    above = index >= ((least + greatest) / 2)[:, None]
    first = grid[above.argmax(1)]
    last = grid[index.shape[1] - 1 - above[:, ::-1].argmax(1)]
    steepest = np.diff(index, axis=1).max(1, initial=0) / STEP
    columns = [
        least,
        greatest,
        index.mean(1),
        index.std(1),
        grid[index.argmax(1)],
        first,
        last,
        above.sum(1) * STEP,
        steepest,
    ]
    return np.stack(columns, axis=1).astype(np.float32)
