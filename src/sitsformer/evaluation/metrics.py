"""Accuracy, calibration and prediction sets, from truth and probabilities.

Everything that can be is computed from the confusion matrix, and every such function takes a stack
of matrices: the bootstrap over blocks then costs one matrix product and one call.

Shapes: K classes, N samples, B bins; `...` is any number of leading axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def confusion(truth: Ints, predicted: Ints, classes: int) -> Ints:
    """Count samples by truth (rows) and prediction (columns).

    Args:
        truth: (N,) class index.
        predicted: (N,) class index.
        classes: K.

    Returns:
        (K, K) int64.
    """
    pairs = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return pairs.reshape(classes, classes).astype(np.int64)


def block_confusion(
    truth: Ints, predicted: Ints, block: Ints, classes: int
) -> npt.NDArray[np.int64]:
    """One confusion matrix per spatial block.

    Args:
        truth: (N,) class index.
        predicted: (N,) class index.
        block: (N,) number of the block, 0 to blocks - 1.
        classes: K.

    Returns:
        (block, K, K) int64; their sum is `confusion`.
    """
    blocks = int(block.max()) + 1
    flat = (block * classes + truth) * classes + predicted
    counts = np.bincount(flat, minlength=blocks * classes * classes)
    return counts.reshape(blocks, classes, classes).astype(np.int64)


def _share(part: Any, whole: Any) -> Floats:
    """Part / whole, and 0 where whole is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    found: Floats = np.zeros(np.broadcast(part, whole).shape)
    np.divide(part, whole, out=found, where=whole > 0)
    return found


def _parts(matrix: npt.NDArray[np.generic]) -> tuple[Floats, Floats, Floats, Floats]:
    """Right ones (..., K), truth (..., K), predicted (..., K), total (...)."""
    counts = np.asarray(matrix, np.float64)
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    return right, counts.sum(-1), counts.sum(-2), counts.sum((-1, -2))


def overall_accuracy(matrix: npt.NDArray[np.generic]) -> Floats:
    """Share of samples that are right. (..., K, K) -> (...)."""
    right, _, _, total = _parts(matrix)
    return _share(right.sum(-1), total)


def kappa(matrix: npt.NDArray[np.generic]) -> Floats:
    """Cohen's kappa: agreement beyond chance (Cohen 1960). (..., K, K) -> (...)."""
    _, truth, predicted, total = _parts(matrix)
    observed = overall_accuracy(matrix)
    expected = _share((truth * predicted).sum(-1), total**2)
    return _share(observed - expected, 1 - expected)


def recall(matrix: npt.NDArray[np.generic]) -> Floats:
    """Producer's accuracy per class, 0 without a sample of the class. (..., K, K) -> (..., K)."""
    right, truth, _, _ = _parts(matrix)
    return _share(right, truth)


def precision(matrix: npt.NDArray[np.generic]) -> Floats:
    """User's accuracy per class, 0 when never predicted. (..., K, K) -> (..., K)."""
    right, _, predicted, _ = _parts(matrix)
    return _share(right, predicted)


def f1(matrix: npt.NDArray[np.generic]) -> Floats:
    """Harmonic mean of precision and recall per class. (..., K, K) -> (..., K)."""
    right, truth, predicted, _ = _parts(matrix)
    return _share(2 * right, truth + predicted)


def macro_f1(matrix: npt.NDArray[np.generic]) -> Floats:
    """Mean F1 of the classes that occur in the truth or the predictions. (..., K, K) -> (...).

    scikit-learn's `f1_score(average="macro")` takes the same classes, so the two agree.
    """
    _, truth, predicted, _ = _parts(matrix)
    return _share(f1(matrix).sum(-1), (truth + predicted > 0).sum(-1))


def balanced_accuracy(matrix: npt.NDArray[np.generic]) -> Floats:
    """Mean recall of the classes that occur in the truth. (..., K, K) -> (...)."""
    _, truth, _, _ = _parts(matrix)
    return _share(recall(matrix).sum(-1), (truth > 0).sum(-1))


SCORES = {
    "overall_accuracy": overall_accuracy,
    "kappa": kappa,
    "macro_f1": macro_f1,
    "balanced_accuracy": balanced_accuracy,
}
"""Scores computed from a confusion matrix, by the column they become."""


def scores(matrix: npt.NDArray[np.generic]) -> Mapping[str, float]:
    """Every score of one confusion matrix."""
    return {name: float(function(matrix)) for name, function in SCORES.items()}


@dataclass(frozen=True)
class Reliability:
    """How often a prediction of some confidence is right.

    Attributes:
        lower: (B,) lower edge of each bin of confidence; the bins are equally wide.
        count: (B,) samples in it.
        confidence: (B,) mean confidence, 0 in an empty bin.
        accuracy: (B,) share that is right, 0 in an empty bin.
    """

    lower: Floats
    count: Ints
    confidence: Floats
    accuracy: Floats

    @property
    def error(self) -> float:
        """Expected calibration error: mean gap between the two, weighted by count."""
        gap = np.abs(self.accuracy - self.confidence)
        return float(_share((gap * self.count).sum(), self.count.sum()))


def reliability(truth: Ints, probabilities: npt.NDArray[np.floating], bins: int) -> Reliability:
    """Reliability of the most probable class (Guo et al. 2017, equally wide bins).

    Args:
        truth: (N,) class index.
        probabilities: (N, K).
        bins: B.
    """
    confidence = probabilities.max(1).astype(np.float64)
    right = (probabilities.argmax(1) == truth).astype(np.float64)
    # A confidence on an edge belongs to the bin below it, as in the paper: bins are (a, b].
    which = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    count = np.bincount(which, minlength=bins)
    return Reliability(
        np.arange(bins) / bins,
        count.astype(np.int64),
        _share(np.bincount(which, confidence, bins), count),
        _share(np.bincount(which, right, bins), count),
    )


def log_loss(truth: Ints, probabilities: npt.NDArray[np.floating]) -> float:
    """Mean negative natural log of the probability of the truth, cut at 1e-6.

    Args:
        truth: (N,) class index.
        probabilities: (N, K).
    """
    chosen = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return float(-np.log(np.clip(chosen, 1e-6, 1.0)).mean())


# --- conformal prediction sets -----------------------------------------------------------------


def conformal_threshold(
    truth: Ints, probabilities: npt.NDArray[np.floating], miscoverage: float
) -> float:
    """Largest 1 - p that a class of the prediction set may have (split conformal prediction).

    The score of a calibration sample is 1 - p(truth); the threshold is their quantile of rank
    ceil((n + 1)(1 - miscoverage)), which gives coverage of at least 1 - miscoverage on samples
    exchangeable with the calibration ones (Vovk et al. 2005; Angelopoulos & Bates 2023).

    Args:
        truth: (N,) class index of the calibration samples.
        probabilities: (N, K).
        miscoverage: how often the set may miss the truth.

    Returns:
        The threshold; 1.0 (every class is in the set) when N is too small for the level.
    """
    score = 1 - probabilities[np.arange(len(truth)), truth].astype(np.float64)
    rank = int(np.ceil((len(score) + 1) * (1 - miscoverage)))
    return 1.0 if rank > len(score) else float(np.sort(score)[rank - 1])


@dataclass(frozen=True)
class Conformal:
    """What prediction sets did on samples that did not calibrate them.

    Attributes:
        coverage: share of samples whose set holds the truth.
        size: mean number of classes in a set.
        singletons: share of sets with exactly one class.
        threshold: mean threshold on 1 - p.
    """

    coverage: float
    size: float
    singletons: float
    threshold: float


def conformal_by_block(
    truth: Ints,
    probabilities: npt.NDArray[np.floating],
    block: Ints,
    miscoverage: float,
    repeats: int = 20,
    seed: int = 0,
) -> Conformal:
    """Calibrate on half of the test blocks, look at the other half, and average over halvings.

    Samples of one block are alike, so a random half of the *samples* would flatter the coverage.

    Args:
        truth: (N,) class index.
        probabilities: (N, K).
        block: (N,) any number that names the spatial block.
        miscoverage: how often a set may miss the truth.
        repeats: random halvings.
        seed: of the halvings.
    """
    names, which = np.unique(block, return_inverse=True)
    if len(names) < 2:
        return Conformal(float("nan"), float("nan"), float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(repeats):
        calibration = rng.permutation(len(names))[: len(names) // 2]
        inside = np.isin(which, calibration)
        threshold = conformal_threshold(truth[inside], probabilities[inside], miscoverage)
        # float64 and a hair of slack: the threshold is itself one of these numbers.
        sets = 1 - probabilities[~inside].astype(np.float64) <= threshold + 1e-12
        covered = sets[np.arange(len(sets)), truth[~inside]]
        found.append((covered.mean(), sets.sum(1).mean(), (sets.sum(1) == 1).mean(), threshold))
    return Conformal(*(float(value) for value in np.mean(found, axis=0)))
