"""Packed time steps: what the network computes on.

A batch of series is one table of its valid steps, sample after sample, without padding. Only
attention and pooling look at whole series, and pad them to the longest of the batch. So padding
costs little, and never enters a statistic of the network. On a GPU tables have one of a few sizes,
and so has the padding of series: rows that are no steps stand after the others (`rows.py`).

Axes: N valid steps of a batch, B samples, T the longest series of a batch, C bands, P pixels of a
patch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sitsformer.model.device import to_device
from sitsformer.model.rows import Rows, choose, plain
from sitsformer.stored import MISSING, SCALE

Ints = npt.NDArray[np.int64]

LAST_DAY = 366
"""Days of year are 1 to 366; 0 is padding."""

LENGTHS = 8
"""On a GPU series are padded to a multiple of this many steps."""

_PIECE = 2**14
"""Steps looked at in one go: some 8 MB of patches of 5 x 5 px."""


@dataclass(frozen=True)
class StepTable:
    """Which packed steps belong to which sample.

    Attributes:
        lengths: (B,) int64, steps of each sample, on the host.
        samples: B; this and what follows is all that compiled layers look at.
        steps: N, rows of the packed table: the number of steps, on a GPU filled up.
        longest: steps of the longest series, T; on a GPU filled up to a multiple of `LENGTHS`.
        slot: the N rows of the padded (B * T) table that hold a step; None: each step stands at its
            place already, N = B * T.
        bias: (B, 1, T) float32, 0 at steps and -inf at padding; None: no padding. With it, but
            without `slot`, rows of padding stand among the steps (`portable.py`).
    """

    lengths: Ints
    samples: int
    steps: int
    longest: int
    slot: Rows | None
    bias: Tensor | None

    @property
    def real(self) -> Tensor | None:
        """(N,) bool, which rows of the packed table are steps; None: all."""
        return None if self.slot is None else self.slot.real


@dataclass(frozen=True)
class Steps:
    """A batch, packed.

    Attributes:
        values: (N, C, P) float32, normalised reflectance.
        doy: (N,) int64, day of year, 1-366.
        layout: whose steps they are.
    """

    values: Tensor
    doy: Tensor
    layout: StepTable


def make_layout(lengths: Ints, device: torch.device | str = "cpu") -> StepTable:
    """Lay out series of these lengths.

    Args:
        lengths: (B,) steps of each sample.
        device: where the network runs.
    """
    longest, known = int(lengths.max(initial=0)), plain(device)
    if not known:
        longest = max(1, -(-longest // LENGTHS)) * LENGTHS
    valid = np.arange(longest) < lengths[:, None]
    if known and valid.all():
        return StepTable(lengths, len(lengths), int(lengths.sum()), longest, None, None)
    slot = choose(valid.ravel(), device)
    bias = np.where(valid, np.float32(0), np.float32(-np.inf))[:, None, :]
    return StepTable(lengths, len(lengths), len(slot.index), longest, slot, to_device(bias, device))


def subset(
    layout: StepTable, chosen: npt.NDArray[np.bool_], device: torch.device | str
) -> StepTable:
    """Table of some of the steps, with the same samples.

    Args:
        layout: of N steps.
        chosen: (N,) which of them; a sample may keep none.
        device: where the network runs.
    """
    sample = np.repeat(np.arange(len(layout.lengths)), layout.lengths)
    lengths = np.bincount(sample[chosen], minlength=len(layout.lengths))
    return make_layout(lengths.astype(np.int64), device)


@dataclass(frozen=True)
class Series:
    """A sample set held in one table, on the device that trains.

    Attributes:
        values: (row, C, P) int16: the bits of the stored uint16, since few tensor operations know
            that type. A row is a time step; those of a sample stand together.
        doy: (sample, T) int16 on the host, 0 = padding; the array it was made of, where that was
            of this type.
        lengths: (sample,) int64 on the host; steps stand in front.
        starts: (sample,) int64 on the host, the row of a sample's first step.
        mean: (C,) float32, reflectance, on the device.
        std: (C,) float32.
        gaps: whether valid steps hold missing pixels.
    """

    values: Tensor
    doy: npt.NDArray[np.int16]
    lengths: Ints
    starts: Ints
    mean: Tensor
    std: Tensor
    gaps: bool


def make_series(
    reflectance: npt.NDArray[np.uint16],
    doy: npt.NDArray[np.integer],
    mean: npt.ArrayLike,
    std: npt.ArrayLike,
    device: torch.device | str = "cpu",
) -> Series:
    """Put samples in the form that batches are packed from.

    Args:
        reflectance: (sample, time, band, py, px) uint16.
        doy: (sample, time), 0 = padding, valid steps in front.
        mean: (band,) reflectance.
        std: (band,) reflectance.
        device: where the network runs.

    Raises:
        ValueError: a sample without a valid step, padding before a step, or a day beyond 366.
    """
    samples, time, bands = reflectance.shape[:3]
    flat = np.ascontiguousarray(reflectance).reshape(
        samples * time, bands, int(np.prod(reflectance.shape[3:]))
    )
    return _series(flat, np.arange(samples) * time, doy, mean, std, device, padded=True)


def packed_series(
    steps: npt.NDArray[np.uint16],
    doy: npt.NDArray[np.integer],
    mean: npt.ArrayLike,
    std: npt.ArrayLike,
    device: torch.device | str = "cpu",
) -> Series:
    """As `make_series`, of valid steps alone: batches are the same, and padding is not held.

    Args:
        steps: (step, band, py, px) uint16, sample after sample, as many as `doy` has days.
        doy: (sample, time), 0 = padding, valid steps in front.
        mean: (band,) reflectance.
        std: (band,) reflectance.
        device: where the network runs.

    Raises:
        ValueError: as `make_series`, or as many steps as days there are not.
    """
    lengths = (doy > 0).sum(1)
    if lengths.sum() != len(steps):
        raise ValueError(f"{len(steps)} steps for {lengths.sum()} days")
    flat = np.ascontiguousarray(steps).reshape(
        len(steps), steps.shape[1], int(np.prod(steps.shape[2:]))
    )
    return _series(flat, np.cumsum(lengths) - lengths, doy, mean, std, device, padded=False)


def _series(
    flat: npt.NDArray[np.uint16],
    starts: Ints,
    doy: npt.NDArray[np.integer],
    mean: npt.ArrayLike,
    std: npt.ArrayLike,
    device: torch.device | str,
    *,
    padded: bool,
) -> Series:
    """A series of steps (row, C, P), padding among them or not."""
    time, lengths = doy.shape[1], (doy > 0).sum(1)
    if lengths.min(initial=1) < 1:
        raise ValueError(f"sample {int(np.argmin(lengths))} has no valid time step")
    if not np.array_equal(doy > 0, np.arange(time) < lengths[:, None]):
        raise ValueError("valid time steps must stand before padding (doy 0)")
    if doy.max(initial=0) > LAST_DAY:
        raise ValueError(f"day of year {doy.max()} is beyond {LAST_DAY}")
    days = np.ascontiguousarray(doy, dtype=np.int16)
    gaps = _has_gaps(flat, days.ravel() > 0 if padded else np.ones(len(flat), bool))
    centre, spread = (torch.from_numpy(np.array(a, np.float32)).to(device) for a in (mean, std))
    bits = torch.from_numpy(flat.view(np.int16)).to(device)
    return Series(bits, days, lengths, starts, centre, spread, gaps)


def _has_gaps(flat: npt.NDArray[np.uint16], valid: npt.NDArray[np.bool_]) -> bool:
    """Whether a valid step of (step, C, P) misses a pixel; looked for piece by piece."""
    pieces = (slice(start, start + _PIECE) for start in range(0, len(flat), _PIECE))
    return any(bool((flat[piece][valid[piece]] == MISSING).any()) for piece in pieces)


@dataclass(frozen=True)
class Change:
    """How a batch differs from its stored series; see `augment.py`.

    Attributes:
        keep: (sample, T) which steps stay, on top of validity.
        shift: (sample,) days added to every date.
        gain: (sample, C) factor of the reflectance.
        offset: (sample, C) reflectance added.
        turn: (sample,) which position its patches are brought into, a row of `positions`; None: as
            they are stored.
    """

    keep: npt.NDArray[np.bool_]
    shift: Ints
    gain: npt.NDArray[np.float32]
    offset: npt.NDArray[np.float32]
    turn: Ints | None = None

    def of(self, samples: Ints) -> Change:
        """The changes of some of the samples, in this order."""
        turn = None if self.turn is None else self.turn[samples]
        gain, offset = self.gain[samples], self.offset[samples]
        return Change(self.keep[samples], self.shift[samples], gain, offset, turn)


def positions(side: int) -> Ints:
    """Ways of laying a square down: four rotations, and those of its mirror image.

    Args:
        side: P is its square.

    Returns:
        (8, P) which pixel comes where, the first as they are.
    """
    square = np.arange(side * side).reshape(side, side)
    turned = [np.rot90(face, turns) for face in (square, square.T) for turns in range(4)]
    return np.stack([face.ravel() for face in turned])


def pack(series: Series, index: Ints, change: Change | None = None) -> Steps:
    """Gather samples into a packed, normalised batch.

    Args:
        series: where from.
        index: (B,) samples.
        change: augmentation of these samples, in the order of `index`.
    """
    device = series.values.device
    time = series.doy.shape[1]
    lengths = series.lengths[index]
    keep = np.arange(time) < lengths[:, None]
    if change is not None:
        keep &= change.keep
        lengths = keep.sum(1)
    layout = make_layout(lengths.astype(np.int64), device)
    sample, step = np.nonzero(keep)
    count, missing = len(sample), layout.steps - len(sample)
    if missing:  # rows that are no steps hold the first sample's first, and no day
        sample, step = (np.pad(places, (0, missing)) for places in (sample, step))
    rows = series.starts[index[sample]] + step
    day = series.doy[index[sample], step].astype(np.int64)
    scale = SCALE / series.std
    offset = -series.mean / series.std
    if change is not None:
        day = np.clip(day + change.shift[sample], 1, LAST_DAY)
        gain = to_device(change.gain, device)
        extra = to_device(change.offset, device)
        whose = to_device(sample, device)
        offset = ((extra - series.mean) / series.std).index_select(0, whose)
        scale = (gain * scale).index_select(0, whose)
    chosen = series.values.index_select(0, to_device(rows, device))
    if change is not None and change.turn is not None:
        chosen = _turned(chosen, change.turn[sample])
    raw = chosen.view(torch.uint16)
    values = raw.to(torch.float32).mul_(scale.unsqueeze(-1)).add_(offset.unsqueeze(-1))
    if series.gaps:
        # A missing pixel becomes its band's mean: 0 after normalisation.
        values.masked_fill_(raw.to(torch.int32) == MISSING, 0.0)
    day[count:] = 0
    return Steps(values, to_device(day, device), layout)


def _turned(values: Tensor, turn: Ints) -> Tensor:
    """Patches (N, C, P) brought into positions (N,)."""
    pixels = values.shape[2]
    if pixels == 1:
        return values
    place = to_device(positions(math.isqrt(pixels))[turn], values.device)
    return values.gather(2, place.unsqueeze(1).expand(values.shape))
