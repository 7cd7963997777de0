"""The map of an area beside its labels, its confidence and its areas."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sitsformer.classes import Classes
from sitsformer.evaluation.areas import ALL
from sitsformer.plots.lettering import MOST_CLASSES, largest, lettering, shown
from sitsformer.plots.style import INK, MUTED, RC, figure

if TYPE_CHECKING:
    from sitsformer.maps.area import MappedArea

EMPTY = "#e4e6e9"
"""Colour of pixels without a class."""

Values = npt.NDArray[np.unsignedinteger]


def picture(mapped: MappedArea) -> Figure:
    """Labels, map, confidence and areas."""
    found, confidence = mapped.codes.decode(mapped.shown("classes")), mapped.shown("confidence")
    labels, classes = mapped.labels(), mapped.codes.classes
    metres = mapped.grid.pixel * mapped.grid.width / found.shape[1]
    tall = min(1.8, max(0.6, found.shape[0] / found.shape[1]))
    # A map that a model drew elsewhere has no labels, and leaves no hole for them.
    shown_maps = ["map", "confidence"] if labels is None else ["labels", "map", "confidence"]
    part = 3 / len(shown_maps)
    drawn = figure(3.6 + 3.0 * tall * part)
    rows: list[Any] = [shown_maps, ["areas"] * len(shown_maps)]
    panels = drawn.subplot_mosaic(rows, height_ratios=[1.35 * tall * part, 1])
    drawn.get_layout_engine().set(hspace=0.08)  # type: ignore[union-attr,call-arg]
    if labels is not None:
        _classes(panels["labels"], labels, classes, "Labels", metres)
    _classes(panels["map"], found, classes, "Map", metres)
    _confidence(panels["confidence"], confidence, metres)
    _bars(panels["areas"], mapped.table[mapped.table["class"] != ALL], classes)
    drawn.legend(
        handles=_legend(found, labels, classes),
        loc="outside lower center",
        ncols=_columns(classes.names),
    )
    drawn.suptitle(mapped.name, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return drawn


def _legend(found: Values, labels: Values | None, classes: Classes) -> list[Patch]:
    """A patch for each class of the map or the labels, the largest where there are too many."""
    count = np.zeros(len(classes.names), np.int64)
    for values in (found, labels):
        if values is not None:
            count += np.bincount(values.ravel(), minlength=len(count) + 1)[1:]
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


def _frame(axes: Axes, title: str, shape: tuple[int, ...], metres: float) -> None:
    """Title, frame, and a bar of a round length, about a quarter of the width."""
    axes.set_title(title)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(True)
    height, width = shape
    wanted = width * metres / 4
    power = 10 ** np.floor(np.log10(wanted))
    length = max(step * power for step in (1, 2, 5) if step * power <= wanted)
    start, y = 0.04 * width, height + 0.05 * width
    limits = axes.get_ylim()
    axes.plot([start, start + length / metres], [y, y], color=INK, linewidth=2, clip_on=False)
    axes.set_ylim(limits)
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    axes.text(start + length / metres + 0.02 * width, y, text, va="center", fontsize=8)


def _classes(axes: Axes, values: Values, classes: Classes, title: str, metres: float) -> None:
    colours = ListedColormap([EMPTY, *classes.colours])
    axes.imshow(values, cmap=colours, vmin=0, vmax=len(classes.names), interpolation="nearest")
    _frame(axes, title, values.shape, metres)


def _confidence(axes: Axes, confidence: Values, metres: float) -> None:
    values = np.where(confidence == 0, np.nan, confidence.astype(float))
    image = axes.imshow(values, cmap="cividis", vmin=0, vmax=100, interpolation="nearest")
    axes.set_facecolor(EMPTY)
    _frame(axes, "Confidence", values.shape, metres)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02)
    bar.set_label("probability of the class, %")
    bar.outline.set_visible(False)


def _bars(axes: Axes, areas: pd.DataFrame, classes: Classes) -> None:
    middle = areas.estimated_ha.to_numpy()
    measured = bool(np.isfinite(areas.low_ha.to_numpy()).all())
    named = largest((areas.mapped_ha + areas.estimated_ha.fillna(0)).to_numpy())
    left_out = len(areas) > MOST_CLASSES
    areas, middle = (areas.iloc[named], middle[named]) if left_out else (areas, middle)
    colours = [classes.colours[k] for k in named] if left_out else classes.colours
    x = np.arange(len(areas))
    place = x - 0.2 if measured else x
    axes.bar(place, areas.mapped_ha, 0.36, color=colours, edgecolor=MUTED, linewidth=0.6)
    if measured:
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
    sampled = bool((areas.standard_error_ha.to_numpy() > 0).any())
    by = (
        "corrected by a sample (points, with intervals)" if sampled else "by the reference (points)"
    )
    axes.set_title(
        f"Area by counting pixels (bars) and {by}"
        if measured
        else "Area by counting pixels; no sample of this area corrects it"
    )


def png(mapped: MappedArea) -> bytes:
    """What `picture` draws as a PNG, on white."""
    white = {"figure.facecolor": "white", "savefig.facecolor": "white"}
    drawn = io.BytesIO()
    with lettering({**RC, **white}, f"picture of {mapped.name}"):
        shown = picture(mapped)
        shown.savefig(drawn, format="png", dpi=130, metadata={"Software": None})
    return drawn.getvalue()


def areas_png(table: pd.DataFrame, raster: Path) -> bytes:
    """The areas of an assessed map as a PNG, on white, in the colours of the map."""
    from sitsformer.maps.codes import read_codes

    rows = table[table["class"] != ALL]
    own = read_codes(raster).classes
    more = len(rows) - len(own.names)
    classes = Classes(tuple(rows["class"]), (*own.colours, *[MUTED] * more), ((),) * len(rows))
    white = {"figure.facecolor": "white", "savefig.facecolor": "white"}
    drawn = io.BytesIO()
    with lettering({**RC, **white}, f"areas of {raster.name}"):
        shown = figure(3.6)
        _bars(shown.subplots(), rows, classes)
        total = table.iloc[-1]
        shown.suptitle(
            f"{raster.stem}: overall accuracy {total.users_accuracy:.2f} ± "
            f"{total.users_variance**0.5:.2f} (standard error)",
            x=0.01, ha="left", fontsize=10, fontweight="bold",
        )  # fmt: skip
        shown.savefig(drawn, format="png", dpi=130, metadata={"Software": None})
    return drawn.getvalue()
