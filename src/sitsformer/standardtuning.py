"""One model on all labels of a set, epoch by epoch: SITS-Former's way of fine-tuning."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sitsformer import artefacts, config
from sitsformer.errors import SitsError
from sitsformer.fewshot import TEST, TRAIN, VALIDATION, training_weights
from sitsformer.fewshot.adaptations.full import all_weights
from sitsformer.fewshot.adaptations.sits_former import task_settings
from sitsformer.finetune import PREDICT_BATCH, Ints, start_network
from sitsformer.model.prediction import probabilities
from sitsformer.modelstore import Origin, save_model
from sitsformer.samples import labelled, load_samples
from sitsformer.sampleseries import read_series
from sitsformer.training import distributed
from sitsformer.training.classification import ClassifyTask
from sitsformer.training.loop import Row, fit
from sitsformer.training.objectives.published import FINETUNING, KEPT
from sitsformer.training.observers import bar, observers


@dataclass(frozen=True)
class Standard:
    """Settings of `run_standard`: SITS-Former's way of fine-tuning.

    Attributes:
        epochs: passes over the training split.
        batch_size: samples a step.
        recipe: of the optimiser.
        seed: of the classifier's weights, the order of samples and dropout.
        patience: epochs without a better macro F1 on the validation split before it stops, whose
            best epoch is kept; None: never.
    """

    epochs: int = 50
    batch_size: int = 128
    recipe: config.Optimiser = field(default_factory=lambda: config.Optimiser(**FINETUNING))
    seed: int = 0
    patience: int | None = None


def run_standard(
    store: Path,
    init: Path | None,
    out: Path,
    checkpoint: Path,
    model_settings: config.Model,
    settings: Standard,
    tensorboard: Path | None = None,
    device_name: str = "auto",
) -> dict[str, float]:
    """Fine-tune one model on all labels of a set's training split, test it, write its artefact.

    Args:
        store: sample store with labels.
        init: a pretrained model artefact; None: random weights.
        out: the model artefact.
        checkpoint: folder of the checkpoint.
        model_settings: shape of the network where there is no pretrained one.
        settings: the recipe.
        tensorboard: folder of TensorBoard files.
        device_name: `auto`, `cpu` or `cuda`.

    Returns:
        Overall accuracy, macro F1 and kappa on the test split.
    """
    device = distributed.start(device_name)
    samples = load_samples(store, choose=labelled, reflectance=False)
    parts = [np.flatnonzero(samples.split == k) for k in (TRAIN, VALIDATION, TEST)]
    if not len(parts[0]):
        raise SitsError(f"{store} has no labelled sample in its training split")
    series = read_series(store, samples, init, device)
    model = start_network(samples, series, init, settings.seed, model_settings)
    all_weights(model)
    model.to(device)
    task = ClassifyTask(
        series,
        samples.label,
        parts[0],
        task_settings(settings.seed, batch_size=settings.batch_size),
        parts[1] if len(parts[1]) else None,
        training_weights(samples.weight, samples.label, parts[0]),
    )
    recipe = settings.recipe.plan(
        epochs=settings.epochs,
        seed=settings.seed,
        keep=KEPT,
        patience=settings.patience,
    )
    inputs = {"samples": store} | ({} if init is None else {"init": init})
    identity = {
        "epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "seed": settings.seed,
        "recipe": settings.recipe.model_dump(mode="json"),
        "model": vars(model.architecture),
        "device": device.type,
        "inputs": {name: artefacts.digest(path) for name, path in inputs.items()},
    }
    with bar("fine-tune", settings.epochs * task.updates) as progress:
        history: list[Row] = fit(
            model,
            task,
            recipe,
            checkpoint=checkpoint,
            settings=identity,
            observers=observers(tensorboard, None, identity),
            progress=progress,
        )
    model.eval()
    found = probabilities(model, series, parts[2], PREDICT_BATCH)
    metrics = _test(found, samples.label[parts[2]])
    data = {"samples": store.name, "training samples": str(len(parts[0]))}
    origin = Origin(
        "classification", data, identity, inputs, settings.seed, metrics, samples.classes
    )
    save_model(out, model, origin, history)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return metrics


def _test(probabilities: npt.NDArray[np.float32], truth: Ints) -> dict[str, float]:
    """Overall accuracy, macro F1 and Cohen's kappa; nothing where there is no test sample."""
    if not len(truth):
        return {}
    from sklearn.metrics import cohen_kappa_score, f1_score

    found = probabilities.argmax(1)
    return {
        "test_accuracy": float((found == truth).mean()),
        "test_macro_f1": float(f1_score(truth, found, average="macro", zero_division=0)),
        "test_kappa": float(cohen_kappa_score(truth, found)),
    }
