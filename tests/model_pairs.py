"""Samples for the network, and pairs of the published network and ours with the same weights."""

import numpy as np
import torch

from reference_model import Reference
from sitsformer.model import Architecture, SITSFormer
from sitsformer.model.embedding import kernels
from sitsformer.stored import MISSING

MEAN, STD = np.full(10, 0.3), np.full(10, 0.2)


def samples(count, time, seed=0, least=4, bands=10, patch=5):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(min(least, time), time + 1, count)
    lengths[0] = time
    doy = np.zeros((count, time), np.int16)
    for row, n in zip(doy, lengths, strict=True):
        row[:n] = np.sort(rng.choice(366, n, replace=False) + 1)
    values = rng.integers(0, 9000, (count, time, bands, patch, patch)).astype(np.uint16)
    values[doy == 0] = MISSING
    return values, doy


def padded(values, doy):
    """Normalised input of the reference."""
    x = torch.from_numpy((values.astype(np.float32) * 1e-4 - 0.3) / 0.2)
    x[torch.from_numpy(doy) == 0] = 0
    return x, torch.from_numpy(doy.astype(np.int64))


def pair(dtype=torch.float32, norm_first=False, bands=10, patch=5, dropout=0.0):
    """The reference and the fast network with the same weights, BatchNorms far from identity."""
    torch.manual_seed(1)
    reference = Reference(
        bands,
        patch,
        hidden=32,
        layers=2,
        heads=4,
        dropout=dropout,
        classes=5,
        kernels=kernels(bands, patch),
        norm_first=norm_first,
    )
    for module in reference.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.weight.data.uniform_(0.5, 2)
            module.bias.data.normal_()
            module.running_mean.uniform_(0, 1)
            module.running_var.uniform_(0.5, 2)
    shape = Architecture(
        bands=bands,
        patch=patch,
        hidden=32,
        layers=2,
        heads=4,
        dropout=dropout,
        attention_dropout=dropout,
        norm="pre" if norm_first else "post",
        classes=5,
    )
    model = SITSFormer(shape, np.full(bands, 0.3), np.full(bands, 0.2))
    loaded = model.load_state_dict(reference.state_dict(), strict=False)
    assert set(loaded.missing_keys) == {"mask_token", "band_token", "mean", "std"}
    assert not loaded.unexpected_keys
    return reference.to(dtype), model.to(dtype)
