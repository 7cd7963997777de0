"""Classification as a task of the loop: batches of labelled samples.

Axes: B samples of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from sitsformer.model import SITSFormer
from sitsformer.model.device import to_device
from sitsformer.model.prediction import probabilities
from sitsformer.model.steps import Series, Steps, pack
from sitsformer.training import augment
from sitsformer.training.loop import Row
from sitsformer.training.pretraining import BATCH, EPOCH, Ints, generator


@dataclass(frozen=True)
class ClassifyBatch:
    """A batch of fine-tuning: steps, class indices (B,), weights (B,) if any, count of terms."""

    steps: Steps
    label: Tensor
    weight: Tensor | None
    counts: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class ClassifySettings:
    """How a classifier is fine-tuned.

    Attributes:
        updates: optimiser steps of an epoch.
        batch_size: samples a step.
        seed: of the order of samples and the augmentation.
        label_smoothing: share of the target spread over all classes.
        augment: changes to the series.
        balanced: whether every class is drawn as often as any other; otherwise an epoch is one pass
            over the samples as they are, `updates` says nothing, and its last batch is smaller.
    """

    updates: int
    batch_size: int
    seed: int
    label_smoothing: float = 0.0
    augment: augment.Strength = augment.NOTHING
    balanced: bool = True


class Classifier(Protocol):
    """A network that tells classes apart."""

    def logits(self, steps: Steps) -> Tensor:
        """Class logits (B, classes) of a batch."""


class ClassifyTask:
    """Classes of labelled samples.

    Every class is drawn as often as any other, whatever its share of the samples, unless the
    settings want the samples as they are.

    Args:
        series: all samples.
        label: (sample,) class index.
        train: which samples to learn from.
        settings: see `ClassifySettings`. One epoch is `settings.updates` optimiser steps;
            samples come in shuffled rounds with equal shares of every class, and a batch is
            never larger than all of them.
        validation: which samples to validate on; None: no validation.
        weight: how much the loss of each of `train` counts, 1 in the mean; None: all alike.
    """

    weights: Mapping[str, float] = {"classes": 1.0}

    def __init__(
        self,
        series: Series,
        label: Ints,
        train: Ints,
        settings: ClassifySettings,
        validation: Ints | None = None,
        weight: NDArray[np.float64] | None = None,
    ) -> None:
        self.series, self.label, self.samples = series, label, train
        self.settings, self.validation = settings, validation
        self.size = min(settings.batch_size, len(train))
        self.updates = settings.updates if settings.balanced else -(-len(train) // self.size)
        self.weight: NDArray[np.float32] | None = None
        if weight is not None:
            self.weight = np.zeros(len(label), np.float32)
            self.weight[train] = weight

    def batches(self, epoch: int, start: int) -> Iterator[list[ClassifyBatch]]:
        """Batches out of shuffled rounds of the training samples."""
        s = self.settings
        time, bands = self.series.doy.shape[1], self.series.mean.shape[0]
        per_round = len(self.samples) // self.size if s.balanced else self.updates
        for update in range(start, self.updates):
            number = epoch * self.updates + update
            turn, place = divmod(number, per_round)
            index = self._round(turn)[place * self.size : (place + 1) * self.size]
            rng = generator(s.seed, BATCH, number)
            change = augment.draw_changes(self.series.lengths[index], time, bands, s.augment, rng)
            steps = pack(self.series, index, change)
            label = to_device(self.label[index], self.series.values.device)
            weight = None
            if self.weight is not None:
                weight = to_device(self.weight[index], self.series.values.device)
            yield [ClassifyBatch(steps, label, weight, {"classes": float(len(index))})]

    def _round(self, turn: int) -> Ints:
        """The samples in the order of a round."""
        rng = generator(self.settings.seed, EPOCH, turn)
        if self.settings.balanced:
            return balanced_round(self.samples, self.label, rng)
        return rng.permutation(self.samples)

    def sums(self, model: Classifier, batch: ClassifyBatch) -> dict[str, Tensor]:
        """Cross-entropies with label smoothing."""
        logits = model.logits(batch.steps).float()
        smooth = self.settings.label_smoothing
        if batch.weight is None:
            loss = F.cross_entropy(logits, batch.label, label_smoothing=smooth, reduction="sum")
            return {"classes": loss}
        each = F.cross_entropy(logits, batch.label, label_smoothing=smooth, reduction="none")
        return {"classes": (each * batch.weight).sum()}

    def validate(self, model: SITSFormer) -> Row:
        """Cross-entropy, accuracy and macro F1 (over all classes) of the validation samples."""
        if self.validation is None:
            return {}
        found = probabilities(model, self.series, self.validation, 1024)
        truth = self.label[self.validation]
        likelihood = found[np.arange(len(truth)), truth]
        return {
            "loss": float(-np.log(np.clip(likelihood, 1e-6, 1.0)).mean()),
            "accuracy": float((found.argmax(1) == truth).mean()),
            "macro_f1": macro_f1(truth, found.argmax(1), found.shape[1]),
        }


def balanced_round(samples: Ints, label: Ints, rng: np.random.Generator) -> Ints:
    """As many samples as there are, in random order, the same number (or one more) of each class.

    A large class gives some of its samples, others each round; a small one is gone through again
    and again. Of classes of equal size, it is all samples.

    Args:
        samples: (n,) positions.
        label: class index of every position.
        rng: random numbers.
    """
    classes = np.unique(label[samples])
    shares = [len(part) for part in np.array_split(samples, len(classes))]
    chosen = []
    for k, share in zip(rng.permutation(classes), shares, strict=True):
        own = samples[label[samples] == k]
        rounds = [rng.permutation(own) for _ in range(-(-share // len(own)))]
        chosen.append(np.concatenate(rounds)[:share])
    return rng.permutation(np.concatenate(chosen))


def macro_f1(truth: Ints, found: Ints, classes: int) -> float:
    """Mean of F1 over all classes; 0 of one that is neither there nor found, as in SITS-Former.

    Args:
        truth: (n,) class indices.
        found: (n,) class indices.
        classes: their number.
    """
    right = np.bincount(truth[truth == found], minlength=classes)
    either = np.bincount(truth, minlength=classes) + np.bincount(found, minlength=classes)
    return float((2 * right / np.maximum(either, 1)).mean())
