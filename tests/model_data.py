"""For the benchmarks of the model: series with realistic numbers of dates, and both networks."""

import time
from dataclasses import replace

import numpy as np
import torch

from reference_model import Reference
from sitsformer.model import Architecture, SITSFormer
from sitsformer.model.embedding import CHANNELS, kernels
from sitsformer.model.steps import make_series
from sitsformer.stored import MISSING

MEAN, STD = np.full(10, 0.25), np.full(10, 0.15)

CASES = {
    "T = 24": (24, 24),
    "T <= 50": (50, 12),
    "T = 50": (50, 50),
    "T <= 75": (75, 15),
}
"""Case -> (longest series, shortest): lengths are uniform between, so the ragged ones are some 40 %
padding when padded to the longest, as 5-day series under clouds are."""


def samples(case: str, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance (sample, time, 10, 5, 5) uint16 and days (sample, time)."""
    longest, least = CASES[case]
    rng = np.random.default_rng(seed)
    lengths = rng.integers(least, longest + 1, count)
    lengths[0] = longest
    doy = np.zeros((count, longest), np.int16)
    for row, n in zip(doy, lengths, strict=True):
        row[:n] = np.sort(rng.choice(366, n, replace=False) + 1)
    values = rng.integers(0, 8000, (count, longest, 10, 5, 5)).astype(np.uint16)
    values[doy == 0] = MISSING
    return values, doy


def padded(values: np.ndarray, doy: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """What the reference reads."""
    x = torch.from_numpy((values.astype(np.float32) * 1e-4 - 0.25) / 0.15)
    days = torch.from_numpy(doy.astype(np.int64))
    x[days == 0] = 0
    return x, days


def networks(attention_dropout: float = 0.1, classes: int = 0) -> tuple[Reference, SITSFormer]:
    """The published network at its own size, and ours with its weights."""
    torch.manual_seed(0)
    reference = Reference(classes=classes)
    shape = replace(Architecture(classes=classes), attention_dropout=attention_dropout)
    model = SITSFormer(shape, MEAN, STD)
    model.load_state_dict(reference.state_dict(), strict=False)
    return reference, model


def series(values: np.ndarray, doy: np.ndarray, device: str = "cpu"):
    return make_series(values, doy, MEAN, STD, device)


def flops(
    a: Architecture,
    lengths: np.ndarray,
    hidden_share: float = 0.0,
    last_share: float = 1.0,
) -> float:
    """Floating-point operations of one forward pass (a training step takes three times as many).

    A multiplication and an addition count as two; norms, softmax and dropout are left out, as is
    usual for the share of a machine's peak. It counts the work the network needs: padding and
    the wider matrices that stand for convolutions are not counted in its favour.

    Args:
        a: the network.
        lengths: (B,) valid steps of each sample.
        hidden_share: share of the steps behind the mask token, which are not embedded.
        last_share: share of the steps that the last layer serves; the others are keys alone.
    """
    steps = float(lengths.sum())
    width = a.feedforward or 4 * a.hidden
    keys, rest = 2 * a.hidden**2, 2 * a.hidden**2 + 2 * a.hidden * width
    attention = 4 * float((lengths.astype(np.float64) ** 2).sum()) * a.hidden
    if a.embedding == "linear":
        embed = a.bands * a.patch**2 * a.hidden
    else:
        (depth1, side1), (depth2, side2) = kernels(a.bands, a.patch)
        first, outer = a.bands - depth1 + 1, a.bands - depth1 - depth2 + 2
        side = a.patch - side1 + 1
        embed = first * side**2 * depth1 * side1**2 * CHANNELS[0]
        embed += outer * depth2 * side2**2 * CHANNELS[0] * CHANNELS[1]
        embed += outer * CHANNELS[1] * a.hidden
    served = a.layers - 1 + last_share
    encoder = 2 * steps * (a.layers * keys + served * rest) + served * attention
    return encoder + 2 * steps * (1 - hidden_share) * embed


def gemm_rate() -> float:
    """float32 matrix products of the machine on the threads in use, FLOP/s: best of several."""
    a, b = torch.randn(2048, 1024), torch.randn(1024, 1024)
    seconds = []
    for _ in range(12):
        start = time.process_time()
        torch.mm(a, b)
        seconds.append(time.process_time() - start)
    return 2 * 2048 * 1024 * 1024 / min(seconds)


def interleave(variants: dict, rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each variant in each round, one after another so that drifts hit all alike."""
    for call in variants.values():
        call()
    seconds = {name: [] for name in variants}
    for _ in range(rounds):
        for name, call in variants.items():
            start = time.process_time()
            call()
            seconds[name].append(time.process_time() - start)
    return seconds


def median_ratio(seconds: dict[str, list[float]], slow: str, fast: str) -> float:
    """Median over rounds of slow / fast."""
    return float(np.median(np.array(seconds[slow]) / np.array(seconds[fast])))
