"""What fields of the embedded landscape and real ones look like, in the same figures side by side.

    python scripts/landscape_statistics.py TABLE.npz ...     # half a minute on one core

Tables are as `landscape_series.of_file` says. Series are brought to every tenth day from 1 April to
28 October; "within" is the spread of the series of a class around its mean at a place (a square
degree, a county, an area of the landscape), "between" that of the classes' means.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from landscape_series import PLACES, Floats, Series, of_file, of_landscape
from numpy.typing import NDArray
from scipy.signal import find_peaks

from sitsformer.baselines.series import phenology
from sitsformer.indices import normalised_difference

GRID = np.arange(91, 302, 10)
SEASONS = {"Apr-May": (91, 151), "Jun-Aug": (152, 243), "Sep-Oct": (244, 301)}
SHOWN = ("B02", "B04", "B05", "B08", "B11", "B12")
PAIRS = (
    ("B02", "B04"),
    ("B04", "B08"),
    ("B05", "B08"),
    ("B07", "B08"),
    ("B08", "B11"),
    ("B04", "B12"),
    ("B11", "B12"),
)
LAGS = (10, 30, 60, 120)
FEATURES = (
    "NDVI least",
    "NDVI greatest",
    "NDVI mean",
    "NDVI std",
    "day of greatest",
    "first day above half",
    "last day above half",
    "days above half",
    "steepest rise",
)
LEAST = 8
"""Series of a class at a place that are needed to speak of the spread there."""


def residual(values: Floats, series: Series) -> tuple[Floats, NDArray[np.bool_]]:
    """Values minus the mean of their class at their place; and which series have company there."""
    group = series.place * 1000 + series.label
    _, member, size = np.unique(group, return_inverse=True, return_counts=True)
    flat = values.reshape(len(values), -1)
    total = np.zeros((len(size), flat.shape[1]))
    np.add.at(total, member, flat)
    left = (flat - (total / size[:, None])[member]) * np.sqrt(size / np.maximum(size - 1, 1))[
        member, None
    ]
    return left.reshape(values.shape).astype(np.float32), (size >= LEAST)[member]


def separation(values: Floats, series: Series) -> tuple[Floats, Floats]:
    """Spread within classes and between their means (...), classes weighing alike, at a place."""
    left, company = residual(values, series)
    within, between = [], []
    for place in np.unique(series.place[company]):
        here = company & (series.place == place)
        labels = np.unique(series.label[here])
        if len(labels) < 2:
            continue
        means = np.stack([values[here & (series.label == k)].mean(0) for k in labels])
        spread = np.stack([np.var(left[here & (series.label == k)], axis=0) for k in labels])
        weight = here.sum()
        within.append((spread.mean(0), weight))
        size = np.mean([(here & (series.label == k)).sum() for k in labels])
        between.append((means.var(0, ddof=1) - spread.mean(0) / size, weight))

    def mean(parts: list[tuple[Floats, int]]) -> Floats:
        return np.sqrt(np.maximum(sum(v * w for v, w in parts) / sum(w for _, w in parts), 0))

    return mean(within), mean(between)


def statistics(series: Series) -> Iterator[tuple[str, float]]:
    """Names and values, in order."""
    regular = series.on(GRID)
    at = {name: series.bands.index(name) for name in (*SHOWN, "B07")}
    red, nir, swir = (regular[..., at[name]] for name in ("B04", "B08", "B11"))
    ndvi, ndmi = normalised_difference(nir, red), normalised_difference(nir, swir)
    within, between = separation(regular, series)
    for season, (first, last) in SEASONS.items():
        rows = (first <= GRID) & (last >= GRID)
        for band in SHOWN:
            column = regular[:, rows, at[band]]
            yield f"{season} {band} mean", column.mean()
            yield f"{season} {band} within", np.sqrt((within[rows, at[band]] ** 2).mean())
            yield f"{season} {band} between", np.sqrt((between[rows, at[band]] ** 2).mean())
    for name, index in (("NDVI", ndvi), ("NDMI", ndmi)):
        inner, outer = separation(index, series)
        for season, (first, last) in SEASONS.items():
            rows = (first <= GRID) & (last >= GRID)
            yield f"{season} {name} mean", index[:, rows].mean()
            yield f"{season} {name} within", np.sqrt((inner[rows] ** 2).mean())
            yield f"{season} {name} between", np.sqrt((outer[rows] ** 2).mean())
    inner, outer = separation(phenology(ndvi, GRID), series)
    for feature, a, b in zip(FEATURES, inner, outer, strict=True):
        yield f"{feature} within", a
        yield f"{feature} between", b
        yield f"{feature} between/within", b / a
    ratio = between / within
    yield "series between/within, median", float(np.median(ratio))
    yield "series between/within, best", float(np.quantile(ratio, 0.95))
    left, company = residual(regular, series)
    left = left[company]
    for one, other in PAIRS:
        pair = [left[..., series.bands.index(band)].ravel() for band in (one, other)]
        yield f"within, correlation {one} {other}", np.corrcoef(pair)[0, 1]
    bands = left.reshape(-1, left.shape[2])
    yield "within, directions of bands", _directions(bands / bands.std(0))
    whole = left.reshape(len(left), -1)
    yield "within, directions of series", _directions(whole / whole.std(0))
    scaled = left / left.std(0)
    for lag in LAGS:
        steps = lag // 10
        for band in ("B04", "B08", "B11"):
            v = scaled[..., at[band]]
            yield (
                f"within, correlation {band} over {lag} days",
                (v[:, :-steps] * v[:, steps:]).mean(),
            )
    yield from noise(series)
    peaks = np.array([len(find_peaks(np.pad(row, 1), prominence=0.15)[0]) for row in ndvi])
    yield "share with two seasons of green", float((peaks >= 2).mean())


def noise(series: Series) -> Iterator[tuple[str, float]]:
    """How far a date is off the line between its neighbours, 20 days from them at most."""
    day = series.day
    near = (day[:, :-2] >= 0) & (day[:, 2:] >= 0) & (day[:, 2:] - day[:, :-2] <= 24)
    near &= (day[:, 1:-1] > 90) & (day[:, 1:-1] < 302)
    span = np.maximum(day[:, 2:] - day[:, :-2], 1)
    share = ((day[:, 1:-1] - day[:, :-2]) / span)[..., None]
    values = series.values
    off = values[:, 1:-1] - (values[:, :-2] * (1 - share) + values[:, 2:] * share)
    off = off[near] / np.sqrt(1 + share[near] ** 2 + (1 - share[near]) ** 2)
    if len(off) < 500:
        return
    robust = 1.4826 * np.median(np.abs(off), axis=0)
    for band in SHOWN:
        i = series.bands.index(band)
        yield f"noise {band}, robust std", robust[i]
        yield f"noise {band}, share beyond 4 of these", (np.abs(off[:, i]) > 4 * robust[i]).mean()
    for one, other in (("B02", "B04"), ("B04", "B08"), ("B08", "B11")):
        a, b = (
            np.clip(off[:, series.bands.index(n)] / robust[series.bands.index(n)], -4, 4)
            for n in (one, other)
        )
        yield f"noise, correlation {one} {other}", np.corrcoef(a, b)[0, 1]


def _directions(values: Floats) -> float:
    """Participation ratio of the variances along principal axes: how many there are in effect."""
    variance = np.linalg.eigvalsh(np.cov(values, rowvar=False))
    return float(variance.sum() ** 2 / (variance**2).sum())


def main(paths: list[Path]) -> None:
    """Print the table."""
    tables = [of_landscape(places=PLACES), *(of_file(path) for path in paths)]
    columns = [dict(statistics(series)) for series in tables]
    print(f"{'':42}", *(f"{series.name[:14]:>15}" for series in tables))
    print(f"{'series':42}", *(f"{len(series.label):>15}" for series in tables))
    for name in columns[0]:
        print(f"{name:42}", *(f"{column.get(name, np.nan):>15.3f}" for column in columns))


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
