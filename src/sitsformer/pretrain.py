"""Pretraining: masked reconstruction, land cover, or both together.

    sitsformer pretrain --config C --objective dual --seed 0 --samples S --checkpoint K --out M

Samples stay in memory as stored integers and are gathered, augmented, normalised and masked batch
by batch; the artefact is written once, after the last epoch, and the checkpoint lives elsewhere, so
that a workflow which clears outputs before a retry does not clear the progress.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sitsformer import augment, config, parallel, provenance
from sitsformer.errors import SitsError
from sitsformer.model import Architecture, SITSFormer
from sitsformer.modelstore import Origin, save_model
from sitsformer.observers import bar, observers
from sitsformer.samples import Samples, about, load_samples, open_samples, statistics
from sitsformer.steps import Series, make_series
from sitsformer.tasks import PretrainSettings, PretrainTask
from sitsformer.training import Plan, Row, fit

logger = logging.getLogger("sitsformer")


@dataclass(frozen=True)
class Where:
    """Where a run reads and writes.

    Attributes:
        samples: sample store.
        checkpoint: folder of the checkpoint.
        out: the model artefact.
        tensorboard: folder of TensorBoard files; None: none are written.
        mlflow: tracking URI; None: not used.
    """

    samples: Path
    checkpoint: Path
    out: Path
    tensorboard: Path | None = None
    mlflow: str | None = None


def architecture(model: config.Model, bands: int, patch: int, classes: int = 0) -> Architecture:
    """Shape of the network from the config and the samples it reads."""
    return Architecture(
        bands=bands,
        patch=patch,
        embedding=model.embedding,
        hidden=model.hidden,
        layers=model.layers,
        heads=model.heads,
        feedforward=model.feedforward or 0,
        dropout=model.dropout,
        attention_dropout=(
            model.dropout if model.attention_dropout is None else model.attention_dropout
        ),
        norm=model.norm,
        pooling=model.pooling,
        classes=classes,
    )


def strength(augmentation: config.Augment) -> augment.Strength:
    """Augmentation from the config."""
    return augment.Strength(
        augmentation.day_shift, augmentation.drop, augmentation.gain, augmentation.noise
    )


def plan(recipe: config.Optimiser, **others: Any) -> Plan:
    """Plan of a run from a recipe of the config."""
    return Plan(**recipe.model_dump(), **others)


def run(
    where: Where,
    objective: config.Objective,
    seed: int,
    model_settings: config.Model,
    settings: config.Pretrain,
    device: str = "auto",
) -> list[Row]:
    """Pretrain one model and write its artefact.

    Args:
        where: sample store, checkpoint, artefact.
        objective: `ssl`, `sl` or `dual`.
        seed: of the weights, the order of samples, masks and dropout.
        model_settings: section `model` of the config.
        settings: section `pretrain` of the config.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        The history of the training.

    Raises:
        SitsError: the samples do not serve the objective, or the training fails.
    """
    place = parallel.start(device)
    train, validation = _load(where.samples)
    if objective != "ssl" and not (train.label >= 0).any():
        raise SitsError(
            f"{where.samples} has no land-cover label in its training split, which the objective "
            f"{objective!r} needs: pretrain with `ssl`, or give the set a label layer"
        )
    stats = statistics(where.samples)
    bands, patch = train.reflectance.shape[2], train.reflectance.shape[3]
    classes = 0 if objective == "ssl" else len(train.class_names)
    torch.manual_seed(seed)
    names = () if objective == "ssl" else train.class_names
    model = SITSFormer(
        architecture(model_settings, bands, patch, classes),
        stats.mean,
        stats.std,
        train.bands,
        names,
    ).to(place)

    def series(samples: Samples) -> Series:
        return make_series(samples.reflectance, samples.doy, stats.mean, stats.std, place)

    task = PretrainTask(
        series(train),
        train.label,
        PretrainSettings(
            objective,
            settings.batch_size,
            settings.accumulate,
            settings.mask,
            settings.mask_rate,
            settings.ssl_weight,
            settings.sl_weight,
            seed,
            strength(settings.augment),
        ),
        _class_weights(train.label, classes).to(place) if settings.class_balanced else None,
        None if validation is None else (series(validation), validation.label),
    )
    recipe = plan(
        settings.recipe,
        epochs=settings.epochs,
        seed=seed,
        patience=settings.patience,
        checkpoint_every=settings.checkpoint_every,
        compile=settings.compile,
        deterministic=settings.deterministic,
    )
    identity = {
        "objective": objective,
        "seed": seed,
        "model": asdict(model.architecture),
        "pretrain": settings.model_dump(
            mode="json", exclude={"objectives", "seeds", "set", "checkpoint_every", "loader"}
        ),
        "samples": provenance.digest(where.samples),
        "processes": parallel.world(),
    }
    with bar(f"pretrain {objective} {seed}", settings.epochs * task.steps) as progress:
        history = fit(
            model,
            task,
            recipe,
            checkpoint=where.checkpoint,
            settings=identity,
            observers=observers(where.tensorboard, where.mlflow, identity),
            progress=progress,
        )
    if parallel.rank() == 0:
        origin = Origin(
            objective,
            _data(where.samples, train),
            identity,
            {"samples": where.samples},
            seed,
            {k: v for k, v in _best(history).items() if k.startswith("validation_")},
            train.class_colours if classes else (),
        )
        save_model(where.out, model, origin, history)
    parallel.wait()
    return history


def _load(path: Path) -> tuple[Samples, Samples | None]:
    samples = load_samples(path)
    train, validation = (samples.take(np.flatnonzero(samples.split == k)) for k in (0, 1))
    if not len(train):
        raise SitsError(f"{path} has no sample in its training split")
    return train, validation if len(validation) else None


def _class_weights(label: np.ndarray[Any, np.dtype[np.int64]], classes: int) -> torch.Tensor:
    """Weights inverse to the frequency of each class, 1 on average over samples."""
    count = np.bincount(label[label >= 0], minlength=classes).astype(np.float64)
    weight = count.sum() / np.maximum(count, 1) / max((count > 0).sum(), 1)
    return torch.from_numpy(weight.astype(np.float32))


def _best(history: list[Row]) -> Row:
    validated = [row for row in history if "validation_loss" in row]
    return min(validated, key=lambda row: row["validation_loss"], default=history[-1])


def _data(path: Path, train: Samples) -> dict[str, str]:
    """Lines on the samples for the model card."""
    common = about(open_samples(path))
    seasons = [
        f"{area} (season from {year})"
        for area, year in zip(common.areas, common.years, strict=True)
    ]
    return {
        "sample set": common.name,
        "areas": ", ".join(seasons) or "not recorded",
        "label product": common.label,
        "training samples": str(len(train)),
        "of them with land cover": str(int((train.label >= 0).sum())),
    }
