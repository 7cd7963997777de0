"""Pretraining on an objective: masked reconstruction, land cover, both together, or another one.

    sitsformer pretrain --config C --objective dual --seed 0 --samples S --checkpoint K --out M

Samples stay as stored integers on the GPU, in memory or, where they fit in neither, on disk, in one
order; they are gathered, augmented, normalised and masked batch by batch. The artefact is written
once, after the last epoch; the checkpoint lives elsewhere, so that a workflow which clears outputs
before a retry does not clear the progress.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sitsformer import artefacts, config
from sitsformer.classes import Classes
from sitsformer.errors import SitsError
from sitsformer.model import SITSFormer
from sitsformer.model.steps import Series, make_series
from sitsformer.modelstore import Origin, save_model
from sitsformer.registry import find
from sitsformer.samples import (
    About,
    about,
    load_samples,
    open_samples,
    shards,
    split_rows,
    statistics,
)
from sitsformer.samples.loader import Batch, Loader, free_memory, order
from sitsformer.training import distributed
from sitsformer.training.loop import Row, fit
from sitsformer.training.objectives import objectives, without_labels
from sitsformer.training.observers import bar, observers
from sitsformer.training.pretraining import (
    Held,
    InMemory,
    Ints,
    PretrainTask,
    Source,
    Validation,
)

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


def run(
    where: Where,
    objective: str,
    seed: int,
    model_settings: config.Model,
    settings: config.Pretrain,
    device_name: str = "auto",
) -> list[Row]:
    """Pretrain one model and write its artefact.

    Args:
        where: sample store, checkpoint, artefact.
        objective: name of the objective.
        seed: of the weights, the order of samples, masks and dropout.
        model_settings: section `model` of the config.
        settings: section `pretrain` of the config.
        device_name: `auto`, `cpu` or `cuda`.

    Returns:
        The history of the training.

    Raises:
        SitsError: the samples do not serve the objective, or the training fails.
    """
    device = distributed.start(device_name)
    settings = settings.of(objective)
    stats = statistics(where.samples)

    def series(samples: Batch) -> Series:
        return make_series(samples["reflectance"], samples["doy"], stats.mean, stats.std, device)

    common = about(open_samples(where.samples))
    labels, (bands, patch) = _look(where.samples)
    chosen, learned = find(objectives(), objective, "objective"), settings.task(objective, seed)
    if chosen.labelled and not (labels >= 0).any():
        raise SitsError(
            f"{where.samples} has no land-cover label in its training split, which the objective "
            f"{objective!r} needs: pretrain with {', '.join(f'`{o}`' for o in without_labels())}, "
            "or give the set a label layer"
        )
    classes = common.classes if chosen.classifies else Classes()
    torch.manual_seed(seed)
    model = SITSFormer(
        model_settings.architecture(
            bands=bands,
            patch=patch,
            classes=len(classes),
            decoder=learned.decoder,
            projection=chosen.projects,
        ),
        stats.mean,
        stats.std,
        common.bands,
        classes.names,
        common.sensor.name,
    ).to(device)
    source = samples_of(where.samples, settings, seed, device, series)
    on_disk = isinstance(source, Streamed) and source.loader.held is None
    task = PretrainTask(
        source,
        learned,
        class_weights(labels, len(common.classes)).to(device) if settings.class_balanced else None,
        _validation(where.samples, series, on_disk),
    )
    identity = {
        "objective": objective,
        "seed": seed,
        "model": asdict(model.architecture),
        "pretrain": settings.model_dump(
            mode="json",
            exclude={"objectives", "seeds", "set", "checkpoint_every", "loader", "graphs"},
        ),
        "samples": artefacts.digest(where.samples),
        "processes": distributed.world(),
        "device": device.type,
    }
    with bar(f"pretrain {objective} {seed}", settings.epochs * task.updates) as progress:
        history = fit(
            model,
            task,
            settings.plan(seed),
            checkpoint=where.checkpoint,
            settings=identity,
            observers=observers(where.tensorboard, where.mlflow, identity),
            progress=progress,
        )
    if distributed.rank() == 0:
        origin = Origin(
            objective,
            _data(common, labels),
            identity,
            {"samples": where.samples},
            seed,
            {k: v for k, v in _best(history).items() if k.startswith("validation_")},
            classes,
        )
        save_model(where.out, model, origin, history)
        logger.info("%s: %s", where.out, _result(history))
    distributed.wait()
    distributed.finish()
    return history


def samples_of(
    path: Path,
    settings: config.Pretrain,
    seed: int,
    device: torch.device,
    series: Callable[[Batch], Series],
) -> Source:
    """The training split: held where the network runs, or handed there batch by batch."""
    gpu = distributed.free_memory(device)
    host_bytes, device_bytes = distributed.least(
        (free_memory() / distributed.here(), float("inf") if gpu is None else gpu)
    )
    size = settings.batch_size // distributed.world()
    loader = Loader(
        path,
        size,
        seed,
        rank=distributed.rank(),
        world=distributed.world(),
        mode=settings.loader,
        drop_last=True,
        free_host=int(host_bytes),
        free_device=None if gpu is None else int(device_bytes),
    )
    logger.info("training samples: %s", loader.mode)
    if loader.held is None or (loader.mode == "memory" and gpu is not None):
        return Streamed(loader, size, series)
    train = vars(loader.held)
    try:
        return InMemory(series(train), train["label"], _order(train, seed))
    except torch.OutOfMemoryError:
        raise SitsError(
            f"the training split of {path} ({train['reflectance'].nbytes / 1e9:.1f} GB) does not "
            f"fit on {device}: set pretrain.loader to memory or auto"
        ) from None


class Streamed:
    """Samples from disk or memory as they are needed: each process its own part of every batch."""

    shared = False

    def __init__(self, loader: Loader, size: int, series: Callable[[Batch], Series]) -> None:
        self.loader, self.size, self.series = loader, size, series
        self.count = loader.samples

    def batches(self, size: int, epoch: int, start: int) -> Iterator[tuple[Series, Ints, Ints]]:
        """See `pretraining.Source`."""
        if size != self.size:
            raise SitsError(
                f"the set has {self.count} samples a process, fewer than a batch: use a smaller "
                "pretrain.batch_size, or pretrain.loader: memory"
            )
        for batch in self.loader.epoch(epoch, start):
            label = batch["label"].astype(np.int64)
            yield self.series(batch), label, np.arange(len(label))


def _order(train: Mapping[str, Any], seed: int) -> Callable[[int], Ints]:
    """The loader's order as positions in `train`, so that memory and stream train the same."""
    rows, size = train["index"], int(np.prod(train["reflectance"].shape[1:])) * 2
    return lambda epoch: np.searchsorted(rows, order(rows, size, seed, epoch).rows)


def _look(path: Path) -> tuple[Ints, tuple[int, int]]:
    """Labels of the training split, and (bands, patch) of the samples, without reading them."""
    dataset = open_samples(path)
    labels = dataset.label.values[split_rows(dataset, path, "train")].astype(np.int64)
    return labels, (dataset.sizes["band"], dataset.sizes["px"])


def _validation(path: Path, series: Callable[[Batch], Series], on_disk: bool) -> Validation | None:
    """The validation split, left on disk where the training split is; None where there is none."""
    if not (open_samples(path).split.values == 1).any():
        return None
    if on_disk:
        return StreamedValidation(path, series)
    samples = vars(load_samples(path, "validation"))
    return Held(series(samples), samples["label"])


class StreamedValidation:
    """A validation split that is read batch by batch; see `pretraining.Validation`."""

    def __init__(self, path: Path, series: Callable[[Batch], Series]) -> None:
        dataset = open_samples(path)
        self.path, self.series = path, series
        self.rows = split_rows(dataset, path, "validation")
        self.doy = dataset.doy.values[self.rows]
        self.label = dataset.label.values[self.rows].astype(np.int64)

    def part(self, index: Ints) -> tuple[Series, Ints, Ints]:
        """See `pretraining.Validation`."""
        with shards.Reader(self.path / "reflectance") as reader:
            reflectance = reader.take(self.rows[index])
        found = self.series({"reflectance": reflectance, "doy": self.doy[index]})
        return found, self.label[index], np.arange(len(index))


def class_weights(label: Ints, classes: int) -> torch.Tensor:
    """Weights inverse to the frequency of each class, 1 on average over samples."""
    count = np.bincount(label[label >= 0], minlength=classes).astype(np.float64)
    weight = count.sum() / np.maximum(count, 1) / max((count > 0).sum(), 1)
    return torch.from_numpy(weight.astype(np.float32))


def _best(history: list[Row]) -> Row:
    validated = [row for row in history if "validation_loss" in row]
    return min(validated, key=lambda row: row["validation_loss"], default=history[-1])


def _result(history: list[Row]) -> str:
    """What came of the training, in a line."""
    last, best = history[-1], _best(history)
    updates = f"{last['step']:.0f} updates"
    if "validation_loss" not in best:
        return updates
    when = f"epoch {best['epoch']:.0f} of {last['epoch']:.0f}"
    return f"{updates}; lowest validation loss {best['validation_loss']:.4g}, in {when}"


def _data(common: About, labels: Ints) -> dict[str, str]:
    """Lines on the samples for the model card."""
    seasons = [
        f"{area} (season from {year})"
        for area, year in zip(common.areas, common.years, strict=True)
    ]
    return {
        "sample set": common.name,
        "areas": ", ".join(seasons) or "not recorded",
        "label product": common.label,
        "training samples": str(len(labels)),
        "of them with land cover": str(int((labels >= 0).sum())),
    }
