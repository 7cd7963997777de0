"""A crop map beside its labels, its confidence and its areas."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sitsformer.classes import Classes
from sitsformer.maps import NONE, CropMap
from sitsformer.plots.lettering import MOST_CLASSES, largest, lettering, shown
from sitsformer.plots.style import INK, MUTED, RC, figure
from sitsformer.sensors import PIXEL

EMPTY = "#e4e6e9"
"""Colour of pixels without a class."""


def picture(
    found: CropMap,
    labels: npt.NDArray[np.uint16] | None,
    classes: Classes,
    areas: pd.DataFrame,
    title: str,
) -> Figure:
    """Labels (y, x; classes from 1 on, 0 none), map, confidence and areas of a tile."""
    drawn = figure(6.6)
    panels = drawn.subplot_mosaic(
        [["labels", "map", "confidence"], ["areas", "areas", "areas"]], height_ratios=[1.35, 1]
    )
    drawn.get_layout_engine().set(hspace=0.08)  # type: ignore[union-attr,call-arg]
    _classes(panels["labels"], labels, classes, "Labels")
    _classes(panels["map"], found.classes, classes, "Map")
    _confidence(panels["confidence"], found)
    _bars(panels["areas"], areas, classes)
    drawn.legend(
        handles=_legend(found, labels, classes),
        loc="outside lower center",
        ncols=_columns(classes.names),
    )
    drawn.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return drawn


def _legend(found: CropMap, labels: npt.NDArray[np.uint16] | None, classes: Classes) -> list[Patch]:
    """A patch for each class of the map or the labels, the largest where there are too many."""
    count = found.pixels(len(classes.names))
    if labels is not None:
        count += np.bincount(labels.ravel(), minlength=len(count) + 1)[1:]
    named = largest(count).tolist()
    faces = [(classes.colours[k], shown(classes.names[k])) for k in named]
    faces.append((EMPTY, "none"))
    handles = [
        Patch(facecolor=colour, edgecolor=MUTED, linewidth=0.6, label=name)
        for colour, name in faces
    ]
    others = int(np.count_nonzero(count)) - len(named)
    if others:
        handles.append(Patch(facecolor="none", edgecolor="none", label=f"{others} more"))
    return handles


def _columns(names: Sequence[str]) -> int:
    """Columns of a legend that the figure has room for."""
    return max(1, min(6, 110 // (6 + max(len(shown(name)) for name in names))))


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
    axes: Axes, values: npt.NDArray[np.uint16] | None, classes: Classes, title: str
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
    named = largest((areas.mapped_ha + areas.estimated_ha).to_numpy())
    left_out = len(areas) > MOST_CLASSES
    areas = areas.iloc[named] if left_out else areas
    colours = [classes.colours[k] for k in named] if left_out else classes.colours
    x = np.arange(len(areas))
    axes.bar(x - 0.2, areas.mapped_ha, 0.36, color=colours, edgecolor=MUTED, linewidth=0.6)
    middle = areas.estimated_ha.to_numpy()
    bars = np.stack([middle - areas.low_ha.to_numpy(), areas.high_ha.to_numpy() - middle])
    axes.errorbar(
        x + 0.2, middle, bars, fmt="o", color=INK, markersize=4, elinewidth=1.2, capsize=3
    )
    names = [shown(name, 20) for name in areas["class"]]
    # As many letters as stand side by side under the bars.
    turned = 0 if sum(map(len, names)) <= 90 and len(areas) <= 6 else 20
    turned = 90 if len(areas) > 14 else turned
    axes.set_xticks(x, names, rotation=turned, ha="center")
    axes.tick_params(axis="x", length=0)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("area, ha")
    axes.set_title("Area by counting pixels (bars) and corrected by the test samples (points)")


def png(
    found: CropMap,
    labels: npt.NDArray[np.uint16] | None,
    classes: Classes,
    areas: pd.DataFrame,
    title: str,
) -> bytes:
    """What `picture` draws as a PNG, on white."""
    white = {"figure.facecolor": "white", "savefig.facecolor": "white"}
    drawn = io.BytesIO()
    with lettering({**RC, **white}, f"picture of {title}"):
        shown = picture(found, labels, classes, areas, title)
        shown.savefig(drawn, format="png", dpi=130, metadata={"Software": None})
    return drawn.getvalue()
