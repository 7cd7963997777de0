"""What an objective of pretraining is: losses, a look in plots, and what it is compared with."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sitsformer.errors import SitsError
from sitsformer.registry import find, records, unknown
from sitsformer.training.objectives.loss import FIRST, NAME, Loss, losses

MARKERS = frozenset(".,ov^<>8spP*hH+xXDd1234|_")
"""One-letter marks that matplotlib draws."""

BEST_BASELINE = "best baseline"
"""Instead of the name of a start: the baseline that does best on the test split."""

BEST_CONTROL = "best control"
"""And the best baseline among those that are given the land cover of a pretrained model."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """What the weights of a network start from, and how it is drawn.

    Attributes:
        name: in configs, paths and tables.
        title: in plots and the report.
        colour: '#rrggbb'.
        marker: matplotlib's letter for it.
    """

    name: str
    title: str
    colour: str
    marker: str


SCRATCH = Start(name="none", title="none (random weights)", colour="#8a8f96", marker="D")
"""Random weights: the start without pretraining."""


@dataclass(frozen=True)
class Comparison:
    """With what an objective is compared, and what it claims.

    Attributes:
        other: name of another objective, or of `SCRATCH`. With `BEST_BASELINE` or
            `BEST_CONTROL` every start is compared in any case: name it to make a claim.
        few: the claim for few labels, a sentence that begins with a capital and has no full stop;
            None: none is made, the difference is in the tables and plots all the same.
        every: the claim for all labels.
    """

    other: str
    few: str | None = None
    every: str | None = None


@dataclass(frozen=True, kw_only=True)
class Objective(Start):
    """What a network is pretrained on.

    Attributes:
        losses: name of a loss -> its weight, where the config gives none (`pretrain.weights`).
        recipe: keys of `pretrain.recipe` that go with its name; None: the config's.
        augment: keys of `pretrain.augment` that go with its name; None: the config's.
        compared: with what.
        order: in tables and plots; equal ones are sorted by name.
    """

    losses: Mapping[str, float]
    recipe: Mapping[str, Any] | None = None
    augment: Mapping[str, Any] | None = None
    compared: tuple[Comparison, ...] = (Comparison(SCRATCH.name),)
    order: int = FIRST

    def __post_init__(self) -> None:
        problems = list(self._forms()) or list(self._problems())
        if problems:
            raise SitsError(f"objective {self.name!r}: {'; '.join(problems)}")

    def _forms(self) -> Iterator[str]:
        if not isinstance(self.losses, Mapping) or not all(
            isinstance(weight, (int, float)) for weight in self.losses.values()
        ):
            yield "`losses` is a mapping, name -> weight: {'reconstruct': 1.0}"
        if not isinstance(self.compared, tuple) or not all(
            isinstance(comparison, Comparison) for comparison in self.compared
        ):
            yield "`compared` is a tuple: (Comparison('none'),)"

    def _problems(self) -> Iterator[str]:
        if not NAME.fullmatch(self.name) or self.name == SCRATCH.name:
            yield (
                "a name is a small letter, then small letters, digits or '_', and not "
                f"{SCRATCH.name!r}"
            )
        if not self.title.strip():
            yield "its title is empty"
        if not re.fullmatch("#[0-9a-fA-F]{6}", self.colour):
            yield f"its colour {self.colour!r} is not '#rrggbb'"
        if self.marker not in MARKERS:
            yield f"its marker {self.marker!r} is none of {' '.join(sorted(MARKERS))}"
        if any(not math.isfinite(weight) or weight < 0 for weight in self.losses.values()):
            yield "the weight of a loss is 0 or more"
        elif not any(self.losses.values()):
            yield "it has no loss with a weight, and would learn nothing"
        others = Counter(comparison.other for comparison in self.compared)
        for other, count in others.items():
            if count > 1:
                yield f"it is compared with {other!r} {count} times"
        if self.name in others:
            yield "it is compared with itself"

    def misfits(self, known: Collection[str]) -> Iterator[str]:
        """Names that no record has, of losses or of what it is compared with."""
        yield from (unknown("loss", name, losses()) for name in self.losses if name not in losses())
        for comparison in self.compared:
            if comparison.other not in known:
                yield f"it is compared with an {unknown('start', comparison.other, known)}"

    @property
    def parts(self) -> tuple[Loss, ...]:
        """Its losses."""
        return tuple(find(losses(), name, "loss") for name in self.losses)

    @property
    def labelled(self) -> bool:
        """Whether it learns from labels."""
        return any(loss.labelled for loss in self.parts)

    @property
    def hides(self) -> bool:
        """Whether a part of each series is hidden, so that a decoder has something to do."""
        return any(loss.hides for loss in self.parts)

    @property
    def views(self) -> bool:
        """Whether the network is given two disjoint halves of each series."""
        return any(loss.views for loss in self.parts)

    @property
    def reconstructs(self) -> bool:
        """Whether its models fill in what is hidden."""
        return any(loss.head == "reconstruction" for loss in self.parts)

    @property
    def projects(self) -> bool:
        """Whether a loss reads a projection of the pooled series."""
        return any(loss.head == "projection" for loss in self.parts)

    @property
    def classifies(self) -> bool:
        """Whether its models have a classifier of the labels that it learned from."""
        return any(loss.head == "classifier" for loss in self.parts)


def objectives() -> Mapping[str, Objective]:
    """Every objective by name, in the order of tables and plots.

    Raises:
        SitsError: a record names a loss or an objective that does not exist.
    """
    found = records("sitsformer.training.objectives", Objective)
    known = {*found, SCRATCH.name, BEST_BASELINE, BEST_CONTROL}
    for objective in found.values():
        for problem in objective.misfits(known):
            raise SitsError(f"objective {objective.name!r}: {problem}")
    return found


def starts() -> Mapping[str, Start]:
    """Everything that a network may start from by name, `SCRATCH` last."""
    return {**objectives(), SCRATCH.name: SCRATCH}


def comparisons() -> list[tuple[str, Comparison]]:
    """(objective, with what it is compared), in order."""
    return [(one.name, comparison) for one in objectives().values() for comparison in one.compared]


def without_labels() -> list[str]:
    """Names of the objectives that learn from reflectances alone."""
    return [name for name, objective in objectives().items() if not objective.labelled]


def default_objective(labelled: bool) -> str:
    """What is learned where nobody says: the first objective that uses labels, if there are any.

    Args:
        labelled: whether the samples have labels.
    """
    return next(name for name, one in objectives().items() if one.labelled == labelled)
