"""How methods without pretraining rank on the embedded landscape, and how hard it is.

    python scripts/landscape_difficulty.py                # the landscape; some minutes on a core
    python scripts/landscape_difficulty.py TABLE.npz ...  # real series, as landscape_series.of_file

First a random forest, logistic regression, a temporal convolutional network and the project's
network from random weights, on a few labelled pixels a class: the methods of the sweep with the
settings of one section `fewshot`, tested on other squares of ground. Macro F1, mean and standard
deviation over three draws. Then, for the landscape alone, the forest on a region 280 km away and in
another year. No network is pretrained here: the landscape must not be made to suit one that is.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from landscape_series import Series, of_file, of_landscape
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score

from sitsformer import fewshot, finetune
from sitsformer.baselines import fitting
from sitsformer.classes import Classes
from sitsformer.config import FewShot, Model
from sitsformer.samples import Samples
from sitsformer.stored import MISSING

ELSEWHERE = (-98.10, 44.00, -98.00, 44.06)
METHODS = ("random_forest", "logistic_regression", "temporal_cnn")
SCRATCH = fewshot.Learner(fewshot.NETWORK, "none", "full")
SHOTS = (5, 20, 100)
DRAWS = 3
GRID = np.arange(65, 300, 10)
"""Days of the year to which the forest that is carried elsewhere sees series interpolated."""
SHARES = (0.5, 0.15)
"""Of the squares of ground, to train and to validate; the rest tests."""
TESTED = 2500
"""Test samples at most."""

SETTINGS = FewShot(set="series", learning_rates=(3e-3,))
NETWORK = Model(embedding="linear", hidden=64, layers=2, heads=4, norm="pre", pooling="mean_max")
"""As in the demo and config/examples/california.yaml."""


def samples(series: Series, seed: int = 0) -> Samples:
    """The series as samples of one pixel, squares of ground dealt out to the three splits."""
    draw = np.random.default_rng(seed)
    cells, cell = np.unique(series.cell, return_inverse=True)
    edges = np.cumsum(SHARES) * len(cells)
    part = np.searchsorted(edges, draw.permutation(len(cells)), side="right")
    split = part[cell].astype(np.uint8)
    test = draw.permutation(np.flatnonzero(split == fewshot.TEST))[TESTED:]
    there = series.day >= 0
    # Reflectance is stored in whole ten-thousandths, as in every sample store.
    whole = np.round(np.where(there[..., None], series.values, 0) * 1e4)
    reflectance = np.where(there[..., None], whole, MISSING).astype(np.uint16)
    count, unknown = len(series.label), np.full(len(series.label), np.nan)
    every = Samples(
        reflectance=reflectance[..., None, None],
        doy=np.where(there, np.clip(series.day + 1, 1, 366), 0).astype(np.int16),
        label=series.label,
        split=split,
        block=series.cell,
        index=np.arange(count),
        lon=unknown,
        lat=unknown,
        bands=series.bands,
        classes=Classes(
            series.classes,
            tuple("#000000" for _ in series.classes),
            tuple((code,) for code in range(len(series.classes))),
        ),
    )
    return every.take(np.setdiff1d(np.arange(count), test))


def rank(series: Series) -> None:
    """Print macro F1 by method and number of labels."""
    drawn = samples(series)
    size = np.bincount(drawn.split, minlength=3)
    print(f"\n{series.name}: {len(series.classes)} classes, {size[0]} to train, {size[2]} to test")
    print(f"{'labels a class':24}", *(f"{shots:>14}" for shots in SHOTS))
    for method in (*METHODS, "from scratch"):
        cells = (_cells(drawn, method, shots) for shots in SHOTS)
        print(f"{method:24}", *(f"{_scores(found):>14}" for found in cells), flush=True)


def _cells(drawn: Samples, method: str, shots: int) -> list[fewshot.Cell]:
    if method in METHODS:
        return fitting.run(drawn, method, shots, range(DRAWS), SETTINGS)
    found, _ = finetune.run_cells(drawn, None, SCRATCH, shots, range(DRAWS), NETWORK, SETTINGS)
    return found


def _scores(cells: Sequence[fewshot.Cell]) -> str:
    scores = [
        f1_score(cell.truth, cell.probabilities.argmax(1), average="macro", zero_division=0)
        for cell in cells
    ]
    return f"{np.mean(scores):.3f} ± {np.std(scores):.3f}"


def transfer(home: Series, year: int = 2021) -> None:
    """Print the forest's accuracy on other ground of the same area, elsewhere, and earlier."""
    places = {
        "same area": home,
        "other region": of_landscape(year, (ELSEWHERE,)),
        "other year": of_landscape(year - 2),
    }
    drawn = {name: samples(series) for name, series in places.items()}
    features = {
        name: series.on(GRID)[drawn[name].index].reshape(len(drawn[name]), -1)
        for name, series in places.items()
    }
    code = {name: np.array(series.classes)[drawn[name].label] for name, series in places.items()}
    print(f"\n{'forest, accuracy':24}", *(f"{name:>14}" for name in places))
    here = drawn["same area"]
    for shots in SHOTS:
        row: dict[str, list[float]] = {name: [] for name in places}
        for seed in range(DRAWS):
            train = fewshot.draw_shots(here.label, here.split, shots, seed, 1).train
            forest = RandomForestClassifier(300, random_state=seed)
            forest.fit(features["same area"][train], code["same area"][train])
            for name, found in drawn.items():
                test = found.split == fewshot.TEST
                right = forest.predict(features[name][test]) == code[name][test]
                row[name].append(float(right.mean()))
        cells = (f"{np.mean(a):.3f} ± {np.std(a):.3f}" for a in row.values())
        print(f"{shots:<24}", *(f"{cell:>14}" for cell in cells), flush=True)


def main(paths: Sequence[Path]) -> None:
    """Print the tables."""
    if paths:
        for path in paths:
            rank(of_file(path))
        return
    home = of_landscape()
    rank(home)
    transfer(home)


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
