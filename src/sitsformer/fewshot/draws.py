"""Draws of labelled samples, shared by all learners of a seed and nested over shots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sitsformer.errors import SitsError

if TYPE_CHECKING:
    from sitsformer.config import Shots

Ints = npt.NDArray[np.int64]

TRAIN, VALIDATION, TEST = 0, 1, 2
"""Codes of the variable `split` of a sample store."""


@dataclass(frozen=True)
class Draw:
    """Labelled samples of one shot count and seed, as positions in the arrays drawn from.

    Attributes:
        train: (sample,) int64, sorted.
        validation: (sample,) int64, sorted; no sample of `train` or of the test split.
    """

    train: Ints
    validation: Ints


def draw_shots(
    label: npt.NDArray[np.integer],
    split: npt.NDArray[np.integer],
    shots: Shots,
    seed: int,
    validation_cap: int,
) -> Draw:
    """Draw `shots` samples of every class for training, and at most as many for validation.

    Training samples come from split 0 and validation samples from split 1, so that they are as far
    apart as the test samples are from either. For each class and seed one shuffled order is made
    and the first samples of it are taken: a draw of 5 is part of the draw of 10. The draw depends
    on nothing but its arguments, so every learner of a seed sees the same samples.

    Args:
        label: (sample,) class index, -1 = none.
        split: (sample,) 0 train, 1 validation, 2 test.
        shots: samples a class; a class with fewer gives all it has. `all`: every sample.
        seed: seed of the draw.
        validation_cap: validation samples a class at most.

    Returns:
        Positions of the drawn samples.

    Raises:
        SitsError: a class has no training sample, or nothing is left to validate or to test.
    """
    classes = np.unique(label[label >= 0])
    if not np.any(split[label >= 0] == TEST):
        raise SitsError(
            "no labelled sample in the test split, which the sweep is scored on: give it a share "
            "in `split.fractions` or more blocks"
        )
    untrained = [int(k) for k in classes if not np.any((label == k) & (split == TRAIN))]
    if untrained:
        raise SitsError(
            f"class {untrained[0]} has no sample in the training split "
            f"({len(untrained)} such classes of {len(classes)}): draw more samples, use smaller "
            "blocks or another split seed, or leave the class out of `classes`"
        )
    many = len(label) if shots == "all" else shots
    train = [_first(label, split, TRAIN, int(k), seed, many) for k in classes]
    few = min(many, validation_cap)
    validation = [_first(label, split, VALIDATION, int(k), seed, few) for k in classes]
    found = Draw(np.sort(np.concatenate(train)), np.sort(np.concatenate(validation)))
    if not len(found.validation):
        raise SitsError(
            "no labelled sample in the validation split, which chooses the hyper-parameters: "
            "give it a share in `split.fractions` or more blocks"
        )
    return found


def training_weights(
    weight: npt.NDArray[np.float64] | None, label: npt.NDArray[np.integer], train: Ints
) -> npt.NDArray[np.float64] | None:
    """How much each drawn sample counts beside the others of its class.

    Weights are divided by their mean over the drawn samples of the class, so that no class gains by
    them: what classes count beside each other is the learner's affair.

    Args:
        weight: (sample,) of labelled features, 0 or more; None: all alike.
        label: (sample,) class index.
        train: positions of the drawn samples.

    Returns:
        (drawn sample,), 1 in the mean of each class; None where they are all 1.
    """
    if weight is None:
        return None
    own, of = weight[train], label[train]
    total = np.bincount(of, weights=own)[of]
    # A class whose samples all weigh nothing has no other choice than to count them alike.
    relative = np.where(total > 0, own / np.where(total > 0, total, 1) * np.bincount(of)[of], 1.0)
    return None if np.allclose(relative, 1) else relative


def _first(
    label: npt.NDArray[np.integer],
    split: npt.NDArray[np.integer],
    part: int,
    k: int,
    seed: int,
    count: int,
) -> Ints:
    """The first `count` samples of class `k` and split `part` in the order of this seed."""
    positions = np.flatnonzero((label == k) & (split == part))
    order = np.random.default_rng([seed, part, k]).permutation(len(positions))
    return positions[order[:count]].astype(np.int64)


def validation_score(truth: Ints, probabilities: npt.NDArray[np.floating]) -> tuple[float, float]:
    """What hyper-parameters are chosen by: balanced accuracy, then mean log likelihood.

    With a handful of validation samples many candidates tie on accuracy; the likelihood decides
    among those. Compare the pairs as tuples: larger is better.

    Args:
        truth: (sample,) class index.
        probabilities: (sample, class).

    Returns:
        Balanced accuracy over the classes present, and the mean natural log of the probability of
        the truth (probabilities are cut at 1e-6, so that one confident error does not decide).
    """
    right = probabilities.argmax(1) == truth
    balanced = float(np.mean([right[truth == k].mean() for k in np.unique(truth)]))
    likelihood = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return balanced, float(np.log(np.clip(likelihood, 1e-6, 1.0)).mean())
