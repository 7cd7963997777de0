"""A small made-up sample store whose classes differ in timing and a bit in B11."""

import numpy as np

from sitsformer.classes import Classes
from sitsformer.samples import About, write_samples
from sitsformer.sensors import BANDS

CLASSES = ("early", "middle", "late")


def arrays(count=240, time=12, patch=1, seed=0, unlabelled=0.0):
    """Reflectance, days, labels, splits (60/20/20)."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, count)
    lengths = rng.integers(time // 2, time + 1, count)
    doy = np.zeros((count, time), np.int16)
    for row, n in zip(doy, lengths, strict=True):
        row[:n] = np.sort(rng.choice(np.arange(60, 300), n, replace=False))
    peak = np.array([130, 180, 230])[label][:, None]
    green = np.exp(-(((doy - peak) / 35.0) ** 2))
    values = 2000 + rng.normal(0, 150, (count, time, 10, patch, patch))
    values[:, :, 6] += 2500 * green[:, :, None, None]
    values[:, :, 2] -= 1200 * green[:, :, None, None]
    values[:, :, 8] += 500 * label[:, None, None, None]
    values = np.clip(values, 0, 10000).astype(np.uint16)
    values[doy == 0] = 65535
    label = np.where(rng.random(count) < unlabelled, -1, label)
    split = np.repeat([0, 1, 2], [count * 6 // 10, count * 2 // 10, count * 2 // 10])
    return values, doy, label, split.astype(np.uint8)


def store(path, bands=BANDS, **settings):
    """Write a sample store, of as many bands as there are names; returns its path."""
    values, doy, label, split = arrays(**settings)
    values = np.tile(values, (1, 1, 2, 1, 1))[:, :, : len(bands)]
    classes = Classes(CLASSES, ("#4477aa", "#ee6677", "#228833"), ((1,), (2,), (3,)))
    about = About(
        "made", classes, "worldcover", ("a/t",), ("a",), (2021,), "block", 640.0, bands,
    )  # fmt: skip
    columns = {"doy": doy, "label": label, "split": split, "block": np.arange(len(label))}
    write_samples(path, values, columns, about)
    return path


CONFIG = """
areas:
  a: {source: synthetic, bounds: [0, 0, 0.1, 0.1], start: 2021-01-01, end: 2021-12-31}
sets:
  made: {areas: [a], label: worldcover}
model: {embedding: EMBEDDING, hidden: 16, layers: 2, heads: 2, dropout: DROPOUT}
pretrain:
  set: made
  epochs: 3
  batch_size: 24
  checkpoint_every: 2
fewshot: {set: made, steps: 40, batch_size: 16, shots: [5], validation: 5}
"""


def config(path, embedding="linear", dropout=0.1):
    """Write a config for the store; returns its path."""
    path.write_text(CONFIG.replace("EMBEDDING", embedding).replace("DROPOUT", str(dropout)))
    return path
