"""Made-up samples for tests: crops that differ in the timing of their season."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from sitsformer import fewshot
from sitsformer.classes import Classes
from sitsformer.samples import About, Samples, write_samples
from sitsformer.sensors import BANDS

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
        classes=Classes(NAMES, COLOURS, tuple((k + 1,) for k in range(len(NAMES)))),
    )


def shuffled(samples: Samples, seed: int = 0) -> Samples:
    """The same series with labels that mean nothing."""
    order = np.random.default_rng(seed).permutation(len(samples))
    return replace(samples, label=samples.label[order])


def write(path: Path, samples: Samples, name: str = "crops") -> Path:
    """Write made samples as a sample store."""
    columns = {
        key: getattr(samples, key) for key in ("doy", "label", "split", "block", "lon", "lat")
    }
    columns["epsg"] = np.full(len(samples), 32632, np.int32)
    # Near enough to UTM for a test: one degree is 111 km.
    columns["x"] = (np.round(samples.lon * 11_132) * 10).astype(np.float64)
    columns["y"] = (np.round(samples.lat * 11_132) * 10).astype(np.float64)
    about = About(
        name=name,
        classes=samples.classes,
        label="cdl",
        tiles=("made/1",),
        areas=("made",),
        years=(2021,),
        split_by="block",
        block=640.0,
    )
    write_samples(path, samples.reflectance, columns, about)
    return path


SKILL = {"none": 0.2, "ssl": 0.5, "sl": 0.6, "dual": 1.2, "random_forest": 0.6}


def cells(
    samples: Samples,
    skill: dict[str, float] | None = None,
    shots: Iterable[int | str] = (1, 5, "all"),
    seeds: int = 5,
    runs: int = 1,
) -> list[fewshot.Cell]:
    """Made predictions: the greater the skill, the more probable the truth; more so with shots."""
    test = np.flatnonzero((samples.split == 2) & (samples.label >= 0))
    truth = samples.label[test]
    found = []
    for name, level in (skill or SKILL).items():
        pretrained = name in ("ssl", "sl", "dual")
        for run in range(runs if pretrained else 1):
            if pretrained:
                learner = fewshot.Learner("sitsformer", name, "full", run)
            elif name == "none":
                learner = fewshot.Learner("sitsformer", "none", "full")
            else:
                learner = fewshot.Learner(name)
            for number, count in enumerate(shots):
                for seed in range(seeds):
                    rng = np.random.default_rng([len(name), sum(map(ord, name)), run, number, seed])
                    logits = rng.normal(0, 1, (len(test), len(samples.classes.names)))
                    logits[np.arange(len(test)), truth] += level + 0.5 * number
                    odds = np.exp(1.5 * logits)
                    found.append(
                        fewshot.Cell(
                            learner,
                            fewshot.parse_shots(str(count)),
                            seed,
                            samples.index[test],
                            truth,
                            (odds / odds.sum(1, keepdims=True)).astype(np.float32),
                            {"learning_rate": 1e-3},
                        )
                    )
    return found


def write_cells(folder: Path, samples: Samples, made: Iterable[fewshot.Cell]) -> list[Path]:
    """Write made cells where the workflow puts them, one file a learner and number of shots."""
    groups: dict[Path, list[fewshot.Cell]] = {}
    for cell in made:
        path = folder / cell.learner.name / str(cell.shots) / "0-4.parquet"
        groups.setdefault(path, []).append(cell)
    for path, group in groups.items():
        fewshot.write_cells(path, group, samples.classes)
    return sorted(groups)
