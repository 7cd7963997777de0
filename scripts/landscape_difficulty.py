"""How hard the crops of the embedded landscape are, for a random forest.

    python scripts/landscape_difficulty.py            # about 2 minutes on one core

Draws tiles, interpolates each pixel's clear values to every tenth day, and fits a random forest of
300 trees to a few labelled pixels a class (features: the ten bands and NDVI). Tested on pixels of
other 640 m blocks of the same tiles, of another region in the same year, and of the same tiles in
another year; labels of both sides carry the landscape's errors. Prints accuracy over five draws.
"""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from sitsformer.config import Area, Synthetic
from sitsformer.grid import tiles
from sitsformer.imagery.synthetic.source import SyntheticSource

HOME = (-98.10, 44.00, -98.00, 44.06)
ELSEWHERE = (-94.90, 41.60, -94.80, 41.66)
TILES, PIXELS = 12, 1500
STEPS = np.arange(0, 225, 10)
SHOTS = (5, 10, 20, 100, 400)
DRAWS = 5
TEST_PER_CLASS = 200
CLEAR = 60


def series(
    bounds: tuple[float, float, float, float], year: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.int64]]:
    """Features (sample, feature), CDL codes and block numbers (sample,) of an area and year."""
    area = Area(
        source="synthetic",
        bounds=bounds,
        start=date(year, 3, 20),
        end=date(year, 10, 30),
        labels=("worldcover", "cdl"),
    )
    draw = np.random.default_rng(0)
    found = tiles("area", area)
    source = SyntheticSource(Synthetic())
    parts = []
    for tile in (found[i] for i in draw.permutation(len(found))[:TILES]):
        dataset = source.cube("area", area, tile)
        row, column = np.nonzero(dataset.cdl.values)
        kept = draw.permutation(len(row))[:PIXELS]
        row, column = row[kept], column[kept]
        day = (dataset.time.values - np.datetime64(area.start)) / np.timedelta64(1, "D")
        values = dataset.reflectance.values[:, :, row, column].astype(np.float32) * 1e-4
        features = interpolate(day, values, dataset.clear.values[:, row, column] >= CLEAR)
        block = (tile.x[column] // 640).astype(np.int64) * 10**6 + tile.y[row].astype(int) // 640
        parts.append((features, dataset.cdl.values[row, column], block))
    features, codes, blocks = (np.concatenate(part) for part in zip(*parts, strict=True))
    return features, codes, blocks


def interpolate(
    day: NDArray[np.float64], values: NDArray[np.float32], clear: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Values (time, band, sample) -> (sample, feature) at STEPS, with NDVI."""
    count = values.shape[2]
    regular = np.empty((count, values.shape[1], len(STEPS)), np.float32)
    for i in range(count):
        seen = clear[:, i]
        for band in range(values.shape[1]):
            regular[i, band] = np.interp(STEPS, day[seen], values[seen, band, i])
    red, infrared = regular[:, 2], regular[:, 6]
    index = (infrared - red) / (infrared + red)
    return np.concatenate([regular.reshape(count, -1), index], axis=1)


def pick(
    draw: np.random.Generator, codes: NDArray[np.uint8], among: NDArray[np.bool_], count: int
) -> NDArray[np.intp]:
    """Up to `count` samples of each class."""
    chosen = [
        draw.permutation(np.flatnonzero((codes == code) & among))[:count]
        for code in np.unique(codes)
    ]
    return np.concatenate(chosen)


def main() -> None:
    """Print the table."""
    features, codes, blocks = series(HOME, 2021)
    distinct = np.unique(blocks)
    held = np.random.default_rng(1).permutation(distinct)[: int(0.3 * len(distinct))]
    test = np.isin(blocks, held)
    others = {"same area": (features, codes, test)}
    for name, bounds, year in (("other region", ELSEWHERE, 2021), ("other year", HOME, 2019)):
        found = series(bounds, year)
        others[name] = (*found[:2], np.ones(len(found[1]), bool))
    print(f"{'labels a class':>14}", *(f"{name:>16}" for name in others))
    for shots in SHOTS:
        accuracy: dict[str, list[float]] = {name: [] for name in others}
        for seed in range(DRAWS):
            draw = np.random.default_rng(seed)
            train = pick(draw, codes, ~test, shots)
            forest = RandomForestClassifier(300, random_state=seed)
            forest.fit(features[train], codes[train])
            for name, (x, y, among) in others.items():
                chosen = pick(draw, y, among, TEST_PER_CLASS)
                accuracy[name].append(float((forest.predict(x[chosen]) == y[chosen]).mean()))
        cells = (f"{np.mean(a):8.3f} ± {np.std(a):5.3f}" for a in accuracy.values())
        print(f"{shots:>14}", *(f"{cell:>16}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
