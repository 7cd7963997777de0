"""Samples of a store as a network reads them, by the statistics that go with it."""

from __future__ import annotations

from pathlib import Path

import torch

from sitsformer.model import SITSFormer
from sitsformer.model.steps import Series, make_series, packed_series
from sitsformer.modelstore import load_model
from sitsformer.samples import Samples, statistics, statistics_of, valid_steps


def read_series(
    store: Path, samples: Samples, init: Path | None, device: torch.device | str = "cpu"
) -> Series:
    """As `series_of`, read from their store: padding, often a third of it, is never held.

    Args:
        store: where they are.
        samples: of it, whose own reflectance need not be there.
        init: a pretrained model artefact; None: random weights.
        device: where the network runs.
    """
    if init is None:
        stats = statistics(store)
        mean, std = stats.mean, stats.std
    else:
        model = fitting(init, samples)
        mean, std = model.mean.cpu().numpy(), model.std.cpu().numpy()
    return packed_series(valid_steps(store, samples), samples.doy, mean, std, device)


def series_of(samples: Samples, init: Path | None, device: torch.device | str = "cpu") -> Series:
    """Samples as a network reads them, by the statistics it was pretrained with, if it was."""
    if init is None:
        stats = statistics_of(samples)
        return make_series(samples.reflectance, samples.doy, stats.mean, stats.std, device)
    return series_for(fitting(init, samples), samples, device)


def series_for(model: SITSFormer, samples: Samples, device: torch.device | str = "cpu") -> Series:
    """Samples as a network reads them, by its own statistics."""
    mean, std = model.mean.cpu().numpy(), model.std.cpu().numpy()
    return make_series(samples.reflectance, samples.doy, mean, std, device)


def fitting(init: Path, samples: Samples, device: str = "cpu") -> SITSFormer:
    """A model that reads these samples."""
    patch, sensor = samples.reflectance.shape[3], samples.sensor
    return load_model(init, bands=samples.bands, patch=patch, sensor=sensor, device=device)
