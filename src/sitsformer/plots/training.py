"""Pictures of pretraining: histories, reconstructions, embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sitsformer.classes import Classes
from sitsformer.plots.lettering import largest, shown
from sitsformer.plots.style import MUTED, figure, look
from sitsformer.training.objectives import losses

MARKERS = "osD^v<>PXphd*8"
"""Marks of classes, beside their colours."""


def histories(runs: Mapping[str, pd.DataFrame]) -> Figure:
    """Losses by epoch, a panel a loss.

    Args:
        runs: name of a model (`dual-p0`) -> its history: `epoch`, `train_ssl`, `train_sl`,
            `validation_ssl`, `validation_sl`, as far as the objective has them.
    """
    known = losses()
    shown = [name for name in known if any(f"train_{name}" in run for run in runs.values())]
    drawn = figure(3.4)
    panels = drawn.subplots(1, len(shown), squeeze=False)[0]
    for axes, loss in zip(panels, shown, strict=True):
        values = []
        for name, run in runs.items():
            if f"train_{loss}" not in run:
                continue
            objective, _, seed = name.partition("-p")
            style = look(f"{objective}-full")
            train = run[f"train_{loss}"]
            axes.plot(run.epoch, train, color=style.colour, linewidth=0.8)
            values += train.dropna().tolist()
            if f"validation_{loss}" in run:
                seen = run.dropna(subset=[f"validation_{loss}"])
                axes.plot(
                    seen.epoch, seen[f"validation_{loss}"], color=style.colour, linewidth=2.2,
                    label=f"{objective}, validation" if seed in ("0", "") else None,
                )  # fmt: skip
                values += seen[f"validation_{loss}"].tolist()
        if values and min(values) > 0 and max(values) > 20 * min(values):
            axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel(known[loss].unit)
        axes.set_title(f"Loss of {known[loss].title}")
        axes.legend()
    return drawn


def reconstruction(
    examples: Sequence[Mapping[str, npt.NDArray[np.floating]]], title: str, band: str
) -> Figure:
    """Hidden dates and what the network makes of them, a panel a sample.

    Args:
        examples: `day` (T,), `seen` (T,) 1 or 0, `truth` (T,) and `guess` (T,) reflectance.
        title: name of the model.
        band: name of the band that is shown.
    """
    columns = min(2, len(examples))
    rows = -(-len(examples) // columns)
    drawn = figure(0.6 + 1.75 * rows)
    grid = drawn.subplots(rows, columns, squeeze=False, sharey=True, sharex=True)
    style = look(f"{title.partition('-')[0]}-full")
    for axes, one in zip(grid.flat, examples, strict=False):
        seen = one["seen"] > 0
        axes.plot(one["day"], one["truth"], color=MUTED, linewidth=0.8)
        axes.plot(
            one["day"][seen], one["truth"][seen], "o", color=MUTED, markersize=4, label="seen"
        )
        axes.plot(
            one["day"][~seen], one["truth"][~seen], "o", color=MUTED, markerfacecolor="none",
            markersize=6, label="hidden",
        )  # fmt: skip
        axes.plot(
            one["day"][~seen], one["guess"][~seen], "X", color=style.colour, markersize=7,
            label="reconstructed",
        )  # fmt: skip
    for axes in grid[:, 0]:
        axes.set_ylabel(f"{band} reflectance")
    for axes in grid[-1]:
        axes.set_xlabel("day of year")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper right", ncols=3)
    drawn.suptitle(title, x=0.01, ha="left", fontsize=9.5, fontweight="bold")
    return drawn


def principal(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """First two principal components (sample, 2) of standardised vectors (sample, width)."""
    values = vectors.astype(np.float64)
    values = (values - values.mean(0)) / np.maximum(values.std(0), 1e-9)
    left, size, _ = np.linalg.svd(values, full_matrices=False)
    # The sign of a component means nothing; fix it, so that a run repeats.
    signs = np.sign(left[np.abs(left).argmax(0), range(left.shape[1])])
    return np.asarray((left * size * signs)[:, :2])


def neighbour_vote(
    vectors: npt.NDArray[np.floating],
    label: npt.NDArray[np.int64],
    block: npt.NDArray[np.int64],
    count: int = 5,
) -> float:
    """Share of samples whose nearest neighbours in other blocks vote for their class.

    Within a block they would often come from the same field.

    Args:
        vectors: (sample, width).
        label: (sample,) class index.
        block: (sample,) spatial block.
        count: neighbours that vote.
    """
    values = (vectors - vectors.mean(0)) / np.maximum(vectors.std(0), 1e-9)
    square = (values**2).sum(1)
    distance = square[:, None] + square - 2 * values @ values.T
    distance[block[:, None] == block] = np.inf
    nearest = label[np.argsort(distance, axis=1)[:, :count]]
    votes = (nearest[:, :, None] == np.arange(label.max() + 1)).sum(1)
    return float((votes.argmax(1) == label).mean())


def embedding(
    vectors: Mapping[str, npt.NDArray[np.floating]],
    label: npt.NDArray[np.int64],
    block: npt.NDArray[np.int64],
    classes: Classes,
) -> Figure:
    """Principal components of encodings, a panel a model.

    Args:
        vectors: name of a model -> (sample, width).
        label: (sample,) class index.
        block: (sample,) spatial block.
        classes: names and colours.
    """
    drawn = figure(4.1)
    panels = drawn.subplots(1, len(vectors), squeeze=False)[0]
    named = set(largest(np.bincount(label, minlength=len(classes))).tolist())
    for axes, (name, values) in zip(panels, vectors.items(), strict=True):
        points = principal(values)
        for k, colour in enumerate(classes.colours):
            chosen = label == k
            axes.scatter(
                *points[chosen].T, s=13, color=colour, marker=MARKERS[k % len(MARKERS)],
                edgecolors=MUTED, linewidths=0.3, rasterized=True,
                label=shown(classes.names[k]) if k in named else None,
            )  # fmt: skip
        axes.set_title(f"{name}: {neighbour_vote(values, label, block):.0%} by neighbours")
        axes.set(xticks=[], yticks=[], xlabel="component 1")
        axes.grid(False)
    panels[0].set_ylabel("component 2")
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=max(1, min(6, len(labels), 110 // (6 + max(map(len, labels), default=0)))),
    )
    return drawn
