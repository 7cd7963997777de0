"""Made-up samples for tests: crops that differ in the timing of their season."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sitsformer.config import BANDS
from sitsformer.samples import Samples

NAMES = ("winter wheat", "maize", "soy", "grass")
COLOURS = ("#a57000", "#ffd300", "#267000", "#e8ffbf")
PEAKS = (140, 205, 230, 180)
WIDTHS = (35, 30, 30, 80)


def make(count: int = 300, side: int = 1, seed: int = 0, blocks: int = 24) -> Samples:
    """Samples with a bell-shaped leaf area per class, cloud gaps, noise and a shift a block."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, len(NAMES), count)
    block = rng.integers(0, blocks, count)
    split = np.array([0, 0, 1, 2])[block % 4].astype(np.uint8)
    shift = rng.normal(0, 6, blocks)[block]
    doy = np.zeros((count, 40), np.int16)
    reflectance = np.full((count, 40, len(BANDS), side, side), 65535, np.uint16)
    for i in range(count):
        days = np.sort(rng.choice(np.arange(60, 320, 5), rng.integers(15, 40), replace=False))
        k = label[i]
        green = np.exp(-(((days - PEAKS[k] - shift[i]) / WIDTHS[k]) ** 2))
        soil = np.linspace(0.08, 0.28, len(BANDS))
        leaf = np.array([0.03, 0.06, 0.03, 0.09, 0.28, 0.38, 0.42, 0.44, 0.2, 0.1])
        values = soil + green[:, None] * (leaf - soil)
        values = values[..., None, None] + rng.normal(0, 0.02, (len(days), len(BANDS), side, side))
        doy[i, : len(days)] = days
        reflectance[i, : len(days)] = np.clip(values, 0.001, 1) * 10_000
    return Samples(
        reflectance=reflectance,
        doy=doy,
        label=label,
        split=split,
        block=block.astype(np.int64),
        index=np.arange(count),
        lon=10 + (block % 6) * 0.01 + rng.random(count) * 0.008,
        lat=50 + (block // 6) * 0.01 + rng.random(count) * 0.008,
        bands=BANDS,
        class_names=NAMES,
        class_colours=COLOURS,
    )


def shuffled(samples: Samples, seed: int = 0) -> Samples:
    """The same series with labels that mean nothing."""
    order = np.random.default_rng(seed).permutation(len(samples))
    return replace(samples, label=samples.label[order])
