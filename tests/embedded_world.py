"""Samples and a tile with embeddings that know the class, and a pretrained model: a made world.

crops.zarr   300 samples        rows.zarr  their embeddings, of which some lack
tile.zarr    a cube of fields   over.zarr  the embeddings over it, of which some lack
dual-p3      a pretrained model with three land covers
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

import made_run
import phenology
from sitsformer import cube, modelstore
from sitsformer.embedded import store
from sitsformer.model import Architecture, SITSFormer
from sitsformer.sensors import BANDS

AXES = tuple(f"b{k}" for k in range(1, 9))
"""As those of rasters of the user's are called."""
DIRECTIONS = np.random.default_rng(3).normal(size=(len(phenology.NAMES), len(AXES)))


def vectors(classes: np.ndarray, seed: int, noise: float = 0.5) -> np.ndarray:
    """Embeddings (..., axis) that know the class."""
    rng = np.random.default_rng(seed)
    found = DIRECTIONS[classes] + noise * rng.normal(size=(*classes.shape, len(AXES)))
    return found.astype(np.float32)


def make(folder: Path) -> Path:
    """Write all of it into a folder."""
    samples = phenology.make(300, side=3)
    phenology.write(folder / "crops.zarr", samples)
    values = vectors(samples.label, 1)
    values[::50] = np.nan
    store.write_rows(
        folder / "rows.zarr", values, AXES, {"layer": "mine", "title": "mine"},
        config={}, inputs={"samples": folder / "crops.zarr"},
    )  # fmt: skip
    made_run.make_cube(folder / "tile.zarr")
    opened = cube.open_cube(folder / "tile.zarr")
    over = np.moveaxis(vectors(opened.cdl.values.astype(int) - 1, 2), -1, 0)
    over[:, 10, 10:14] = np.nan
    store.write_tile(
        folder / "over.zarr", cube.tile_of(opened), AXES, "float32",
        lambda block: over[:, block.rows, block.columns], {"layer": "mine", "title": "mine"},
        config={}, inputs={},
    )  # fmt: skip
    torch.manual_seed(0)
    shape = Architecture(
        patch=3, embedding="linear", hidden=16, layers=1, heads=2, pooling="mean_max", classes=3
    )
    network = SITSFormer(shape, np.full(10, 0.2), np.full(10, 0.1), BANDS, ("a", "b", "c"))
    origin = modelstore.Origin("dual", config={"objective": "dual", "seed": 3})
    modelstore.save_model(folder / "dual-p3", network, origin)
    return folder
