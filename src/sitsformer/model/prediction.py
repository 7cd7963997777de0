"""Class probabilities or embeddings of many samples, in batches that a machine likes.

Axes: B samples of a batch, N steps of a batch.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from sitsformer.model.network import SITSFormer
from sitsformer.model.packed import LEAST_STEPS, PackedModel, can_pack, rounded
from sitsformer.model.steps import Series, Steps, make_layout, pack

Ints = npt.NDArray[np.int64]

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
    return _by_batches(model, series, index, most, embedded=False)


def embeddings(
    model: SITSFormer, series: Series, index: Ints, most: int
) -> npt.NDArray[np.float32]:
    """The vectors that the classifier reads (or would read) of some samples.

    Args:
        model: with or without a classifier, in any mode; it is not changed.
        series: samples.
        index: (n,) which of them.
        most: samples of a batch at most.

    Returns:
        (n, H) float32, or (n, 2 H) where `mean_max` pools.
    """
    return _by_batches(model, series, index, most, embedded=True)


def _by_batches(
    model: SITSFormer, series: Series, index: Ints, most: int, embedded: bool
) -> npt.NDArray[np.float32]:
    lengths = series.lengths[index]
    fast = can_pack(model) and int(lengths.sum()) >= LEAST_STEPS
    packed = PackedModel(model) if fast else None
    width = model.width if embedded else model.architecture.classes
    out = np.empty((len(index), width), np.float32)
    for part in portions(model, lengths, most):
        out[part] = predict_batch(model, series, index[part], packed, embedded)
    return out


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
    embedded: bool = False,
) -> npt.NDArray[np.float32]:
    """Class probabilities (B, classes), or embeddings, of one batch as float32.

    Args:
        model: with a classifier where it predicts.
        series: samples.
        index: (B,) which of them.
        packed: made of `model`; predicts in its place.
        embedded: give the vectors that the classifier reads.
    """
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        steps = pack(series, index)
        if steps.values.device != model.mean.device:
            steps = _move(steps, model.mean.device)
        if packed is not None:
            steps = rounded(steps)
        encoded = model.encode(steps) if packed is None else packed.encode(steps)
        if embedded:
            out = model.pool(encoded, steps.layout).float()
        else:
            out = torch.softmax(model.classify(encoded, steps.layout).float(), 1)
        found: npt.NDArray[np.float32] = out.cpu().numpy()
    model.train(was_training)
    return found


def _move(steps: Steps, device: torch.device) -> Steps:
    """The same batch on another device."""
    layout = make_layout(steps.layout.lengths, device)
    return Steps(steps.values.to(device), steps.doy.to(device), layout)
