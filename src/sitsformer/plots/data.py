"""Pictures of the data: NDVI by class, clear observations, places of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, MonthLocator
from matplotlib.figure import Figure

from sitsformer.classes import Classes
from sitsformer.cube import layer_values
from sitsformer.indices import normalised_difference
from sitsformer.plots.lettering import largest, shown
from sitsformer.plots.style import GRID, INK, MUTED, figure
from sitsformer.sensors import recorded
from sitsformer.stored import MISSING, SCALE

PERIOD = 10
"""Days that NDVI is pooled over."""

PIXELS = 4000
"""Labelled pixels of a tile that the curves are made from at most."""

SPLIT_LOOKS = (("train", "#0072b2", "o"), ("validation", "#e69f00", "^"), ("test", "#d55e00", "s"))


def ndvi_samples(
    cube: xr.Dataset, label: npt.NDArray[np.integer[Any]], clear_score: int
) -> pd.DataFrame:
    """NDVI of labelled pixels on clear dates.

    Args:
        cube: raw integers.
        label: (y, x) class indices; below 0 none.
        clear_score: a pixel is clear at this score or above.

    Returns:
        Columns area, date (start of a period of ten days), class (index), ndvi.
    """
    row, column = np.nonzero(label >= 0)
    step = max(1, len(row) // PIXELS)
    row, column = row[::step], column[::step]
    bands = cube.band.values.tolist()
    where = {"y": xr.DataArray(row, dims="pixel"), "x": xr.DataArray(column, dims="pixel")}
    wanted = recorded(cube.attrs).called("red", "nir")
    pair = layer_values(cube.reflectance.isel(band=[bands.index(name) for name in wanted]))
    raw = pair[:, :, row, column]
    score = layer_values(cube.clear.isel(where))
    good = (raw != MISSING).all(1) & (score >= clear_score) & (score <= 100)
    red, nir = (raw[:, i].astype(np.float32) * SCALE for i in (0, 1))
    time, pixel = np.nonzero(good)
    days = cube.time.values.astype("datetime64[D]")
    start = days[0]
    period = start + ((days - start).astype(int) // PERIOD * PERIOD).astype("timedelta64[D]")
    return pd.DataFrame(
        {
            "area": cube.attrs["area"],
            "date": period[time].astype("datetime64[s]"),
            "class": label[row, column][pixel],
            "ndvi": normalised_difference(nir, red)[time, pixel],
        }
    )


def phenology(samples: pd.DataFrame, classes: Classes) -> Figure:
    """Median NDVI and its quartiles by class, a panel a class and area."""
    curves = (
        samples.groupby(["area", "class", "date"])
        .ndvi.quantile(np.array([0.25, 0.5, 0.75]))
        .unstack()
    )
    counts = samples.groupby(["area", "class", "date"]).ndvi.size()
    # A median of a few cloudy leftovers is no curve.
    curves = curves[counts >= 20]
    panels = list(dict.fromkeys((key[0], int(key[1])) for key in curves.index))
    seen = counts.groupby(["area", "class"]).sum()
    panels = [panels[i] for i in largest([seen[panel] for panel in panels])]
    if not panels:
        return _nothing("no class has twenty clear labelled pixels in ten days")
    columns = min(4, max(1, len(panels)))
    rows = -(-len(panels) // columns)
    drawn = figure(0.4 + 1.75 * rows)
    grid = drawn.subplots(rows, columns, sharey=True, squeeze=False, sharex="none")
    several = len({area for area, _ in panels}) > 1
    for axes, (area, k) in zip(grid.flat, panels, strict=False):
        others = [other for where, other in panels if where == area and other != k]
        for other in others:
            line = curves.loc[(area, other)]
            axes.plot(line.index, line[0.5], color=GRID, linewidth=1)
        line = curves.loc[(area, k)]
        colour = classes.colours[k]
        axes.fill_between(line.index, line[0.25], line[0.75], color=colour, alpha=0.35, linewidth=0)
        # A dark line under the colour: pale legend colours stay visible on white and on black.
        axes.plot(line.index, line[0.5], color=MUTED, linewidth=3)
        axes.plot(line.index, line[0.5], color=colour, linewidth=1.6)
        name = shown(classes.names[k])
        axes.set_title(f"{name}, {area}" if several else name)
        axes.xaxis.set_major_locator(MonthLocator(interval=2))  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(DateFormatter("%b"))  # type: ignore[no-untyped-call]
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    for axes in grid[:, 0]:
        axes.set_ylabel("NDVI")
    grid[0, 0].set_ylim(min(0.0, float(curves[0.25].min())), 1.0)
    return drawn


def _nothing(why: str) -> Figure:
    drawn = figure(1.2)
    axes = drawn.subplots()
    axes.axis("off")
    axes.text(0.5, 0.5, why, ha="center", transform=axes.transAxes, color=INK)
    return drawn


def clear_counts(cube: xr.Dataset, clear_score: int) -> pd.Series[float]:
    """Clear dates of an average pixel of a cube, by month (`2021-03`)."""
    score = layer_values(cube.clear)
    good = (score >= clear_score) & (score <= 100)
    share = good.mean((1, 2))
    months = cube.time.dt.strftime("%Y-%m").values
    return pd.Series(share).groupby(months).sum()


def clear_observations(counts: pd.DataFrame) -> Figure:
    """Clear dates by tile (rows) and month (columns), NaN where the season has no such month."""
    tall = len(counts) > 40
    drawn = figure(1.2 + 0.26 * min(len(counts), 40))
    axes = drawn.subplots()
    values = counts.to_numpy(float)
    image = axes.imshow(values, cmap="YlGnBu", vmin=0, vmax=max(1.0, np.nanmax(values)))
    axes.set_aspect("auto")
    if not tall:
        for i, row in enumerate(values):
            for j, value in enumerate(row):
                if np.isfinite(value):
                    ink = "#ffffff" if value > 0.6 * np.nanmax(values) else "#10243e"
                    axes.text(j, i, f"{value:.1f}", ha="center", va="center", fontsize=8, color=ink)
    months = pd.to_datetime(pd.Series(counts.columns), format="%Y-%m")
    crowded = len(months) > 24
    axes.set_xticks(
        range(len(months)),
        list(months.dt.strftime("%Y-%m" if crowded else "%b\n%Y")),
        rotation=90 if crowded else 0,
        fontsize=8,
    )
    axes.set_yticks(range(len(counts)), counts.index if not tall else [""] * len(counts))
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    bar = drawn.colorbar(image, ax=axes, pad=0.01, shrink=0.9)
    bar.set_label("clear dates")
    bar.outline.set_visible(False)
    return drawn


@dataclass(frozen=True)
class Places:
    """Where the samples of a set lie.

    Attributes:
        name: of the set and area.
        lon: (sample,) degrees.
        lat: (sample,) degrees.
        split: (sample,) 0 train, 1 validation, 2 test.
    """

    name: str
    lon: npt.NDArray[np.float64]
    lat: npt.NDArray[np.float64]
    split: npt.NDArray[np.uint8]


def locations(places: Sequence[Places]) -> Figure:
    """Samples by split, a panel a set and area; without coordinates it stays empty."""
    columns = min(3, len(places))
    rows = -(-len(places) // columns)
    drawn = figure(0.5 + 3.1 * rows)
    grid = drawn.subplots(rows, columns, squeeze=False)
    for axes, part in zip(grid.flat, places, strict=False):
        axes.set_title(part.name)
        _places(axes, part)
    for axes in grid.flat[len(places) :]:
        axes.axis("off")
    handles = [
        drawn.axes[0].plot([], [], marker, color=colour, label=name, linestyle="none")[0]
        for name, colour, marker in SPLIT_LOOKS
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=3)
    return drawn


def _places(axes: Axes, part: Places) -> None:
    known = np.isfinite(part.lon) & np.isfinite(part.lat)
    if not known.any():
        axes.text(0.5, 0.5, "no coordinates", ha="center", transform=axes.transAxes, color=INK)
        axes.set(xticks=[], yticks=[])
        return
    for code, (_, colour, marker) in enumerate(SPLIT_LOOKS):
        chosen = known & (part.split == code)
        axes.scatter(
            part.lon[chosen], part.lat[chosen], s=5, color=colour, marker=marker, linewidths=0,
            rasterized=True,
        )  # fmt: skip
    # A degree of longitude is shorter than one of latitude by the cosine of the latitude.
    axes.set_aspect(1 / np.cos(np.radians(float(part.lat[known].mean()))))
    axes.grid(True, axis="both")
    axes.ticklabel_format(useOffset=False)
    axes.locator_params(nbins=3)
    axes.set_xlabel("longitude, °")
    axes.set_ylabel("latitude, °")
