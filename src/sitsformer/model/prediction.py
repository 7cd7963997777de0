"""Class probabilities or embeddings of many samples, in batches that a machine likes.

Axes: B samples of a batch, N steps of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from sitsformer.model.network import SITSFormer
from sitsformer.model.packed import LEAST_STEPS, PackedModel, can_pack, rounded
from sitsformer.model.steps import Change, Series, Steps, StepTable, make_layout, pack

Ints = npt.NDArray[np.int64]
Finish = Callable[[Tensor, StepTable, Tensor], Tensor]

LARGEST_BYTES = 8 * 2**20
"""Size of the largest activation of a batch on a CPU: 2,048 steps of the default network. Measured:
a third of it loses 2 % to the calls, a little more gains nothing."""


def probabilities(
    model: SITSFormer, series: Series, index: Ints, most: int
) -> npt.NDArray[np.float32]:
    """Class probabilities of some samples.

    Args:
        model: with a classifier, in any mode; it is not changed.
        series: samples.
        index: (n,) which of them.
        most: samples of a batch at most.

    Returns:
        (n, class) float32; rows sum to 1.
    """
    out = np.empty((len(index), model.architecture.classes), np.float32)
    for part, found in _batches(model, series, index, most, partial(_probabilities, model)):
        out[part] = found
    return out


def embeddings(
    model: SITSFormer, series: Series, index: Ints, most: int
) -> npt.NDArray[np.float32]:
    """The vectors that the classifier reads (or would read) of some samples.

    Arguments as for `probabilities`.

    Returns:
        (n, `model.width`) float32.
    """
    out = np.empty((len(index), model.width), np.float32)
    for part, found in embedding_batches(model, series, index, most):
        out[part] = found
    return out


def embedding_batches(
    model: SITSFormer, series: Series, index: Ints, most: int, change: Change | None = None
) -> Iterator[tuple[Ints, npt.NDArray[np.float32]]]:
    """`embeddings` batch by batch, for who need not hold them all.

    Args:
        model: as for `probabilities`, like what follows.
        series: samples.
        index: (n,) which of them.
        most: samples of a batch at most.
        change: of the samples, in the order of `index`; None: they are as they are stored.

    Yields:
        Positions (b,) in `index`, each once, and the vectors (b, `model.width`) of these samples.
    """
    return _batches(model, series, index, most, model.pool, change)


def _batches(
    model: SITSFormer,
    series: Series,
    index: Ints,
    most: int,
    finish: Finish,
    change: Change | None = None,
) -> Iterator[tuple[Ints, npt.NDArray[np.float32]]]:
    """Positions in `index`, and what `finish` makes of these samples, batch by batch."""
    lengths = series.lengths[index]
    fast = can_pack(model) and int(lengths.sum()) >= LEAST_STEPS
    packed = PackedModel(model) if fast else None
    for part in portions(model, lengths, most):
        own = None if change is None else change.of(part)
        yield part, batch_of(model, series, index[part], finish, packed, own)


def portions(model: SITSFormer, lengths: Ints, most: int) -> list[Ints]:
    """Cut samples into batches of prediction: of similar length, and small on a CPU.

    Args:
        model: which network, and where it is.
        lengths: (n,) steps of the samples.
        most: samples of a batch at most.

    Returns:
        Positions in `lengths`, each once.
    """
    order = np.argsort(-lengths, kind="stable")
    if model.mean.device.type != "cpu":
        return np.array_split(order, max(1, -(-len(order) // most)))
    by_steps = (np.cumsum(lengths[order]) - 1) // _usual_steps(model)
    by_count = np.arange(len(order)) // most
    return np.split(order, np.flatnonzero(np.diff(by_steps) | np.diff(by_count)) + 1)


def _usual_steps(model: SITSFormer) -> int:
    a = model.architecture
    return max(1, LARGEST_BYTES // (4 * (a.feedforward or 4 * a.hidden)))


def predict_batch(
    model: SITSFormer,
    series: Series,
    index: Ints,
    packed: PackedModel | None = None,
) -> npt.NDArray[np.float32]:
    """Class probabilities (B, classes) float32 of one batch; arguments as for `batch_of`."""
    return batch_of(model, series, index, partial(_probabilities, model), packed)


def batch_of(
    model: SITSFormer,
    series: Series,
    index: Ints,
    finish: Finish,
    packed: PackedModel | None = None,
    change: Change | None = None,
) -> npt.NDArray[np.float32]:
    """Encode one batch and make something of it.

    Args:
        model: in any mode; it is not changed.
        series: samples.
        index: (B,) which of them.
        finish: encoded steps (N, H), their layout and days -> (B, ...).
        packed: made of `model`; encodes in its place.
        change: of the samples, in the order of `index`.
    """
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        steps = pack(series, index, change)
        if steps.values.device != model.mean.device:
            steps = _move(steps, model.mean.device)
        if packed is not None:
            steps = rounded(steps)
        encoded = model.encode(steps) if packed is None else packed.encode(steps)
        found: npt.NDArray[np.float32]
        found = finish(encoded, steps.layout, steps.doy).float().cpu().numpy()
    model.train(was_training)
    return found


def _probabilities(model: SITSFormer, encoded: Tensor, layout: StepTable, doy: Tensor) -> Tensor:
    return model.classify(encoded, layout, doy).float().softmax(1)


def _move(steps: Steps, device: torch.device) -> Steps:
    """The same batch on another device, whose table may be longer."""
    layout = make_layout(steps.layout.lengths, device)
    missing = layout.steps - steps.layout.steps
    values = F.pad(steps.values.to(device), (0, 0, 0, 0, 0, missing))
    return Steps(values, F.pad(steps.doy.to(device), (0, missing)), layout)
