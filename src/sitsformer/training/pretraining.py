"""Pretraining on an objective's losses as a task of the loop.

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
from torch import Tensor

from sitsformer.errors import SitsError
from sitsformer.model import SITSFormer, masking
from sitsformer.model.device import to_device
from sitsformer.model.hiding import Hidden, HiddenSteps, hide
from sitsformer.model.steps import Change, Series, Steps, pack
from sitsformer.registry import find
from sitsformer.training import augment, distributed
from sitsformer.training.loop import Row
from sitsformer.training.objectives import Drawn, Encoded, losses

Ints = npt.NDArray[np.int64]

VALIDATION_SEED = 20220615
"""Seeds the masks of validation: the same in every epoch, run and process."""

EPOCH, BATCH = 1, 2
"""Keep the random numbers of the order of samples apart from those of a batch; see `generator`."""


@dataclass(frozen=True)
class PretrainBatch:
    """A micro-batch of pretraining.

    Attributes:
        steps: what the network sees.
        hidden: what of it is hidden; None: nothing.
        label: (B,) class index in the order of the batch, -1 = none.
        counts: terms of each loss.
    """

    steps: Steps
    hidden: Hidden | None
    label: Tensor
    counts: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class PretrainSettings:
    """What is learned and how.

    Attributes:
        weights: name of a loss -> its weight in the sum.
        batch_size: samples a micro-batch, over all processes.
        accumulate: micro-batches a step.
        mask: what is hidden, a name of `masking.STRATEGIES`.
        mask_rate: share hidden.
        seed: of the order of samples, the masks and the augmentation.
        augment: changes to the series.
        decoder: whether the network leaves hidden steps out of the encoder.
    """

    weights: Mapping[str, float]
    batch_size: int
    accumulate: int = 1
    mask: str = "steps"
    mask_rate: float = 0.3
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
        self.order = order or (lambda epoch: generator(EPOCH, epoch).permutation(self.count))

    def batches(self, size: int, epoch: int, start: int) -> Iterator[tuple[Series, Ints, Ints]]:
        """See `Source`."""
        order = self.order(epoch)
        for first in range(start * size, self.count - size + 1, size):
            yield self.series, self.label, order[first : first + size]


class Validation(Protocol):
    """The validation split."""

    @property
    def label(self) -> Ints:
        """(sample,) class index, -1 = none."""

    def part(self, index: Ints) -> tuple[Series, Ints, Ints]:
        """Some of its samples (ascending): a series and labels that hold them, and where."""


@dataclass(frozen=True)
class Held:
    """A validation split in memory: all of its series, and labels (sample,)."""

    series: Series
    label: Ints

    def part(self, index: Ints) -> tuple[Series, Ints, Ints]:
        """See `Validation`."""
        return self.series, self.label, index


class PretrainTask:
    """Losses of an objective, which share one pass over the series.

    Samples without a label take part in what needs none; where every loss needs one, they sit out.
    Batches are full: the few samples of an epoch that would make a small last one sit out, others
    each time; a set smaller than a batch is one batch.

    Args:
        source: samples to learn from.
        settings: see `PretrainSettings`.
        class_weights: (class,) weight of each class in the land-cover loss; None: all 1.
        validation: the validation split, if there is one.
    """

    def __init__(
        self,
        source: Source,
        settings: PretrainSettings,
        class_weights: Tensor | None = None,
        validation: Validation | None = None,
    ) -> None:
        self.source, self.settings = source, settings
        self.class_weights, self.validation = class_weights, validation
        self.weights = settings.weights
        self.losses = {name: find(losses(), name, "loss") for name in settings.weights}
        self.hides = any(loss.hides for loss in self.losses.values())
        self.views = any(loss.views for loss in self.losses.values())
        self.whole = any(loss.whole for loss in self.losses.values())
        self.labelled_alone = all(loss.labelled for loss in self.losses.values())
        each = settings.batch_size if source.shared else settings.batch_size // distributed.world()
        self.size = max(1, min(each, source.count // settings.accumulate))
        if self.views and source.shared and self.size < distributed.world():
            raise SitsError(
                f"batches of {self.size} samples leave some of {distributed.world()} processes "
                "without one: use fewer processes, or a larger pretrain.batch_size"
            )
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
        index = self._usable(label, index)
        own = 0 if self.source.shared else distributed.rank()
        rng = generator(s.seed, BATCH, number, micro, own)
        time, bands = series.doy.shape[1], series.mean.shape[0]
        change = augment.draw_changes(series.lengths[index], time, bands, s.augment, rng)
        mask = int(rng.integers(2**62))
        share = (distributed.rank(), distributed.world()) if self.source.shared else (0, 1)
        return self._packed(series, label, index, change, mask, share)

    def _usable(self, label: Ints, index: Ints) -> Ints:
        """Those of some samples that a loss can learn from."""
        return index[label[index] >= 0] if self.labelled_alone else index

    def _packed(
        self,
        series: Series,
        label: Ints,
        index: Ints,
        change: Change | None,
        mask_seed: int,
        share: tuple[int, int],
    ) -> PretrainBatch:
        """Pack this process's share (number, of how many) of a batch and hide a part of it."""
        bands = series.mean.shape[0]
        mine = np.arange(share[0], len(index), share[1])
        mask = None
        if self.hides:
            # Drawn for the whole batch, so that every number of processes hides the same.
            lengths = series.lengths[index]
            if change is not None:
                valid = np.arange(series.doy.shape[1]) < lengths[:, None]
                lengths = (change.keep & valid).sum(1)
            mask = self._mask(lengths, bands, mask_seed)[_rows_of(lengths, mine)]
            if self.views:
                mask = _and_the_other_half(mask, lengths[mine])
                mine = np.tile(mine, 2)
        if change is not None:
            change = change.of(mine)
        device = series.values.device
        steps = pack(series, index[mine], change)
        classes = label[index[mine]]
        drawn = Drawn(mask, classes, bands)
        counts = {name: loss.count(drawn) for name, loss in self.losses.items()}
        hidden = None if mask is None else hide(steps.layout, mask, device)
        return PretrainBatch(steps, hidden, to_device(classes, device), counts)

    def _mask(self, lengths: Ints, bands: int, seed: int) -> npt.NDArray[np.bool_]:
        """(N,) or (N, C): what is hidden of series of these lengths."""
        strategy = masking.halves if self.views else masking.STRATEGIES[self.settings.mask]
        hidden = strategy(lengths, bands, self.settings.mask_rate, generator(seed))
        if self.settings.decoder:
            # An encoder that sees no hidden step must see one.
            hidden &= np.repeat(lengths > 1, lengths)
        return hidden

    def sums(self, model: SITSFormer, batch: PretrainBatch) -> dict[str, Tensor]:
        """Sum of each loss that has a term in the batch."""
        encoded = self.encoded(model, batch)
        found = {
            name: loss.total(model, encoded)
            for name, loss in self.losses.items()
            if batch.counts[name]
        }
        # Other processes add up over this one too, backwards as well.
        return found or {next(iter(self.losses)): 0 * encoded.every.sum()}

    def encoded(self, model: SITSFormer, batch: PretrainBatch) -> Encoded:
        """The batch through the network, once for all losses."""
        hidden, layout, doy = batch.hidden, batch.steps.layout, batch.steps.doy
        masked = None
        if isinstance(hidden, HiddenSteps):
            every, layout, doy, masked = model.encode_hidden(batch.steps, hidden, self.whole)
        else:
            every = model.encode(batch.steps, hidden)
            masked = None if hidden is None else every
        return Encoded(
            steps=batch.steps,
            hidden=hidden,
            label=batch.label,
            every=every,
            layout=layout,
            doy=doy,
            masked=masked,
            class_weights=self.class_weights,
        )

    def validate(self, model: SITSFormer) -> Row:
        """Losses on the validation split: fixed masks, no augmentation, no dropout."""
        if self.validation is None:
            return {}
        sums = dict.fromkeys(self.weights, 0.0)
        counts = dict.fromkeys(self.weights, 0.0)
        label = self.validation.label
        usable = self._usable(label, np.arange(len(label)))
        if not len(usable):
            return {}
        share = (distributed.rank(), distributed.world())
        model.eval()
        with torch.inference_mode():
            for i, index in enumerate(_chunks(usable, self.settings.batch_size)):
                if self.views and len(index) < share[1]:
                    continue  # too few for every process to have one
                part = self.validation.part(index)
                batch = self._packed(*part, None, VALIDATION_SEED + i, share)
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


def _and_the_other_half(hidden: npt.NDArray[np.bool_], lengths: Ints) -> npt.NDArray[np.bool_]:
    """(2 N,): what the first views hide, and what the second ones do: all else.

    A series of one step shows it in both.
    """
    return np.concatenate([hidden, ~hidden & np.repeat(lengths > 1, lengths)])


def _rows_of(lengths: Ints, samples: Ints) -> Ints:
    """Rows of some samples in a table of all samples' steps, sample after sample."""
    starts = np.cumsum(lengths) - lengths
    chosen = lengths[samples]
    before = np.cumsum(chosen) - chosen
    rows: Ints = np.arange(chosen.sum()) + np.repeat(starts[samples] - before, chosen)
    return rows


def _chunks(index: Ints, size: int) -> list[Ints]:
    return np.array_split(index, -(-len(index) // size))


def generator(*numbers: int) -> np.random.Generator:
    """Random numbers that are a function of some numbers."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(numbers)))
