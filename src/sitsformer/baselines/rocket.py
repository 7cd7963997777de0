"""MiniRocket's features: shares of convolutions that lie above a threshold.

Dempster, Schmidt & Webb 2021, "MiniRocket: a very fast (almost) deterministic transform for time
series classification", KDD, and the variant for several channels of its authors' code. All 84
kernels of nine weights, of which three are 2 and the others -1, at dilations up to the length of
the series; each sees some channels, whose convolutions are added. Thresholds are quantiles of the
convolution of one series; which, and which channels a kernel sees, is drawn from a seed.

Axes: N series, L dates, C channels, K kernels at a dilation (84 a dilation), F features.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

WIDTH = 9
KERNELS = np.array(list(combinations(range(WIDTH), 3)), np.int64)
"""(84, 3) positions of the weights that are 2."""

MOST_DILATIONS = 32
"""Dilations a kernel at most, as published."""

MOST_CHANNELS = 9
"""Channels that a kernel sees at most, as published."""


@dataclass(frozen=True)
class Rocket:
    """Kernels with their thresholds.

    Attributes:
        dilations: (dilation,) days of the calendar between weights.
        counts: (dilation,) thresholds of each kernel at it.
        channels: (dilation * 84) channels that each sees, dilation after dilation.
        thresholds: (F,) in the order of the features.
    """

    dilations: Ints
    counts: Ints
    channels: tuple[Ints, ...]
    thresholds: Floats

    def transform(self, series: Floats) -> Floats:
        """Features (N, F) of series (N, L, C)."""
        found = np.empty((len(series), len(self.thresholds)), np.float32)
        start = 0
        for number, (kernel, count) in enumerate(self._each()):
            dilation = int(self.dilations[number // len(KERNELS)])
            values = convolved(series, dilation, KERNELS[kernel], self.channels[number])
            inside = _without_padding(values, dilation, padded(number))
            for place in range(start, start + count):
                found[:, place] = (inside > self.thresholds[place]).mean(1)
            start += count
        return found

    def _each(self) -> Iterator[tuple[int, int]]:
        for count in self.counts:
            for kernel in range(len(KERNELS)):
                yield kernel, int(count)


def padded(number: int) -> bool:
    """Whether a kernel, counted over all dilations, sees zeros beyond the ends of a series.

    It alternates, and begins the other way at each second dilation.
    """
    dilation, kernel = divmod(number, len(KERNELS))
    return (dilation + kernel) % 2 == 0


def dilations(length: int, features: int) -> tuple[Ints, Ints]:
    """Dilations for series of a length, and thresholds of each kernel at each of them.

    Args:
        length: L, `WIDTH` or more.
        features: wanted; 84 times what a kernel gets.
    """
    each = max(1, features // len(KERNELS))
    most = min(each, MOST_DILATIONS)
    largest = np.log2((length - 1) / (WIDTH - 1))
    steps = np.logspace(0, largest, most, base=2).astype(np.int64)
    found, times = np.unique(steps, return_counts=True)
    counts = (times * (each / most)).astype(np.int64)
    for place in range(each - int(counts.sum())):
        counts[place % len(counts)] += 1
    return found, counts


def fitted(series: Floats, features: int, seed: int) -> Rocket:
    """Kernels for series like these.

    Args:
        series: (N, L, C), L `WIDTH` or more.
        features: how many are wanted; a multiple of 84 is made.
        seed: of the channels that kernels see, and of the series that thresholds are taken from.
    """
    rng = np.random.default_rng(seed)
    every = series.shape[2]
    steps, counts = dilations(series.shape[1], features)
    total = len(steps) * len(KERNELS)
    largest = np.log2(min(every, MOST_CHANNELS) + 1)
    sizes = (2 ** rng.uniform(0, largest, total)).astype(np.int64)
    channels = tuple(np.sort(rng.choice(every, size, replace=False)) for size in sizes)
    shares = _shares(len(KERNELS) * int(counts.sum()))
    thresholds, start = [], 0
    for number in range(total):
        count, dilation = counts[number // len(KERNELS)], int(steps[number // len(KERNELS)])
        one = series[rng.integers(len(series))][None]
        kernel = KERNELS[number % len(KERNELS)]
        values = convolved(one, dilation, kernel, channels[number])
        thresholds.append(np.quantile(values, shares[start : start + count]))
        start += count
    return Rocket(steps, counts, channels, np.concatenate(thresholds).astype(np.float32))


def convolved(series: Floats, dilation: int, twos: Ints, channels: Ints) -> Floats:
    """Convolution (N, L) of some channels with a kernel, summed; zeros stand beyond the ends.

    Weights are 3 at `twos` less 1 everywhere: the kernel's 2 and -1.

    Args:
        series: (N, L, C).
        dilation: dates between weights.
        twos: (3,) positions of the weights that are 2.
        channels: which.
    """
    added = series[:, :, channels].sum(2)
    length, reach = added.shape[1], WIDTH // 2 * dilation
    wide = np.pad(added, ((0, 0), (reach, reach)))
    weight = np.full(WIDTH, -1.0, np.float32)
    weight[twos] = 2.0
    found: Floats = np.zeros_like(added)
    for place in range(WIDTH):
        found += float(weight[place]) * wide[:, place * dilation : place * dilation + length]
    return found


def _without_padding(values: Floats, dilation: int, whole: bool) -> Floats:
    """Where the kernel lies wholly in the series, unless all is wanted."""
    reach = WIDTH // 2 * dilation
    inner: Floats = values[:, reach : values.shape[1] - reach]
    return values if whole else inner


def _shares(count: int) -> npt.NDArray[np.float64]:
    """(count,) a low-discrepancy sequence in 0 to 1: multiples of the golden ratio."""
    golden = (np.sqrt(5) + 1) / 2
    return np.asarray((np.arange(1, count + 1) * golden) % 1)
