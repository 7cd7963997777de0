"""A picture of a cube: true colour through the season, clouds, labels, NDVI of each class.

from sitsformer import cube
from sitsformer.plots import tile as tile_view
tile_view.draw_tile(cube.open_cube(path), Path("tile.png"))
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sitsformer import artefacts, cube
from sitsformer.classes import Legend
from sitsformer.indices import normalised_difference
from sitsformer.sensors import Sensor, recorded
from sitsformer.stored import MISSING, SCALE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLEAR_SCORE = 60
"""Pixels of at least this score are clear, as in `patches.clear_score`."""
STRETCH = (0.01, 0.22)
"""Reflectances shown as black and white, before a gamma of 1/1.3."""
LEAST_PIXELS = 30
"""Classes with fewer pixels get no NDVI curve."""
LEAST_SEEN = 0.3
"""A date is left out of a class's curve when a smaller share of its pixels is clear."""
MOST_CLASSES = 12
"""Classes with a curve at most."""
MOST_NAMED = 20
"""Classes that the legend names at most."""
CLEAR_DATES, CLOUDY_DATES = 6, 2


def draw_tile(dataset: xr.Dataset, path: Path) -> None:
    """Draw a cube into a PNG or PDF."""
    from sitsformer.plots.lettering import lettering

    with lettering({}, f"picture {path.name}"):
        figure = figure_of(dataset)
        with artefacts.create_file(path) as partial:
            figure.savefig(partial, dpi=110, format=path.suffix.lstrip(".") or "png")


def figure_of(dataset: xr.Dataset) -> Figure:
    """The picture as a matplotlib figure."""
    from matplotlib.figure import Figure

    layers = cube.label_layers(dataset)
    clear = cube.layer_values(dataset.clear)
    clear = np.where(clear == cube.CLEAR_MISSING, 0, clear)
    shown = choose_dates(clear)
    figure = Figure(figsize=(14, 7.4 + 4.4 * len(layers)), layout="constrained")
    heights = [1.65] + [1.0] * len(layers)
    top, *rows = figure.subfigures(1 + len(layers), 1, height_ratios=heights, squeeze=False)[:, 0]
    for position, index in enumerate(shown):
        axes = top.add_subplot(2, 4, position + 1)
        axes.imshow(
            true_colour(cube.layer_values(dataset.reflectance[index]), recorded(dataset.attrs)),
            interpolation="nearest",
        )
        share = float((clear[index] >= CLEAR_SCORE).mean())
        date = str(dataset.time.values[index])[:10]
        axes.set_title(f"{date}  clear {share:.0%}", fontsize=10)
        axes.set_axis_off()
    index_values = ndvi(dataset)
    for row, (name, legend) in zip(rows, layers.items(), strict=True):
        codes = cube.layer_values(dataset[name])
        left, right = row.subplots(1, 2, width_ratios=[1, 1.2])
        draw_labels(left, name, codes, legend)
        _draw_curves(right, dataset.time.values, index_values, codes, legend)
    title = f"{dataset.attrs.get('area', '')} {dataset.attrs.get('tile', '')}".strip()
    figure.suptitle(f"{title}: {dataset.sizes['time']} dates", fontsize=12)
    return figure


def choose_dates(clear: NDArray[np.uint8]) -> list[int]:
    """Indices of dates worth showing, in order.

    The clearest of each part of the season, and two of the partly cloudy ones.

    Args:
        clear: (time, y, x) score, 0-100.
    """
    share = (clear >= CLEAR_SCORE).mean((1, 2))
    parts = np.array_split(np.arange(len(share)), min(CLEAR_DATES, len(share)))
    chosen = [int(part[np.argmax(share[part])]) for part in parts]
    broken = np.argsort(np.abs(share - 0.6), kind="stable")
    cloudy = [int(i) for i in broken if i not in chosen and 0.02 < share[i] < 0.98]
    return sorted(chosen + cloudy[:CLOUDY_DATES])


def true_colour(image: NDArray[np.uint16], sensor: Sensor) -> NDArray[np.float32]:
    """Bands (band, y, x) of stored values -> RGB (y, x, 3) in 0-1; missing pixels are grey."""
    places = [sensor.names.index(name) for name in sensor.called("red", "green", "blue")]
    rgb = image[places].astype(np.float32)
    low, high = STRETCH
    shown = np.clip((rgb * SCALE - low) / (high - low), 0, 1) ** (1 / 1.3)
    shown[:, (image == MISSING).any(0)] = 0.5
    return np.moveaxis(shown, 0, -1)


def ndvi(dataset: xr.Dataset) -> NDArray[np.float32]:
    """NDVI (time, y, x) of clear pixels; NaN elsewhere."""
    red, infrared = (
        cube.layer_values(dataset.reflectance.sel(band=name)).astype(np.float32)
        for name in recorded(dataset.attrs).called("red", "nir")
    )
    score = cube.layer_values(dataset.clear)
    hidden = (score < CLEAR_SCORE) | (score == cube.CLEAR_MISSING)
    hidden |= (red == MISSING) | (infrared == MISSING)
    return np.where(hidden, np.nan, normalised_difference(infrared, red)).astype(np.float32)


def class_curves(
    index: NDArray[np.float32], codes: NDArray[Any], legend: Legend
) -> dict[int, NDArray[np.float64]]:
    """Quartiles (3, time) of an index by class code, the most frequent classes first.

    Args:
        index: (time, y, x), NaN where unknown.
        codes: (y, x) label codes.
        legend: of the codes.
    """
    counts = {code: int((codes == code).sum()) for code in legend.codes if code != legend.no_label}
    kept = [code for code in counts if counts[code] >= LEAST_PIXELS]
    kept = sorted(kept, key=lambda code: -counts[code])[:MOST_CLASSES]
    curves = {}
    for code in kept:
        values = index[:, codes == code]
        seen = np.isfinite(values).mean(1) >= LEAST_SEEN
        quartiles = np.full((3, len(values)), np.nan)
        if seen.any():
            quartiles[:, seen] = np.nanpercentile(values[seen], (25, 50, 75), axis=1)
        curves[code] = quartiles
    return curves


def draw_labels(axes: Axes, name: str, codes: NDArray[Any], legend: Legend) -> None:
    """Draw codes (y, x) of a label layer in its colours, with names of what is there."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    from sitsformer.plots.lettering import largest, shown

    picture = np.ones((*codes.shape, 3))
    handles, shares = [], []
    for code, word, colour in zip(legend.codes, legend.names, legend.colours, strict=True):
        share = float((codes == code).mean())
        if code == legend.no_label or share == 0:
            continue
        picture[codes == code] = to_rgb(colour)
        shares.append(share)
        handles.append(Patch(color=colour, label=f"{shown(word)} {share:.1%}"))
    axes.imshow(picture, interpolation="nearest")
    axes.set_title(name, fontsize=10)
    axes.set_axis_off()
    handles = [handles[k] for k in largest(shares, MOST_NAMED)]
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)


def _draw_curves(
    axes: Axes,
    times: NDArray[np.datetime64],
    index: NDArray[np.float32],
    codes: NDArray[Any],
    legend: Legend,
) -> None:
    from sitsformer.plots.lettering import shown

    colours = dict(zip(legend.codes, legend.colours, strict=True))
    names = dict(zip(legend.codes, legend.names, strict=True))
    styles = ("-", "--", ":")
    for position, (code, quartiles) in enumerate(class_curves(index, codes, legend).items()):
        seen = np.isfinite(quartiles[1])
        low, middle, high = quartiles[:, seen]
        axes.plot(
            times[seen],
            middle,
            styles[position // 4],
            color=colours[code],
            label=shown(names[code]),
        )
        axes.fill_between(times[seen], low, high, color=colours[code], alpha=0.10, linewidth=0)
    axes.set_ylabel("NDVI of clear pixels, median and quartiles")
    axes.set_ylim(-0.2, 1)
    axes.grid(alpha=0.3)
    axes.tick_params(axis="x", labelrotation=30)
    if axes.lines:
        axes.legend(fontsize=8, ncols=2, loc="lower center")
