"""What the training commands share: config sections with overrides, threads, sample stores."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sitsformer.config import FewShot, Model, Optimiser, Pretrain, load
from sitsformer.errors import SitsError


def set_threads(threads: int | None) -> None:
    """Set torch's threads from the option or SITSFORMER_THREADS; otherwise torch's own choice."""
    import torch

    wanted = threads or int(os.environ.get("SITSFORMER_THREADS", "0"))
    if wanted:
        torch.set_num_threads(wanted)


def sample_store(path: Path) -> Path:
    """Check that a sample store is there.

    Raises:
        SitsError: it is not, or it is a folder of .npz files.
    """
    if not path.exists():
        raise SitsError(f"{path} is not there: give the sample store (.zarr) to train on")
    if path.is_dir() and not (path / "zarr.json").exists():
        raise SitsError(
            f"{path} is no sample store: convert a folder of .npz samples first, "
            f"`sitsformer convert samples {path} OUT.zarr`"
        )
    return path


def pretraining(config_path: Path | None, overrides: Mapping[str, Any]) -> tuple[Model, Pretrain]:
    """Sections `model` and `pretrain`, with the options that were given on the command line.

    Without a config these are SITS-Former's: Adam 1e-3, a tenth of the steps of warm-up, factor
    0.99 an epoch, gradient norm 5.
    """
    if config_path is not None:
        config = load(config_path)
        model, section = config.model, config.pretrain
    else:
        recipe = Optimiser(optimiser="adam", schedule="exponential")
        model, section = Model(), Pretrain(set="samples", recipe=recipe)
    return model, _override(section, overrides)


def finetuning(config_path: Path | None) -> tuple[Model, FewShot]:
    """Sections `model` and `fewshot`."""
    if config_path is None:
        return Model(), FewShot(set="samples")
    config = load(config_path)
    return config.model, config.fewshot


def _override(section: Pretrain, overrides: Mapping[str, Any]) -> Pretrain:
    given = {k: v for k, v in overrides.items() if v is not None}
    values = section.model_dump()
    if "learning_rate" in given:
        values["recipe"]["learning_rate"] = given.pop("learning_rate")
    return Pretrain.model_validate({**values, **given})
