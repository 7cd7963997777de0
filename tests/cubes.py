"""Made-up cubes and configs for tests of the sample store: values differ everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sitsformer import config, cube, grid
from sitsformer.legends import load_legend

START = np.datetime64("2020-10-01T10:50", "ns")
CODES = (10, 20, 30, 40, 50, 0)


def make_config(
    size: int = 30,
    tiles: int | str = 1,
    chosen: dict[str, Any] | None = None,
    patches: dict[str, Any] | None = None,
    areas: dict[str, dict[str, Any]] | None = None,
) -> config.Config:
    """A config with one set `land`, of one area `farm` across New Year unless others are given."""
    farm = {
        "source": "synthetic",
        "bounds": [5.0, 50.0, 5.02, 50.01],
        "start": "2020-10-01",
        "end": "2021-09-30",
        "labels": ["worldcover"],
        "tiles": {"size": size, "count": tiles},
    }
    areas = {name: farm | changes for name, changes in (areas or {"farm": {}}).items()}
    split = {"block": 300.0}
    land = {"areas": list(areas), "label": "worldcover", "split": split, "per_tile": "all"}
    return config.parse(
        {
            "areas": areas,
            "sets": {"land": land | (chosen or {})},
            "patches": {"max_length": 8, "min_dates": 3} | (patches or {}),
            "pretrain": {"set": "land"},
            "fewshot": {"set": "land"},
        }
    )


def tiles(settings: config.Config, area: str = "farm") -> list[grid.Tile]:
    return grid.tiles(area, settings.areas[area])


def make_cube(
    path: Path,
    tile: grid.Tile,
    dates: int = 20,
    seed: int = 0,
    clear: float = 0.6,
    missing: float = 0.0,
    parcel: int = 5,
    codes: tuple[int, ...] = CODES,
) -> Path:
    """Write a cube with random reflectance, patchy clouds and parcels of labels.

    Args:
        path: of the cube.
        tile: where it lies.
        dates: number of dates, at most 364, two of them on one day.
        seed: of everything.
        clear: share of clear sky.
        missing: share of (date, pixel) that was not seen though it is called clear.
        parcel: side of parcels and clouds, pixels.
        codes: of the labels.
    """
    rng = np.random.default_rng(seed)
    n = tile.size
    days = np.sort(rng.choice(364, dates - 1, replace=False))
    times = START + np.append(days, days[-1]).astype("timedelta64[D]")
    times[-1] += np.timedelta64(15, "s")
    reflectance = rng.integers(0, 12_000, (dates, 10, n, n), dtype=np.uint16)
    unseen = rng.random((dates, 1, n, n)) < missing
    reflectance[np.broadcast_to(unseen, reflectance.shape)] = cube.MISSING
    cells = -(-n // parcel)

    def patchy(values: np.ndarray) -> np.ndarray:
        return values.repeat(parcel, -1).repeat(parcel, -2)[..., :n, :n]

    score = patchy(np.where(rng.random((dates, cells, cells)) < clear, 90, 20)).astype(np.uint8)
    score[rng.random(score.shape) < 0.02] = 60  # just clear enough
    score[rng.random(score.shape) < 0.02] = cube.CLEAR_MISSING
    label = patchy(rng.choice(codes, (cells, cells))).astype(np.uint8)
    confidence = rng.choice([255, *range(101)], (n, n)).astype(np.uint8)
    layers = {
        "worldcover": (label, load_legend("worldcover")),
        "cdl_confidence": (confidence, None),
    }
    cube.write(cube.build(tile, times, reflectance, score, layers, {}), path, config={})
    return path
