"""Features of Galileo (Tseng et al. 2025) for the sweep, from your own clone of its repository.

    git clone https://github.com/nasaharvest/galileo
    python scripts/peers/galileo.py galileo results/patches/crops.zarr galileo.npy
    python scripts/peers/galileo.py galileo results/patches/crops.zarr galileo_place.npy \
        --place --elevation elevation.npy

    fewshot:
      baselines: [galileo]
      options: {galileo: {features: galileo.npy}}

Its encoder reads monthly medians of the ten bands and NDVI of one pixel, normalised by the
statistics of its repository; all else is masked, and what a month lacks is too. The nano weights
lie in the repository; others are given by `--weights`. Nothing is downloaded. Needs torch, einops.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from monthly import Monthly, elevations, module_of, monthly, places, write

BATCH = 512


class Normaliser:
    """Values within two standard deviations of pretraining's go from 0 to 1, as in its code.

    Args:
        path: `config/normalization.json` of the clone.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise SystemExit(f"{path} is not there: give the folder of a clone of its repository")
        self.known = json.loads(path.read_text())

    def __call__(self, values: np.ndarray, kind: int, positions: list[int]) -> np.ndarray:
        """Values (..., band) of the bands at some positions of a kind of input."""
        mean, std = (np.array(self.known[str(kind)][key])[positions] for key in ("mean", "std"))
        return ((values - (mean - 2 * std)) / (4 * std)).astype(np.float32)


def inputs(
    peer: ModuleType,
    found: Monthly,
    place: np.ndarray | None,
    elevation: np.ndarray | None,
    normaliser: Normaliser,
) -> dict[str, np.ndarray]:
    """What the encoder reads, and which groups of it are masked (1), by its names."""
    samples, months = found.ndvi.shape
    kinds = {
        "s_t": (peer.SPACE_TIME_BANDS, peer.SPACE_TIME_BANDS_GROUPS_IDX, (1, 1, months)),
        "sp": (peer.SPACE_BANDS, peer.SPACE_BAND_GROUPS_IDX, (1, 1)),
        "t": (peer.TIME_BANDS, peer.TIME_BAND_GROUPS_IDX, (months,)),
        "st": (peer.STATIC_BANDS, peer.STATIC_BAND_GROUPS_IDX, ()),
    }
    x = {
        name: np.full((samples, *shape, len(bands)), np.nan, np.float32)
        for name, (bands, _, shape) in kinds.items()
    }
    series = [peer.SPACE_TIME_BANDS.index(band) for band in peer.S2_BANDS]
    counts = found.values / 1e-4
    x["s_t"][:, 0, 0, :, series] = np.moveaxis(
        normaliser(counts, len(peer.SPACE_TIME_BANDS), series), -1, 0
    )
    x["s_t"][:, 0, 0, :, peer.SPACE_TIME_BANDS.index("NDVI")] = found.ndvi
    if elevation is not None:
        ground = [peer.SPACE_BANDS.index(band) for band in peer.SRTM_BANDS]
        own = normaliser(elevation, len(peer.SPACE_BANDS), ground)
        x["sp"][:, 0, 0, ground] = own
    if place is not None:
        lon, lat = np.deg2rad(place).T
        there = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], 1)
        x["st"][:, [peer.STATIC_BANDS.index(band) for band in peer.LOCATION_BANDS]] = there
    masks = {
        name: np.stack([np.isnan(x[name][..., part]).any(-1) for part in groups.values()], -1)
        for name, (_, groups, _) in kinds.items()
    }
    return {
        **{f"{name}_x": np.nan_to_num(values) for name, values in x.items()},
        **{f"{name}_m": mask.astype(np.float32) for name, mask in masks.items()},
    }


def encode(encoder: Any, given: dict[str, np.ndarray], month: np.ndarray) -> np.ndarray:
    """(sample, feature): means of what the encoder makes of all that is not masked."""
    import torch

    parts = []
    samples = len(given["s_t_x"])
    for index in np.array_split(np.arange(samples), -(-samples // BATCH)):
        own = {name: torch.from_numpy(values[index]) for name, values in given.items()}
        months = torch.from_numpy(np.tile(month, (len(index), 1))).long()
        with torch.inference_mode():
            *tokens, _ = encoder(**own, months=months, patch_size=1)
            parts.append(encoder.average_tokens(*tokens).numpy())
    return np.concatenate(parts)


def main() -> None:
    """Encode a store."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clone", type=Path, help="folder of the peer's repository")
    parser.add_argument("store", type=Path, help="sample store")
    parser.add_argument("out", type=Path, help=".npy file of features")
    parser.add_argument("--weights", type=Path, help="default: data/models/nano of the clone")
    parser.add_argument("--place", action="store_true", help="tell it where each sample lies")
    parser.add_argument("--elevation", type=Path, help=".npy: metres, and degrees of slope")
    given = parser.parse_args()
    weights = given.weights or given.clone / "data/models/nano"
    if not (weights / "encoder.pt").is_file():
        raise SystemExit(f"{weights}/encoder.pt is not there: give its folder by --weights")
    normaliser = Normaliser(given.clone / "config/normalization.json")
    peer = module_of(given.clone, "single_file_galileo.py")
    encoder = peer.Encoder.load_from_folder(weights, torch.device("cpu")).eval()
    found = monthly(given.store)
    place = places(found, True) if given.place else None
    height = elevations(given.elevation, len(found.values))
    fed = inputs(peer, found, place, height, normaliser)
    write(given.out, encode(encoder, fed, found.month))


if __name__ == "__main__":
    main()
