"""What a baseline is: the settings to try, and a function that fits one of them.

A baseline that ships says more of itself, in one record that everything else reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sitsformer.errors import SitsError
from sitsformer.registry import records, unknown

if TYPE_CHECKING:
    from sitsformer.baselines.networks.training import PixelNetwork
    from sitsformer.baselines.series import Calendar, PixelSeries
    from sitsformer.config import FewShot
    from sitsformer.fewshot.kept import Kept
    from sitsformer.fewshot.vectors import Rows

Choice: TypeAlias = Mapping[str, Any]
Predict: TypeAlias = "Callable[[PixelSeries], npt.NDArray[np.floating]]"

OWN = ("file", "features")
"""Options that make a baseline of the user's."""
NETWORK = "sitsformer"
"""Name of the network among the methods of the sweep, which no baseline can have."""


@dataclass(frozen=True)
class Task:
    """What a baseline is fitted to.

    Attributes:
        train: the drawn samples.
        label: (sample,) int64, their class index.
        unlabelled: the whole training split, for normalisation; its labels are not to be seen.
        classes: number of classes.
        seed: of everything random.
        settings: the few-shot section, for the budget shared with fine-tuning.
        options: of this baseline: the user's, and the default of each that was left out.
        kept: where trainings in steps are saved, to go on from there; None: nowhere.
        weight: (sample,) how much each of `train` counts beside the others of its class, 1 in the
            mean of a class (`fewshot.training_weights`); None: all alike.
    """

    train: PixelSeries
    label: npt.NDArray[np.int64]
    unlabelled: PixelSeries
    classes: int
    seed: int
    settings: FewShot
    options: Mapping[str, Any] = field(default_factory=dict)
    kept: Kept | None = None
    weight: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Baseline:
    """A method.

    Attributes:
        candidates: settings to try on the validation samples, the default one first.
        fit: a task and one of the settings -> a function from series to probabilities
            (sample, class).
        space: features (sample, feature) of all samples that smoothing seeks neighbours in,
            standardised there, or what gives rows of them; None: those of the series.
        beside: of the samples of a cell, what is recorded beside its settings.
    """

    candidates: Callable[[Task], Sequence[Choice]]
    fit: Callable[[Task, Choice], Predict]
    space: Callable[[PixelSeries], Rows] | None = None
    beside: Callable[[PixelSeries], Mapping[str, Any]] | None = None


@dataclass(frozen=True, eq=False)
class Keeping:
    """How a fitted baseline is kept as arrays, where fitting it again would take long.

    Attributes:
        arrays: what `fit` gave -> arrays by name.
        again: these, the settings and the number of classes -> what predicts.
    """

    arrays: Callable[[Any], Mapping[str, npt.NDArray[Any]]]
    again: Callable[[Mapping[str, npt.NDArray[Any]], Choice, int], Predict]


@dataclass(frozen=True)
class Option:
    """What a user may set of a baseline: a whole number above 0, or a file.

    Attributes:
        meaning: in a phrase that follows the name of the option.
        default: where it is left out; None: it is the path of a file, and must be given.
    """

    meaning: str
    default: int | None


@dataclass(frozen=True, eq=False, kw_only=True)
class ShippedBaseline(Baseline):
    """A baseline of this package.

    Attributes:
        name: in configs, paths and tables: a small letter, then small letters, digits or `_`.
        title: in figures and tables of the report.
        colour: of its curve, '#rrggbb', that no other method has.
        marker: of its points, a letter or sign of matplotlib's, that no other method has.
        line: of its curve: `-`, `--`, `-.` or `:`.
        gradient: it is trained in steps, and so depends on `fewshot.steps`, `recipe` and their
            like; otherwise a change of these runs none of its cells again.
        options: what a user may set, by name (`fewshot.options`).
        network: of one that is trained in steps: numbers of bands, the calendar, number of classes
            -> its network without weights, so that maps can be drawn with those it learned.
        keeping: how it is kept for maps; None: by its weights, or the samples it was fitted to.
        extra: it needs a library that is not among the dependencies (`extras.py`), and takes part
            only where a config names it.
        order: in the sweep where `fewshot.baselines` is left out; records with one order are
            sorted by name.
    """

    name: str
    title: str
    colour: str
    marker: str
    line: str = "--"
    gradient: bool
    options: Mapping[str, Option] = field(default_factory=dict)
    network: Callable[[int, Calendar, int], PixelNetwork] | None = None
    keeping: Keeping | None = None
    extra: bool = False
    order: int = 100

    def __post_init__(self) -> None:
        said = {
            "a name is a small letter, then small letters, digits or '_'": not re.fullmatch(
                r"[a-z][a-z0-9_]*", self.name
            ),
            "its name is the network's": self.name == NETWORK,
            "it needs a title": not self.title.strip(),
            f"its colour {self.colour!r} is not '#rrggbb'": not re.fullmatch(
                "#[0-9a-f]{6}", self.colour
            ),
            f"its marker {self.marker!r} is not one sign": len(self.marker) != 1,
            f"its line {self.line!r} is none of '-', '--', '-.', ':'": (
                self.line not in ("-", "--", "-.", ":")
            ),
            f"no option of it can be called {' or '.join(OWN)}": bool(set(OWN) & set(self.options)),
        }
        problems = [text for text, wrong in said.items() if wrong]
        if problems:
            raise SitsError(f"baseline {self.name!r}: {'; '.join(problems)}")


def shipped() -> Mapping[str, ShippedBaseline]:
    """Every baseline of the package by name, in the order of the default sweep."""
    return records("sitsformer.baselines", ShippedBaseline)


def by_default() -> tuple[str, ...]:
    """Names of the baselines that take part where a config names none."""
    return tuple(name for name, item in shipped().items() if not item.extra)


def file_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a baseline that are paths of files, as given."""
    ships = shipped().get(name)
    own = [key for key, option in ships.options.items() if option.default is None] if ships else []
    return {key: options[key] for key in (*OWN, *own) if key in options}


def unknown_baseline(name: str) -> str:
    """The message about a name that no shipped baseline has."""
    return (
        f"{unknown('baseline', name, shipped())} (for one of your own, name its file, "
        f"fewshot.options.{name}.file, or its features, fewshot.options.{name}.features)"
    )


def spread(
    probabilities: npt.NDArray[np.floating], present: npt.NDArray[np.integer], classes: int
) -> npt.NDArray[np.float64]:
    """Probabilities of the classes that were fitted, among all classes.

    Args:
        probabilities: (sample, present).
        present: (present,) class index of each column.
        classes: number of all classes.

    Returns:
        (sample, class) float64, 0 for a class that was not fitted.
    """
    found = np.zeros((len(probabilities), classes))
    found[:, present] = probabilities
    return found
