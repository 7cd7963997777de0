"""A crop map beside its labels, its confidence and its areas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sitsformer import provenance
from sitsformer.config import PIXEL
from sitsformer.labels import Classes
from sitsformer.maps import NONE, CropMap
from sitsformer.plots.style import INK, MUTED, RC, figure

EMPTY = "#e4e6e9"
"""Colour of pixels without a class."""


def picture(
    found: CropMap,
    labels: npt.NDArray[np.uint8] | None,
    classes: Classes,
    areas: pd.DataFrame,
    title: str,
) -> Figure:
    """Labels, map, confidence and areas of a tile.

    Args:
        found: the map.
        labels: (y, x) labels in the classes of the map, 0 none; None where there are none.
        classes: names and colours.
        areas: of `areas.estimate`.
        title: area and tile.
    """
    drawn = figure(6.6)
    panels = drawn.subplot_mosaic(
        [["labels", "map", "confidence"], ["areas", "areas", "areas"]], height_ratios=[1.35, 1]
    )
    drawn.get_layout_engine().set(hspace=0.08)  # type: ignore[union-attr,call-arg]
    _classes(panels["labels"], labels, classes, "Labels")
    _classes(panels["map"], found.classes, classes, "Map")
    _confidence(panels["confidence"], found)
    _bars(panels["areas"], areas, classes)
    used = np.union1d(found.classes, [] if labels is None else labels)
    handles = [
        Patch(facecolor=colour, edgecolor=MUTED, linewidth=0.6, label=name)
        for k, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True))
        if k + 1 in used
    ]
    handles.append(Patch(facecolor=EMPTY, edgecolor=MUTED, linewidth=0.6, label="none"))
    drawn.legend(handles=handles, loc="outside lower center", ncols=6)
    drawn.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return drawn


def _frame(axes: Axes, title: str, side: int) -> None:
    axes.set_title(title)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(True)
    # A bar of a round length, about a quarter of the side.
    metres = side * PIXEL / 4
    power = 10 ** np.floor(np.log10(metres))
    length = max(step * power for step in (1, 2, 5) if step * power <= metres)
    start, y = 0.04 * side, 1.05 * side
    limits = axes.get_ylim()
    axes.plot([start, start + length / PIXEL], [y, y], color=INK, linewidth=2, clip_on=False)
    axes.set_ylim(limits)
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    axes.text(start + length / PIXEL + 0.02 * side, y, text, va="center", fontsize=8)


def _classes(
    axes: Axes, values: npt.NDArray[np.uint8] | None, classes: Classes, title: str
) -> None:
    if values is None:
        axes.axis("off")
        axes.text(0.5, 0.5, "no labels", ha="center", transform=axes.transAxes, color=INK)
        return
    colours = ListedColormap([EMPTY, *classes.colours])
    axes.imshow(values, cmap=colours, vmin=0, vmax=len(classes.names), interpolation="nearest")
    _frame(axes, title, values.shape[0])


def _confidence(axes: Axes, found: CropMap) -> None:
    values = np.where(found.classes == NONE, np.nan, found.confidence.astype(float))
    image = axes.imshow(values, cmap="cividis", vmin=0, vmax=100, interpolation="nearest")
    _frame(axes, "Confidence", values.shape[0])
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02)
    bar.set_label("probability of the class, %")
    bar.outline.set_visible(False)


def _bars(axes: Axes, areas: pd.DataFrame, classes: Classes) -> None:
    x = np.arange(len(areas))
    axes.bar(x - 0.2, areas.mapped_ha, 0.36, color=classes.colours, edgecolor=MUTED, linewidth=0.6)
    middle = areas.estimated_ha.to_numpy()
    bars = np.stack([middle - areas.low_ha.to_numpy(), areas.high_ha.to_numpy() - middle])
    axes.errorbar(
        x + 0.2, middle, bars, fmt="o", color=INK, markersize=4, elinewidth=1.2, capsize=3
    )
    axes.set_xticks(x, areas["class"], rotation=20 if len(areas) > 6 else 0, ha="center")
    axes.tick_params(axis="x", length=0)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("area, ha")
    axes.set_title("Area by counting pixels (bars) and corrected by the test samples (points)")


def write(path: Path, *parts: Any) -> None:
    """Draw a map and write it as PNG, on white.

    Args:
        path: of the PNG.
        *parts: what `picture` takes.
    """
    with mpl.rc_context({**RC, "figure.facecolor": "white", "savefig.facecolor": "white"}):
        drawn = picture(*parts)
        with provenance.create_file(path, "picture") as temporary:
            drawn.savefig(temporary, dpi=130, metadata={"Software": None})
