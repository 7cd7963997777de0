"""The two tasks: masked reconstruction and land cover together, and classification.

Batches from memory are drawn for all processes at once, from the seed and the number of the update,
and each process packs its share: one process or four see the same samples, masks and augmentation.

Axes: N packed steps, B samples, C bands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from sitsformer.model import SITSFormer, masking
from sitsformer.model.prediction import probabilities
from sitsformer.model.steps import Change, Series, Steps, pack, to_device
from sitsformer.training import augment, distributed
from sitsformer.training.loop import Row

Ints = npt.NDArray[np.int64]

VALIDATION_SEED = 20220615
"""Seeds the masks of validation: the same in every epoch, run and process."""

_EPOCH, _BATCH = 1, 2
"""Keep the random numbers of the order of samples apart from those of a batch."""


@dataclass(frozen=True)
class PretrainBatch:
    """A micro-batch of pretraining.

    Attributes:
        steps: what the network sees.
        hidden: (N,) or (N, C) what of it is masked; None: nothing.
        label: (B,) class index in the order of the batch, -1 = none.
        counts: terms of each loss.
    """

    steps: Steps
    hidden: npt.NDArray[np.bool_] | None
    label: Tensor
    counts: Mapping[str, float]


@dataclass(frozen=True)
class PretrainSettings:
    """What is learned and how; see `config.Pretrain`."""

    objective: str
    batch_size: int
    accumulate: int = 1
    mask: str = "steps"
    mask_rate: float = 0.3
    ssl_weight: float = 1.0
    sl_weight: float = 1.0
    seed: int = 0
    augment: augment.Strength = augment.NOTHING
    decoder: bool = False


class Source(Protocol):
    """Where pretraining takes its samples from.

    Attributes:
        count: samples that a process, or all together if `shared`, see in an epoch.
        shared: whether every process is given the whole batch, to take its part of it.
    """

    count: int
    shared: bool

    def batches(self, size: int, epoch: int, start: int) -> Iterator[tuple[Series, Ints, Ints]]:
        """Full batches of an epoch after the first `start`: series, labels, and which of them."""


class InMemory:
    """Samples held in one table.

    Args:
        series: all of them.
        label: (sample,) class index, -1 = none.
        order: positions of the samples in the order of an epoch; default: shuffled.
    """

    shared = True

    def __init__(
        self, series: Series, label: Ints, order: Callable[[int], Ints] | None = None
    ) -> None:
        self.series, self.label = series, label
        self.count = len(label)
        self.order = order or (lambda epoch: _rng(_EPOCH, epoch).permutation(self.count))

    def batches(self, size: int, epoch: int, start: int) -> Iterator[tuple[Series, Ints, Ints]]:
        """See `Source`."""
        order = self.order(epoch)
        for first in range(start * size, self.count - size + 1, size):
            yield self.series, self.label, order[first : first + size]


class PretrainTask:
    """Reconstruction of hidden values (`ssl`), land cover (`sl`), or both (`dual`).

    In `dual` one pass over the masked series serves both losses. Samples without land cover take
    part in reconstruction alone. Batches are full: the few samples of an epoch that would make a
    small last one sit out, others each time; a set smaller than a batch is one batch.

    Args:
        source: samples to learn from.
        settings: see `PretrainSettings`.
        class_weights: (class,) weight of each class in the land-cover loss; None: all 1.
        validation: series and labels of the validation split, if there is one.
    """

    def __init__(
        self,
        source: Source,
        settings: PretrainSettings,
        class_weights: Tensor | None = None,
        validation: tuple[Series, Ints] | None = None,
    ) -> None:
        self.source, self.settings = source, settings
        self.class_weights, self.validation = class_weights, validation
        both = {"ssl": settings.ssl_weight, "sl": settings.sl_weight}
        self.weights: Mapping[str, float] = (
            both if settings.objective == "dual" else {settings.objective: 1.0}
        )
        each = settings.batch_size if source.shared else settings.batch_size // distributed.world()
        self.size = max(1, min(each, source.count // settings.accumulate))
        self.updates = max(1, source.count // (self.size * settings.accumulate))

    def batches(self, epoch: int, start: int) -> Iterator[list[PretrainBatch]]:
        """Micro-batches of each update of an epoch."""
        several = self.settings.accumulate
        parts = self.source.batches(self.size, epoch, start * several)
        for update in range(start, self.updates):
            number = epoch * self.updates + update
            yield [self._batch(*part, number, i) for i, part in enumerate(islice(parts, several))]

    def _batch(
        self, series: Series, label: Ints, index: Ints, number: int, micro: int
    ) -> PretrainBatch:
        s = self.settings
        if "ssl" not in self.weights:
            index = index[label[index] >= 0]
        own = 0 if self.source.shared else distributed.rank()
        rng = _rng(s.seed, _BATCH, number, micro, own)
        time, bands = series.doy.shape[1], series.mean.shape[0]
        change = augment.draw_changes(series.lengths[index], time, bands, s.augment, rng)
        mask = int(rng.integers(2**62))
        share = (distributed.rank(), distributed.world()) if self.source.shared else (0, 1)
        return make_batch(series, label, index, change, s, self.weights, mask, share)

    def sums(self, model: SITSFormer, batch: PretrainBatch) -> dict[str, Tensor]:
        """Squared errors over hidden values, cross-entropies over labelled samples."""
        hidden, layout = batch.hidden, batch.steps.layout
        found = {}
        if hidden is not None and hidden.ndim == 1:
            # The last layer serves hidden steps alone when no class is asked for.
            whole = "sl" in self.weights
            encoded, layout, decoded = model.encode_hidden(batch.steps, hidden, whole)
            found["ssl"] = _squared_errors(model, decoded, batch.steps, hidden)
        else:
            encoded = model.encode(batch.steps, hidden)
            if hidden is not None:
                found["ssl"] = _squared_errors(model, encoded, batch.steps, hidden)
        if not found and not batch.counts["sl"]:
            # Other processes add up over this one too, backwards as well.
            found["sl"] = 0 * encoded.sum()
        elif "sl" in self.weights and batch.counts["sl"]:
            logits = model.classify(encoded, layout).float()
            found["sl"] = F.cross_entropy(
                logits, batch.label, self.class_weights, ignore_index=-1, reduction="sum"
            )
        return found

    def validate(self, model: SITSFormer) -> Row:
        """Losses on the validation split: fixed masks, no augmentation, no dropout."""
        if self.validation is None:
            return {}
        series, label = self.validation
        s = self.settings
        sums = dict.fromkeys(self.weights, 0.0)
        counts = dict.fromkeys(self.weights, 0.0)
        usable = np.arange(len(label)) if "ssl" in self.weights else np.flatnonzero(label >= 0)
        model.eval()
        with torch.inference_mode():
            for i, index in enumerate(_chunks(usable, s.batch_size)):
                mask = VALIDATION_SEED + i
                share = (distributed.rank(), distributed.world())
                batch = make_batch(series, label, index, None, s, self.weights, mask, share)
                for name, value in self.sums(model, batch).items():
                    sums[name] += float(value)
                for name, count in batch.counts.items():
                    counts[name] += count
        model.train()
        names = list(sums)
        total = distributed.add_up([*sums.values(), *counts.values()])
        row = {name: total[i] / max(total[len(names) + i], 1.0) for i, name in enumerate(names)}
        row["loss"] = sum(self.weights[name] * row[name] for name in names)
        return row


def make_batch(
    series: Series,
    label: Ints,
    index: Ints,
    change: Change | None,
    settings: PretrainSettings,
    weights: Mapping[str, float],
    mask_seed: int,
    share: tuple[int, int],
) -> PretrainBatch:
    """Pack this process's share (number, of how many) of a batch and hide a part of it."""
    bands = series.mean.shape[0]
    hidden = None
    if "ssl" in weights:
        # Drawn for the whole batch, so that every number of processes hides the same.
        lengths = series.lengths[index]
        if change is not None:
            valid = np.arange(series.doy.shape[1]) < lengths[:, None]
            lengths = (change.keep & valid).sum(1)
        strategy = masking.STRATEGIES[settings.mask]
        hidden = strategy(lengths, bands, settings.mask_rate, _rng(mask_seed))
        if settings.decoder:
            # An encoder that sees no hidden step must see one.
            hidden &= np.repeat(lengths > 1, lengths)
    mine = np.arange(share[0], len(index), share[1])
    if change is not None:
        change = Change(*(getattr(change, name)[mine] for name in Change.__dataclass_fields__))
    steps = pack(series, index[mine], change)
    classes = label[index[mine]]
    counts: dict[str, float] = {}
    if hidden is not None:
        hidden = hidden[_rows_of(lengths, mine)]
        counts["ssl"] = float(hidden.sum()) * (bands if hidden.ndim == 1 else 1)
    if "sl" in weights:
        counts["sl"] = float((classes >= 0).sum())
    return PretrainBatch(steps, hidden, to_device(classes, series.values.device), counts)


def _rows_of(lengths: Ints, samples: Ints) -> Ints:
    """Rows of some samples in a table of all samples' steps, sample after sample."""
    starts = np.cumsum(lengths) - lengths
    chosen = lengths[samples]
    before = np.cumsum(chosen) - chosen
    rows: Ints = np.arange(chosen.sum()) + np.repeat(starts[samples] - before, chosen)
    return rows


def _squared_errors(
    model: SITSFormer, encoded: Tensor, steps: Steps, hidden: npt.NDArray[np.bool_]
) -> Tensor:
    """Sum of squared errors of the centre pixel over hidden values (normalised reflectance).

    Args:
        model: its reconstruction head.
        encoded: (hidden steps, H), or (N, H) where bands are hidden.
        steps: N steps.
        hidden: (N,) or (N, C).
    """
    target = steps.values[:, :, steps.values.shape[2] // 2]
    if hidden.ndim == 1:
        # Found on the host: on a GPU, looking for them there would wait for it.
        rows = to_device(np.flatnonzero(hidden), target.device)
        target = target.index_select(0, rows)
    error = (model.reconstruct(encoded).float() - target).square()
    if hidden.ndim == 2:
        error = error.mul(to_device(hidden, target.device))
    return error.sum()


@dataclass(frozen=True)
class ClassifyBatch:
    """A batch of fine-tuning: the steps, class indices (B,), and the count of terms."""

    steps: Steps
    label: Tensor
    counts: Mapping[str, float]


@dataclass(frozen=True)
class ClassifySettings:
    """How a classifier is fine-tuned; `updates` are optimiser steps; see `config.FewShot`."""

    updates: int
    batch_size: int
    seed: int
    label_smoothing: float = 0.0
    augment: augment.Strength = augment.NOTHING


class ClassifyTask:
    """Classes of labelled samples.

    Args:
        series: all samples.
        label: (sample,) class index.
        train: which samples to learn from.
        settings: see `ClassifySettings`. One epoch is `settings.updates` optimiser steps;
            samples come in shuffled rounds, and a batch is never larger than all of them.
        validation: which samples to validate on; None: no validation.
    """

    weights: Mapping[str, float] = {"classes": 1.0}

    def __init__(
        self,
        series: Series,
        label: Ints,
        train: Ints,
        settings: ClassifySettings,
        validation: Ints | None = None,
    ) -> None:
        self.series, self.label, self.samples = series, label, train
        self.settings, self.validation = settings, validation
        self.updates = settings.updates

    def batches(self, epoch: int, start: int) -> Iterator[list[ClassifyBatch]]:
        """Batches out of shuffled rounds of the training samples."""
        s = self.settings
        size = min(s.batch_size, len(self.samples))
        time, bands = self.series.doy.shape[1], self.series.mean.shape[0]
        per_round = len(self.samples) // size
        for update in range(start, self.updates):
            number = epoch * self.updates + update
            turn, place = divmod(number, per_round)
            order = _rng(s.seed, _EPOCH, turn).permutation(self.samples)
            index = order[place * size : (place + 1) * size]
            rng = _rng(s.seed, _BATCH, number)
            change = augment.draw_changes(self.series.lengths[index], time, bands, s.augment, rng)
            steps = pack(self.series, index, change)
            label = to_device(self.label[index], self.series.values.device)
            yield [ClassifyBatch(steps, label, {"classes": float(len(index))})]

    def sums(self, model: SITSFormer, batch: ClassifyBatch) -> dict[str, Tensor]:
        """Cross-entropies with label smoothing."""
        logits = model.classify(model.encode(batch.steps), batch.steps.layout).float()
        smooth = self.settings.label_smoothing
        loss = F.cross_entropy(logits, batch.label, label_smoothing=smooth, reduction="sum")
        return {"classes": loss}

    def validate(self, model: SITSFormer) -> Row:
        """Cross-entropy and accuracy of the validation samples."""
        if self.validation is None:
            return {}
        found = probabilities(model, self.series, self.validation, 1024)
        truth = self.label[self.validation]
        likelihood = found[np.arange(len(truth)), truth]
        return {
            "loss": float(-np.log(np.clip(likelihood, 1e-6, 1.0)).mean()),
            "accuracy": float((found.argmax(1) == truth).mean()),
        }


def _chunks(index: Ints, size: int) -> list[Ints]:
    return np.array_split(index, -(-len(index) // size))


def _rng(*numbers: int) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(numbers)))
