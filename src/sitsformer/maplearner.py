"""Who draws the maps.

Who it is stands in the config (`maps.learner`), or is chosen by the validation samples of the
sweep, at the shots of the maps and over all draws; test samples are never looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sitsformer.errors import SitsError
from sitsformer.fewshot import Learner, read_cells
from sitsformer.fewshot.refine import LAND_COVER, SCORES

Score = tuple[float, float]
"""Balanced accuracy and log-likelihood on validation samples."""


@dataclass(frozen=True)
class Chosen:
    """Who draws the maps.

    Attributes:
        learner: of the sweep.
        why: one sentence.
        scores: of everybody who was asked, by name, the best first.
    """

    learner: Learner
    why: str
    scores: Mapping[str, Score]


def choose(among: Sequence[Learner], cells: Sequence[Path], shots: str) -> Chosen:
    """The learner that validation samples prefer; of equals the first.

    Args:
        among: who may draw the maps.
        cells: their predictions, of every draw at these shots; none are needed for one.
        shots: of the maps.

    Raises:
        SitsError: a learner has no cells, or cells without a validation score.
    """
    if len(among) == 1:
        return Chosen(among[0], "the config names it", {})
    found: dict[str, list[Score]] = {one.name: [] for one in among}
    for path in cells:
        for cell in read_cells(path).cells:
            if cell.learner.name in found and str(cell.shots) == shots:
                found[cell.learner.name].append(_score(cell.choice, path))
    lacking = [name for name, scores in found.items() if not scores]
    if lacking:
        raise SitsError(
            f"no predictions of {', '.join(lacking)} with {shots} labels a class among the "
            f"{len(cells)} tables given: run the sweep, or name who draws the maps in maps.learner"
        )
    mean = {name: _mean(scores) for name, scores in found.items()}
    order = sorted(mean, key=lambda name: mean[name], reverse=True)  # stable: the first of equals
    best, second = order[0], order[1]
    draws, others = len(found[best]), f"{len(order) - 1} other learner{'s' * (len(order) > 2)}"
    why = (
        f"validation samples prefer it to {others} of the sweep: balanced accuracy "
        f"{mean[best][0]:.3f} over {draws} draw{'s' if draws > 1 else ''} of "
        f"{shots} labels a class, next {second} with {mean[second][0]:.3f}"
    )
    learner = next(one for one in among if one.name == best)
    return Chosen(learner, why, {name: mean[name] for name in order})


def _score(choice: Mapping[str, Any], path: Path) -> Score:
    """Validation score of a cell, by the best of what a map can do with its predictions."""
    tried = choice.get(SCORES, {})
    usable = [tuple(tried[name]) for name in ("none", LAND_COVER) if name in tried]
    if usable:
        return max(usable)
    accuracy = choice.get("validation_balanced_accuracy", choice.get("validation_accuracy"))
    if accuracy is None:
        raise SitsError(f"{path} has no validation score: delete it and run the cell again")
    return float(accuracy), float(choice["validation_log_likelihood"])


def _mean(scores: Sequence[Score]) -> Score:
    return float(np.mean([one for one, _ in scores])), float(np.mean([two for _, two in scores]))
