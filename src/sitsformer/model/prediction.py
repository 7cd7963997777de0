"""Class probabilities of many samples, in batches of the size that a machine likes.

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
    lengths = series.lengths[index]
    fast = can_pack(model) and int(lengths.sum()) >= LEAST_STEPS
    packed = PackedModel(model) if fast else None
    out = np.empty((len(index), model.architecture.classes), np.float32)
    for part in portions(model, lengths, most):
        out[part] = predict_batch(model, series, index[part], packed)
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
    model: SITSFormer, series: Series, index: Ints, packed: PackedModel | None = None
) -> npt.NDArray[np.float32]:
    """Class probabilities (B, classes) float32 of one batch.

    Args:
        model: with a classifier.
        series: samples.
        index: (B,) which of them.
        packed: made of `model`; predicts in its place.
    """
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        steps = pack(series, index)
        if steps.values.device != model.mean.device:
            steps = _move(steps, model.mean.device)
        if packed is None:
            logits = model.classify(model.encode(steps), steps.layout)
        else:
            logits = packed.logits(rounded(steps))
        found: npt.NDArray[np.float32] = torch.softmax(logits.float(), 1).cpu().numpy()
    model.train(was_training)
    return found


def _move(steps: Steps, device: torch.device) -> Steps:
    """The same batch on another device."""
    layout = make_layout(steps.layout.lengths, device)
    return Steps(steps.values.to(device), steps.doy.to(device), layout)
