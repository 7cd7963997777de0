"""Curves by number of labels, paired differences, confusion, classes: from the tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitsformer.classes import Classes
from sitsformer.plots.lettering import largest, shown
from sitsformer.plots.style import GRID, INK, MUTED, figure, look, representative, shot_axis
from sitsformer.training.objectives import objectives, starts


def _network_arms(summary: pd.DataFrame) -> list[str]:
    """Arms of the network in the order of what they start from; unknown starts come last."""
    arms = summary[summary.method == "sitsformer"].arm.unique()
    order = {name: place for place, name in enumerate(starts())}
    return sorted(arms, key=lambda arm: (order.get(arm.split("-")[0], len(order)), arm))


def label_efficiency(summary: pd.DataFrame, score: str = "macro_f1") -> Figure:
    """Score against shots: the network's inits on the left, baselines on the right."""
    part = summary[(summary.score == score) & (summary.shots != "few")]
    network = _network_arms(part)
    others = sorted(set(part.arm) - set(network))
    drawn = figure(5.0)
    left, right = drawn.subplots(1, 2, sharey=True)
    _curves(left, part, network)
    left.set_title("The network, by what its weights start from")
    left.set_ylabel("macro F1 on test blocks")
    first = next(iter(objectives()))
    reference = [arm for arm in network if arm.split("-")[0] == first][:1]
    _curves(right, part, [*reference, *others])
    right.set_title("Methods without pretraining" + (f", and {first}" if reference else ""))
    return drawn


def _curves(axes: Axes, part: pd.DataFrame, arms: Sequence[str]) -> None:
    places = shot_axis(axes, part.shots)
    adaptations = {arm.partition("-")[2] for arm in arms if "-" in arm}
    for position, arm in enumerate(arms):
        rows = part[part.arm == arm]
        # Beside each other, so that no interval hides another.
        x = rows.shots.map(places).to_numpy(float) + 0.07 * (position - (len(arms) - 1) / 2)
        order = np.argsort(x)
        style = look(arm, len(adaptations) > 1)
        mean, low, high = (
            rows[k].to_numpy(float)[order] for k in ("mean", "low_seeds", "high_seeds")
        )
        bars = np.nan_to_num(np.stack([mean - low, high - mean]))
        axes.errorbar(
            x[order], mean, bars, color=style.colour, marker=style.marker, linestyle=style.line,
            label=style.label, capsize=0, elinewidth=1.1,
        )  # fmt: skip
    if arms:
        # Below: with many methods no corner of the panel is free.
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)


def differences(table: pd.DataFrame, score: str = "macro_f1") -> Figure:
    """Paired differences with both intervals, a panel a comparison."""
    part = table[table.score == score]
    panels = list(dict.fromkeys(zip(part.comparison, part.adaptation, strict=True)))
    columns = 3
    rows = -(-len(panels) // columns)
    drawn = figure(0.3 + 1.95 * rows)
    grid = drawn.subplots(rows, columns, sharey=True, squeeze=False)
    several = len({adaptation for _, adaptation in panels}) > 1
    for axes, (comparison, adaptation) in zip(grid.flat, panels, strict=False):
        chosen = part[(part.comparison == comparison) & (part.adaptation == adaptation)]
        _difference_panel(axes, chosen, part.shots)
        title = comparison.replace(" - ", " \N{MINUS SIGN} ")
        axes.set_title(f"{title}, {adaptation}" if several else title)
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    for axes in grid[:, 0]:
        axes.set_ylabel("macro F1 difference")
    for position, axes in enumerate(grid.flat[: len(panels)]):
        if position + columns >= len(panels):
            axes.set_xlabel("labelled samples a class")
    return drawn


def _difference_panel(axes: Axes, chosen: pd.DataFrame, shots: pd.Series[str]) -> None:
    places = shot_axis(axes, shots, label=False)
    axes.axhline(0, color=MUTED, linewidth=1)
    for row in chosen.to_dict("records"):
        x = places[row["shots"]]
        colour = look(f"{row['comparison'].split(' ')[0]}-full").colour
        sure = row["verdict"] != "undecided"
        axes.plot([x - 0.1] * 2, [row["low_seeds"], row["high_seeds"]], color=colour, linewidth=3)
        axes.plot([x + 0.1] * 2, [row["low_blocks"], row["high_blocks"]], color=colour, linewidth=1)
        axes.plot(
            x, row["mean"], "o", color=colour, markerfacecolor=colour if sure else "none",
            markersize=6, markeredgewidth=1.4,
        )  # fmt: skip


def chosen_arms(summary: pd.DataFrame, shots: str) -> list[str]:
    """Arms that figures of one number of shots show: every start, and the best baseline."""
    part = summary[(summary.shots == shots) & (summary.score == "macro_f1")]
    arms = _network_arms(part)
    first_adaptation = arms[0].partition("-")[2] if arms else ""
    arms = [arm for arm in arms if arm.endswith(f"-{first_adaptation}")]
    baselines = part[part.method != "sitsformer"].sort_values("mean")
    return arms[::-1] + list(baselines.arm.tail(1))


def per_class(table: pd.DataFrame, summary: pd.DataFrame, classes: Classes) -> Figure:
    """F1 of each class, a row a class, a mark an arm."""
    shots = representative(list(summary.shots.unique()))
    arms = chosen_arms(summary, shots)
    part = table[table.shots == shots]
    support = part.groupby("class").support.sum()
    colour = dict(zip(classes.names, classes.colours, strict=True))
    kept = [classes.names[k] for k in largest([float(support[name]) for name in colour])]
    drawn = figure(1.3 + 0.34 * len(kept))
    axes = drawn.subplots()
    means = {arm: part[part.arm == arm].groupby("class").f1.mean() for arm in arms}
    first = means[arms[-2] if len(arms) > 1 else arms[0]]
    order = sorted(kept, key=lambda name: first[name])
    for y, name in enumerate(order):
        values = [means[arm][name] for arm in arms]
        axes.plot([min(values), max(values)], [y, y], color=GRID, linewidth=4, zorder=1)
        axes.plot(
            -0.02, y, "s", color=colour[name], markersize=9, clip_on=False,
            markeredgecolor=MUTED, markeredgewidth=0.6,
        )  # fmt: skip
    for arm in arms:
        style = look(arm)
        axes.plot(
            [means[arm][name] for name in order], range(len(order)), linestyle="none",
            marker=style.marker, color=style.colour, label=style.label, markersize=7,
        )  # fmt: skip
    axes.set_yticks(range(len(order)), [shown(name) for name in order])
    axes.tick_params(axis="y", length=0, pad=12)
    axes.spines["left"].set_visible(False)
    axes.grid(True, axis="x")
    axes.grid(False, axis="y")
    axes.set_xlim(-0.02, 1.0)
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlabel("F1 on test blocks")
    axes.set_title(f"{_labels(shots)} a class")
    drawn.legend(loc="outside right upper")
    return drawn


def _labels(shots: str) -> str:
    return {"all": "All labels", "1": "1 label"}.get(shots, f"{shots} labels")


def confusion(table: pd.DataFrame, summary: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Confusion matrices of random weights, the first pretrained arm and a baseline."""
    shots = representative(list(summary.shots.unique()))
    arms = chosen_arms(summary, shots)
    # From scratch, the last pretrained one (dual where it ran), the best baseline: at most three.
    wanted = list(dict.fromkeys([arms[0], *arms[-2:]]))
    count = table[table.shots == shots].groupby("truth")["count"].sum()
    names = [names[k] for k in largest([float(count[name]) for name in names])]
    words = [shown(name) for name in names]
    # Room for the longest name, which stands upright below.
    drawn = figure(3.1 + 0.075 * max(map(len, words)))
    panels = drawn.subplots(1, len(wanted), squeeze=False, sharey=True)[0]
    size = min(8.0, 62 / len(names) * (3 / max(len(wanted), 3)))
    image = None
    for axes, arm in zip(panels, wanted, strict=True):
        part = table[(table.arm == arm) & (table.shots == shots)]
        shares = part.pivot(index="truth", columns="predicted", values="share_of_truth")
        values = 100 * shares.loc[list(names), list(names)].to_numpy(float)
        image = axes.imshow(values, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        for i, row in enumerate(values):
            for j, value in enumerate(row):
                if value >= 0.5:
                    ink = "#ffffff" if value > 55 else "#10243e"
                    axes.text(
                        j, i, f"{value:.0f}", ha="center", va="center", color=ink, fontsize=size
                    )
        axes.set_title(look(arm).label)
        axes.set_xticks(range(len(names)), words, rotation=90)
        axes.set_xlabel("predicted")
        axes.grid(False)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    panels[0].set_yticks(range(len(names)), words)
    panels[0].set_ylabel(f"true class, {_labels(shots).lower()} a class")
    if image is not None:
        bar = drawn.colorbar(image, ax=list(panels), shrink=0.7, pad=0.01)
        bar.set_label("% of the true class")
        bar.outline.set_visible(False)
    return drawn


def calibration(
    reliability: pd.DataFrame, summary: pd.DataFrame, conformal: pd.DataFrame
) -> Figure:
    """Reliability curves, calibration error by shots, coverage and size of prediction sets."""
    shots = representative(list(summary.shots.unique()))
    arms = chosen_arms(summary, shots)
    drawn = figure(3.9)
    left, middle, right = drawn.subplots(1, 3)
    left.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
    for arm in arms:
        style = look(arm)
        part = reliability[(reliability.arm == arm) & (reliability.shots == shots)]
        # A bin with a handful of samples says nothing.
        part = part[part["count"] >= 0.01 * part["count"].sum()]
        left.plot(
            part.confidence, part.accuracy, color=style.colour, marker=style.marker,
            linestyle=style.line, label=style.label,
        )  # fmt: skip
    left.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
    left.set_title(f"Reliability, {_labels(shots).lower()} a class")
    left.set_aspect("equal")
    part = summary[(summary.score == "ece") & (summary.shots != "few")]
    _lines(middle, part, "mean", arms)
    middle.set_title("Calibration error")
    middle.set_ylabel("expected calibration error")
    middle.set_ylim(bottom=0)
    sets = conformal.groupby(["arm", "shots"])[["coverage", "size", "promised"]].mean()
    right.axhline(float(sets.promised.iloc[0]), color=MUTED, linewidth=1, linestyle=":")
    _lines(right, sets.reset_index(), "coverage", arms)
    _sizes(right, sets.reset_index(), arms[-2] if len(arms) > 1 else arms[0])
    right.set_title("Prediction sets")
    right.set_ylabel("share of sets with the true class")
    right.set_ylim(max(0.0, float(sets.coverage.min()) - 0.04), 1.05)
    right.set_yticks([tick for tick in right.get_yticks() if tick <= 1])
    handles, labels = left.get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=len(arms))
    return drawn


def _lines(axes: Axes, part: pd.DataFrame, column: str, arms: Sequence[str]) -> None:
    places = shot_axis(axes, part.shots)
    for arm in arms:
        style = look(arm)
        rows = part[part.arm == arm]
        rows = rows.iloc[np.argsort(rows.shots.map(places).to_numpy())]
        axes.plot(
            rows.shots.map(places), rows[column], color=style.colour, marker=style.marker,
            linestyle=style.line,
        )  # fmt: skip


def _sizes(axes: Axes, sets: pd.DataFrame, arm: str) -> None:
    """Mean number of classes in a set of one arm, in a row at the top."""
    places = shot_axis(axes, sets.shots)
    for row in sets[sets.arm == arm].to_dict("records"):
        axes.text(
            places[row["shots"]], 0.9, f"{row['size']:.1f}", ha="center", fontsize=8.5, color=INK,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
    axes.text(
        0.02, 0.97, f"classes in a set, {look(arm).label}:", fontsize=8.5, color=INK, va="center",
        transform=axes.transAxes,
    )  # fmt: skip
