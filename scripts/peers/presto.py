"""Features of Presto (Tseng et al. 2023) for the sweep, from your own clone of its repository.

    git clone https://github.com/nasaharvest/presto
    python scripts/peers/presto.py presto results/patches/crops.zarr presto.npy
    python scripts/peers/presto.py presto results/patches/crops.zarr presto_place.npy \
        --place --elevation elevation.npy

    fewshot:
      baselines: [presto]
      options: {presto: {features: presto.npy}}

Its encoder reads monthly medians of the ten bands and NDVI; Sentinel-1, weather, and Dynamic World
are masked, and what a month lacks is too. Without `--place` every sample is given the middle of the
store, since the encoder always reads a place. Nothing is downloaded. Needs torch and einops.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from monthly import NAMES, Monthly, elevations, module_of, monthly, places, write

FIRST = 2
"""Position of B2 among the encoder's 17 inputs: VV, VH, ten bands, two of ERA5, SRTM, NDVI."""
SRTM, NDVI, INPUTS = (14, 15), 16, 17
ELEVATION_SCALE = np.array([2000.0, 50.0], np.float32)
"""Metres and degrees of slope that its pretraining divided by."""

NO_CLASS = 9
"""Dynamic World's code for none."""

BATCH = 512


def inputs(found: Monthly, elevation: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """What the encoder reads (sample, month, 17), and which of it is masked (1)."""
    samples, months = found.ndvi.shape
    x = np.full((samples, months, INPUTS), np.nan, np.float32)
    x[..., FIRST : FIRST + len(NAMES)] = found.values
    x[..., NDVI] = found.ndvi
    if elevation is not None:
        x[..., list(SRTM)] = (elevation / ELEVATION_SCALE)[:, None]
    return np.nan_to_num(x), np.isnan(x).astype(np.float32)


def encode(encoder: Any, found: Monthly, place: np.ndarray, elevation: Any) -> np.ndarray:
    """(sample, feature); samples with as much masked go together, as the encoder wants it."""
    import torch

    x, mask = inputs(found, elevation)
    masked = mask.sum((1, 2))
    rows = np.full((len(x), 0), 0.0)
    for amount in np.unique(masked):
        here = np.flatnonzero(masked == amount)
        for part in np.array_split(here, -(-len(here) // BATCH)):
            with torch.inference_mode():
                made = encoder(
                    torch.from_numpy(x[part]),
                    torch.full((len(part), x.shape[1]), NO_CLASS, dtype=torch.long),
                    torch.from_numpy(place[part][:, ::-1].astype(np.float32).copy()),
                    torch.from_numpy(mask[part]),
                    month=int(found.month[0]),
                    eval_task=True,
                ).numpy()
            rows = rows if rows.shape[1] else np.full((len(x), made.shape[1]), np.nan)
            rows[part] = made
    return rows


def main() -> None:
    """Encode a store."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clone", type=Path, help="folder of the peer's repository")
    parser.add_argument("store", type=Path, help="sample store")
    parser.add_argument("out", type=Path, help=".npy file of features")
    parser.add_argument("--weights", type=Path, help="default: data/default_model.pt of the clone")
    parser.add_argument("--place", action="store_true", help="tell it where each sample lies")
    parser.add_argument("--elevation", type=Path, help=".npy: metres, and degrees of slope")
    given = parser.parse_args()
    weights = given.weights or given.clone / "data/default_model.pt"
    if not weights.is_file():
        raise SystemExit(f"{weights} is not there: give the weights by --weights")
    peer = module_of(given.clone, "single_file_presto.py").Presto.construct()
    peer.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    found = monthly(given.store)
    height = elevations(given.elevation, len(found.values))
    write(given.out, encode(peer.eval().encoder, found, places(found, given.place), height))


if __name__ == "__main__":
    main()
