"""Fine-tuning: few-shot cells of the sweep, and one model on all labels.

A cell is one draw of labels; the cells of one job share a process and the samples in memory. How
the network learns from a draw is an adaptation (`fewshot/adaptations/`). Every init gets the same;
settings, such as the learning rate, are chosen on the validation samples of the draw, whose number
the shots limit too, and the choice is recorded. Test samples are only predicted.

What unlabelled reflectances decide: band statistics come from the pretrained model, or without one
from the training split.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from sitsformer import config, fewshot
from sitsformer.errors import SitsError
from sitsformer.fewshot import TEST, TRAIN, VALIDATION, Cell, Draw, Learner, validation_score
from sitsformer.fewshot.adaptations import Adaptation, Choice, adaptations
from sitsformer.fewshot.adaptations.full import all_weights
from sitsformer.fewshot.refine import Pool, best, scale, standardised
from sitsformer.model import SITSFormer
from sitsformer.model.prediction import embeddings, probabilities
from sitsformer.model.steps import Series, make_series
from sitsformer.modelstore import Origin, load_model, save_model
from sitsformer.registry import find
from sitsformer.samples import Samples, load_samples, statistics, statistics_of
from sitsformer.training import distributed
from sitsformer.training.classification import ClassifySettings, ClassifyTask
from sitsformer.training.loop import Row, fit
from sitsformer.training.observers import bar, observers

logger = logging.getLogger("sitsformer")

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PREDICT_BATCH = 512
"""Samples a batch of prediction; activations of the default network then take some 200 MB."""


Pooled: TypeAlias = tuple[npt.NDArray[np.float32], Floats, Floats]


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned model and how it was chosen."""

    model: SITSFormer
    choice: Choice
    score: tuple[float, float]


def run_cells(
    samples: Samples,
    init: Path | None,
    learner: Learner,
    shots: config.Shots,
    seeds: Sequence[int],
    model_settings: config.Model,
    settings: config.FewShot,
) -> tuple[list[Cell], SITSFormer]:
    """Fine-tune and test the cells of one job.

    Args:
        samples: all splits, with crop labels.
        init: a pretrained model artefact; None: random weights.
        learner: who is fine-tuned; its adaptation says how.
        shots: labelled samples a class.
        seeds: of the draws, one cell each.
        model_settings: shape of the network where there is no pretrained one.
        settings: section `fewshot` of the config.

    Returns:
        The cells, and the model of the first seed.

    Raises:
        SitsError: nobody knows the adaptation, the pretrained model reads other bands or patches,
            a class has no sample, or a training fails.
    """
    adaptation = find(adaptations(), learner.adaptation, "adaptation")
    test = np.flatnonzero((samples.split == TEST) & (samples.label >= 0))
    job = Job(samples, _series(samples, init), init, model_settings, settings)
    cells, models = [], []
    for seed in seeds:
        drawn, tuned = _tune(job, adaptation, shots, seed)
        found, refined = _predicted(job, tuned.model, drawn)
        choice = {
            **tuned.choice,
            **({"refined": refined} if settings.refine else {}),
            "validation_balanced_accuracy": tuned.score[0],
            "validation_log_likelihood": tuned.score[1],
            "train_samples": len(drawn.train),
            "validation_samples": len(drawn.validation),
        }
        truth = samples.label[test]
        cells.append(Cell(learner, shots, seed, samples.index[test], truth, found[test], choice))
        models.append(tuned.model)
        right = float((found[test].argmax(1) == truth).mean())
        logger.info("%s shots %s seed %d: accuracy %.3f", learner.name, shots, seed, right)
    return cells, models[0]


@dataclass(frozen=True)
class Job:
    """What the cells of a job share, and what an adaptation works with.

    Attributes:
        samples: all splits, with labels or without; draws are positions in them.
        series: the same samples as the network reads them.
        init: a pretrained model artefact; None: random weights.
        model_settings: shape of the network where there is no pretrained one.
        settings: section `fewshot` of the config.
    """

    samples: Samples
    series: Series
    init: Path | None
    model_settings: config.Model
    settings: config.FewShot
    known: dict[str, Pooled] = field(default_factory=dict)
    """Pooled encodings by a pretrained encoder, which all draws share, by kind of pooling."""
    pools: dict[str, Pool] = field(default_factory=dict)

    def pooled(self, model: SITSFormer) -> Pooled:
        """Pooled encodings of all samples by a network whose encoder is as it started.

        Returns:
            (sample, feature) float32; mean and standard deviation (feature,) of each over the
            training split.
        """
        kind = model.architecture.pooling
        if self.init is None or kind not in self.known:
            everything = np.arange(len(self.samples))
            found = embeddings(model, self.series, everything, PREDICT_BATCH)
            result = found, *scale(found, self.samples.split == TRAIN)
            if self.init is None:
                return result
            self.known[kind] = result
        return self.known[kind]

    def pool(self, model: SITSFormer) -> Pool:
        """All samples as the refinements see them with a model.

        Draws that share an encoder share their neighbours.
        """
        key = model.architecture.pooling
        if model.frozen and key in self.pools:
            return self.pools[key]
        pool = Pool(partial(self._space, model), self.land_cover)
        if model.frozen and self.init is not None:
            self.pools[key] = pool
        return pool

    def _space(self, model: SITSFormer) -> npt.NDArray[np.floating]:
        found = embeddings(model, self.series, np.arange(len(self.samples)), PREDICT_BATCH)
        return standardised(found, self.samples.split == TRAIN)

    @cached_property
    def land_cover(self) -> npt.NDArray[np.float32] | None:
        """(sample, land cover) probabilities by the pretrained model, if it knows any."""
        if self.init is None:
            return None
        return land_cover(self.init, self.samples, self.series)

    def start(self, seed: int) -> SITSFormer:
        """The network as it starts, with a new classifier; all that is random is of the seed."""
        return _start(self.samples, self.series, self.init, seed, self.model_settings)

    def train(self, model: SITSFormer, drawn: Draw, seed: int, rate: float) -> SITSFormer:
        """Train the weights of a network that want a gradient, by the recipe of the sweep.

        Args:
            model: of `start`, with the weights chosen that learn.
            drawn: its training samples are learned from.
            seed: of batches, augmentation and dropout.
            rate: largest learning rate.

        Returns:
            The same network, ready to predict.
        """
        s = self.settings
        task = ClassifyTask(
            self.series,
            self.samples.label,
            drawn.train,
            s.task(len(drawn.train), seed),
        )
        fit(model, task, s.recipe.plan(learning_rate=rate, seed=seed))
        return model.eval()


def _predicted(job: Job, model: SITSFormer, drawn: Draw) -> tuple[npt.NDArray[np.float32], str]:
    """Probabilities (sample, class) of all samples, and how they were refined.

    Without refinements those of the test split alone are computed; the others are NaN.
    """
    refine = job.settings.refine
    everything = np.arange(len(job.samples))
    wanted = everything if refine else np.flatnonzero(job.samples.split == TEST)
    found = np.full((len(everything), len(job.samples.classes)), np.nan, np.float32)
    found[wanted] = probabilities(model, job.series, wanted, PREDICT_BATCH)
    if not refine:
        return found, "none"
    better, name = best(found, job.samples.label, drawn, job.pool(model), refine)
    return better.astype(np.float32), name


def _tune(job: Job, adaptation: Adaptation, shots: config.Shots, seed: int) -> tuple[Draw, Tuned]:
    """Draw, learn with each of the settings to try, keep the best on validation."""
    label, settings = job.samples.label, job.settings
    drawn = fewshot.draw_shots(label, job.samples.split, shots, seed, settings.validation)
    best: Tuned | None = None
    for choice in adaptation.candidates(settings):
        model = adaptation.fit(job, drawn, seed, choice)
        found = probabilities(model, job.series, drawn.validation, PREDICT_BATCH)
        score = validation_score(label[drawn.validation], found)
        if best is None or score > best.score:
            best = Tuned(model, choice, score)
    if best is None:
        raise SitsError(f"adaptation {adaptation.name!r} has no settings to try; give it one")
    return drawn, best


def _start(
    samples: Samples, series: Series, init: Path | None, seed: int, model_settings: config.Model
) -> SITSFormer:
    """The network before fine-tuning: everything random in it comes from the seed."""
    torch.manual_seed(seed)
    bands, patch = samples.reflectance.shape[2], samples.reflectance.shape[3]
    if init is None:
        model = SITSFormer(
            model_settings.architecture(bands=bands, patch=patch),
            series.mean.cpu().numpy(),
            series.std.cpu().numpy(),
            samples.bands,
        )
    else:
        model = load_model(init, bands=samples.bands, patch=patch)
    model.new_classifier(len(samples.classes), samples.classes.names)
    return model


def network_series(samples: Samples) -> Series:
    """Samples as networks without pretraining read them, by statistics of the training split."""
    return _series(samples, None)


def _series(samples: Samples, init: Path | None, device: torch.device | str = "cpu") -> Series:
    if init is None:
        stats = statistics_of(samples)
        mean, std = stats.mean, stats.std
    else:
        model = load_model(init, bands=samples.bands, patch=samples.reflectance.shape[3])
        mean, std = model.mean.numpy(), model.std.numpy()
    return make_series(samples.reflectance, samples.doy, mean, std, device)


def land_cover(
    init: Path, samples: Samples, series: Series | None = None
) -> npt.NDArray[np.float32] | None:
    """Land cover of samples by a pretrained model.

    Args:
        init: its artefact.
        samples: of the bands and the patch that it reads.
        series: the same, normalised by the model's statistics; None: made here.

    Returns:
        (sample, land cover) probabilities; None where the model does not classify.
    """
    model = load_model(init, bands=samples.bands, patch=samples.reflectance.shape[3])
    if model.classifier is None:
        return None
    everything = np.arange(len(samples))
    return probabilities(model, series or _series(samples, init), everything, PREDICT_BATCH)


@dataclass(frozen=True)
class Standard:
    """Settings of `run_standard`: SITS-Former's way of fine-tuning.

    Attributes:
        epochs: passes over the training split.
        batch_size: samples a step.
        recipe: of the optimiser.
        seed: of the classifier's weights, the order of samples and dropout.
        patience: epochs without a better validation loss before it stops; None: never.
    """

    epochs: int = 50
    batch_size: int = 128
    recipe: config.Optimiser = field(default_factory=config.Optimiser)
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
    from sitsformer import artefacts

    device = distributed.start(device_name)
    loaded = load_samples(store)
    samples = loaded.take(loaded.label >= 0)
    parts = [np.flatnonzero(samples.split == k) for k in (TRAIN, VALIDATION, TEST)]
    if not len(parts[0]):
        raise SitsError(f"{store} has no labelled sample in its training split")
    if init is None:
        stats = statistics(store)
        series = make_series(samples.reflectance, samples.doy, stats.mean, stats.std, device)
    else:
        series = _series(samples, init, device)
    model = _start(samples, series, init, settings.seed, model_settings)
    all_weights(model)
    model.to(device)
    size = min(settings.batch_size, len(parts[0]))
    task = ClassifyTask(
        series,
        samples.label,
        parts[0],
        ClassifySettings(updates=len(parts[0]) // size, batch_size=size, seed=settings.seed),
        parts[1] if len(parts[1]) else None,
    )
    recipe = settings.recipe.plan(
        epochs=settings.epochs,
        seed=settings.seed,
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
