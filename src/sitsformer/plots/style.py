"""How figures look: colours, marks, sizes, and one SVG that suits light and dark pages.

Text and lines are drawn in three fixed inks. In the page their colours become CSS variables, which
follow the reader's choice of light or dark; a file of its own keeps them, on white.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitsformer import artefacts
from sitsformer.baselines import shipped
from sitsformer.embeddings import LEARNERS, learner_name, of_products, products
from sitsformer.fewshot import shots_order
from sitsformer.fewshot.adaptations import adaptations
from sitsformer.plots.lettering import lettering
from sitsformer.training.objectives import starts

INK, MUTED, GRID = "#16191d", "#5c636b", "#d3d7dc"
"""Text; secondary text and axes; grid lines. Used for nothing else, so they can be replaced."""

_VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--grid)"}

WIDTH = 9.6
"""Width of every figure, inches: what a page of a laptop shows without scaling."""


@dataclass(frozen=True)
class Look:
    """Colour, marker and label of a method."""

    colour: str
    marker: str
    label: str
    line: str | tuple[float, tuple[float, ...]] = "-"


# Okabe & Ito (2008), "Color Universal Design"; told apart by marker and dash as well.


def look(arm: str, several: bool = False) -> Look:
    """How an arm (`dual-full`, `random_forest`) is drawn everywhere.

    Where there are arms of several adaptations, labels tell these apart.
    """
    init, _, adaptation = arm.partition("-")
    if init in starts() and adaptation:
        found = starts()[init]
        label = f"{found.title}, {adaptation}" if several else found.title
        known = adaptations().get(adaptation)
        return Look(found.colour, found.marker, label, "-" if known is None else known.line)
    method, _, given = arm.partition("+")
    if method in starts():
        joined = of_products().get(learner_name(given, "with_encoder"))
        title = given.replace("_", " ") if joined is None else products()[given].title
        colour = "#4d4d4d" if joined is None else joined.colour
        marker = LEARNERS["with_encoder"].marker
        return Look(colour, marker, f"{starts()[method].title} and {title}", "-")
    ships = shipped().get(method)
    if given:
        plain = look(method)
        title = f"{plain.label} with {given}'s land cover"
        return Look(plain.colour, plain.marker, title, (0, (1, 1)))
    embedded = of_products().get(method)
    if ships is None and embedded is not None:
        kind = embedded.kind
        return Look(embedded.colour, kind.marker, embedded.title, kind.line)
    if ships is None:
        return Look("#4d4d4d", "p", arm.replace("_", " "), "--")
    return Look(ships.colour, ships.marker, ships.title, ships.line)


RC: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "savefig.facecolor": "none",
    # Letters as shapes: the figure looks the same with every font of the reader.
    "svg.fonttype": "path",
}


def figure(height: float, **options: Any) -> Figure:
    """A figure of the page's width, `height` inches high."""
    return Figure(figsize=(WIDTH, height), layout="constrained", **options)


def render(name: str, function: Callable[..., Figure], *values: Any) -> str:
    """Call a drawing function and give the SVG of its figure; the same bytes each time."""
    target = io.StringIO()
    with lettering({**RC, "svg.hashsalt": name}, f"figure {name}"):
        drawn = function(*values)
        drawn.savefig(target, format="svg", dpi=160, metadata={"Date": None, "Creator": None})
    return target.getvalue()


def write(drawn: str, path: Path) -> None:
    """Write an SVG as a file of its own, on white."""
    white = '<style type="text/css">svg{background:#ffffff}</style>'
    with artefacts.create_file(path, "figure") as temporary:
        temporary.write_text(drawn.replace("<defs>", f"<defs>{white}", 1), encoding="utf-8")


def inline(drawn: str, name: str, alternative: str) -> str:
    """An SVG as a part of a page: inks as CSS variables, identifiers of its own."""
    body = drawn[drawn.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, variable)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    # The size follows the page; the view box keeps the shape.
    head, _, rest = body.partition(">")
    head = re.sub(r'\s(width|height)="[^"]*"', "", head)
    escaped = alternative.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return f'{head} role="img" aria-label="{escaped}">{rest}'


def shot_axis(axes: Axes, shots: Iterable[str], label: bool = True) -> dict[str, int]:
    """Put numbers of shots on the x axis, evenly; returns their places."""
    names = sorted(set(shots), key=lambda s: (s == "few", shots_order(s) if s != "few" else 0))
    places = {name: i for i, name in enumerate(names)}
    axes.set_xticks(list(places.values()), list(places))
    axes.set_xlim(-0.5, len(places) - 0.5)
    if label:
        axes.set_xlabel("labelled samples a class")
    return places


def representative(shots: Sequence[str]) -> str:
    """The number of shots that figures of a single one show: the one nearest to 10."""
    numbers = [s for s in shots if s not in ("all", "few")]
    if not numbers:
        return "all"
    return min(numbers, key=lambda s: (abs(float(s) - 10), float(s)))
