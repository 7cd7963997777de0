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

from sitsformer.errors import SitsError
from sitsformer.model import pooling
from sitsformer.model.device import hand_back
from sitsformer.model.network import SITSFormer
from sitsformer.model.packed import (
    LEAST_STEPS,
    PackedModel,
    can_pack,
    has_bf16_units,
    products_are_right,
    rounded,
)
from sitsformer.model.steps import Change, Series, Steps, StepTable, make_layout, pack

FLOAT32, BF16 = "float32", "bf16"
"""Precisions of matrix products."""

Ints = npt.NDArray[np.int64]
Finish = Callable[[Tensor, StepTable, Tensor], Tensor]

HAND_BACK = 32
"""Batches on a CPU between those after which free memory is given back: 3 % of the time of a
network of one narrow layer; every 8 would take 12 %."""

LARGEST_BYTES = 8 * 2**20
"""Size of the largest activation of a batch on a CPU: 2,048 steps of the default network. Measured:
a third of it loses 2 % to the calls, a little more gains nothing."""


def probabilities(
    model: SITSFormer, series: Series, index: Ints, most: int, precision: str = FLOAT32
) -> npt.NDArray[np.float32]:
    """Class probabilities of some samples.

    Args:
        model: with a classifier, in any mode; it is not changed.
        series: samples.
        index: (n,) which of them.
        most: samples of a batch at most.
        precision: of matrix products, `float32` or `bf16`; see `refuse_bf16`.

    Returns:
        (n, class) float32; rows sum to 1.
    """
    out = np.empty((len(index), model.architecture.classes), np.float32)
    finish = partial(_probabilities, model)
    for part, found in _batches(model, series, index, most, finish, precision):
        out[part] = found
    return out


def embeddings(
    model: SITSFormer, series: Series, index: Ints, most: int, precision: str = FLOAT32
) -> npt.NDArray[np.float32]:
    """The vectors that the classifier reads (or would read) of some samples.

    Arguments as for `probabilities`.

    Returns:
        (n, `model.width`) float32.
    """
    out = np.empty((len(index), model.width), np.float32)
    for part, found in _batches(model, series, index, most, model.pool, precision):
        out[part] = found
    return out


def joined(
    model: SITSFormer, series: Series, index: Ints, most: int, kind: str, *, classes: bool
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
    """`joined_batches` as whole tables.

    Returns:
        (n, feature) float32, as `embeddings` of a model with this pooling; and (n, class), as
        `probabilities`, or None where they are not asked for or the model has no classifier.
    """
    vectors = np.empty((len(index), joined_width(model, kind)), np.float32)
    asked = classes and model.classifier is not None
    cover = np.empty((len(index), model.architecture.classes), np.float32) if asked else None
    for part, found, known in joined_batches(model, series, index, most, kind, classes=classes):
        vectors[part] = found
        if cover is not None:
            cover[part] = known
    return vectors, cover


def joined_width(model: SITSFormer, kind: str) -> int:
    """Features of a vector of a pooling of one's own."""
    return model.architecture.hidden * pooling.PARTS[kind]


def joined_batches(
    model: SITSFormer, series: Series, index: Ints, most: int, kind: str, *, classes: bool
) -> Iterator[tuple[Ints, npt.NDArray[np.float32], npt.NDArray[np.float32] | None]]:
    """Vectors of a pooling of one's own, and class probabilities, of samples encoded once.

    Args:
        model: as for `probabilities`, like what follows.
        series: samples.
        index: (n,) which of them.
        most: samples of a batch at most.
        kind: of the pooling of the vectors (`pooling.PARTS`).
        classes: also ask for probabilities.

    Yields:
        Positions (b,) in `index`, each once; vectors (b, feature) of these samples; and (b, class),
        or None where they are not asked for or the model has no classifier.
    """
    classes, width = classes and model.classifier is not None, joined_width(model, kind)

    def finish(encoded: Tensor, layout: StepTable, doy: Tensor) -> Tensor:
        vectors = pooling.pool(kind, encoded, layout, doy)
        if not classes:
            return vectors
        return torch.cat((vectors.float(), _probabilities(model, encoded, layout, doy)), 1)

    for part, found in _batches(model, series, index, most, finish, FLOAT32):
        yield part, found[:, :width], found[:, width:] if classes else None


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
    return _batches(model, series, index, most, model.pool, FLOAT32, change)


def _batches(
    model: SITSFormer,
    series: Series,
    index: Ints,
    most: int,
    finish: Finish,
    precision: str,
    change: Change | None = None,
) -> Iterator[tuple[Ints, npt.NDArray[np.float32]]]:
    """Positions in `index`, and what `finish` makes of these samples, batch by batch."""
    if not len(index):
        return
    lengths, device = series.lengths[index], model.mean.device
    packed = None
    if precision == BF16:
        refuse_bf16(device)
        # However few there are: what a pixel gets depends on no other.
        packed = PackedModel(model, torch.bfloat16) if device.type == "cpu" else None
    elif can_pack(model) and int(lengths.sum()) >= LEAST_STEPS:
        packed = PackedModel(model)
    casts = precision == BF16 and device.type != "cpu"
    for number, part in enumerate(portions(model, lengths, most)):
        own = None if change is None else change.of(part)
        yield part, batch_of(model, series, index[part], finish, packed, casts, own)
        if device.type == "cpu" and number % HAND_BACK == HAND_BACK - 1:
            hand_back()


def refuse_bf16(device: torch.device | str) -> None:
    """Refuse matrix products in bfloat16 on a processor that has no units for them.

    Raises:
        SitsError: it has none; emulated, they are slower than those in float32.
    """
    if torch.device(device).type != "cpu":
        return
    if not (has_bf16_units() and products_are_right(torch.bfloat16)):
        raise SitsError(
            "precision bf16 asks for a GPU, or for a processor that multiplies bfloat16 "
            "(AVX512-BF16 or AMX: AMD since Zen 4, Intel since Sapphire Rapids), and this one "
            "does not: use float32"
        )


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
    casts: bool = False,
    change: Change | None = None,
) -> npt.NDArray[np.float32]:
    """Encode one batch and make something of it.

    Args:
        model: in any mode; it is not changed.
        series: samples.
        index: (B,) which of them.
        finish: encoded steps (N, H), their layout and days -> (B, ...).
        packed: made of `model`; encodes in its place.
        casts: whether the model's matrix products are of bfloat16.
        change: of the samples, in the order of `index`.
    """
    was_training = model.training
    model.eval()
    cast = torch.autocast(model.mean.device.type, torch.bfloat16, enabled=casts)
    with torch.inference_mode(), cast:
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
