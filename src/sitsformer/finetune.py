"""Fine-tuning: few-shot cells of the sweep.

A cell is one draw of labels; the cells of one job share a process and the samples in memory. How
the network learns from a draw is an adaptation (`fewshot/adaptations/`). Every init gets the same;
settings, such as the learning rate, are chosen on the validation samples of the draw, whose number
the shots limit too, and the choice is recorded. Test samples are only predicted.

What unlabelled reflectances decide: band statistics come from the pretrained model, or without one
from the training split.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from sitsformer import config, fewshot
from sitsformer.errors import SitsError
from sitsformer.fewshot import TEST, TRAIN, Cell, Draw, Learner, validation_score
from sitsformer.fewshot.adaptations import Adaptation, Choice, adaptations
from sitsformer.fewshot.kept import EVERY, Kept
from sitsformer.fewshot.moments import Moments
from sitsformer.fewshot.nearby import Around, around_of
from sitsformer.fewshot.refine import LEAST_SPREAD, NEARBY, Batches, Pool, mixed, standardised
from sitsformer.fewshot.space import MOST, Space, whitening
from sitsformer.model import SITSFormer
from sitsformer.model.prediction import embedding_batches, embeddings, probabilities
from sitsformer.model.steps import Change, Series
from sitsformer.modelstore import load_model
from sitsformer.registry import find
from sitsformer.samples import Samples
from sitsformer.sampleseries import fitting, series_for, series_of
from sitsformer.training.augment import draw_changes
from sitsformer.training.classification import ClassifyTask
from sitsformer.training.loop import fit

logger = logging.getLogger("sitsformer")

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PREDICT_BATCH = 512
"""Samples a batch of prediction; activations of the default network then take some 200 MB."""


_Encoder: TypeAlias = tuple[str, int | None]


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
    device: torch.device | str = "cpu",
    kept: Kept | None = None,
    with_model: bool = True,
    series: Series | None = None,
) -> tuple[list[Cell], SITSFormer | None]:
    """Fine-tune and test the cells of one job.

    Args:
        samples: all splits, with crop labels.
        init: a pretrained model artefact; None: random weights.
        learner: who is fine-tuned; its adaptation says how.
        shots: labelled samples a class.
        seeds: of the draws, one cell each.
        model_settings: shape of the network where there is no pretrained one.
        settings: section `fewshot` of the config.
        device: where networks run.
        kept: what an earlier try of this job has done; None: nothing is kept.
        with_model: whether the model of the first seed is asked for too.
        series: the samples, as a network of `init` reads them; None: made of their reflectance.

    Returns:
        The cells, and the model of the first seed.

    Raises:
        SitsError: nobody knows the adaptation, the pretrained model reads other bands or patches,
            a class has no sample, or a training fails.
    """
    adaptation = find(adaptations(), learner.adaptation, "adaptation")
    series = series or series_of(samples, init, device)
    job = Job(samples, series, init, model_settings, settings, kept)
    model: SITSFormer | None = None
    cells = []
    for seed in seeds:
        cell = None if kept is None else kept.cell(seed)
        wanted = with_model and model is None
        if cell is None or wanted:
            drawn, tuned = tune(job, adaptation, shots, seed)
            model = tuned.model if wanted else model
        if cell is None:
            cell = _cell(job, learner, shots, seed, drawn, tuned)
            if kept is not None:
                kept.keep(cell, samples.classes)
        cells.append(cell)
        right = float((cell.probabilities.argmax(1) == cell.truth).mean())
        logger.info("%s shots %s seed %d: accuracy %.3f", learner.name, shots, seed, right)
    return cells, None if model is None else model.cpu()


def _cell(
    job: Job, learner: Learner, shots: config.Shots, seed: int, drawn: Draw, tuned: Tuned
) -> Cell:
    """What a tuned network predicts, and how it was chosen."""
    samples = job.samples
    test = np.flatnonzero((samples.split == TEST) & (samples.label >= 0))
    found, refined = _predicted(job, tuned.model, drawn, seed)
    choice = {
        **tuned.choice,
        **refined,
        "validation_balanced_accuracy": tuned.score[0],
        "validation_log_likelihood": tuned.score[1],
        "train_samples": len(drawn.train),
        "validation_samples": len(drawn.validation),
    }
    truth = samples.label[test]
    return Cell(learner, shots, seed, samples.index[test], truth, found[test], choice)


@dataclass(frozen=True)
class Job:
    """What the cells of a job share, and what an adaptation works with.

    Attributes:
        samples: all splits, with labels or without; draws are positions in them.
        series: the same samples as the network reads them.
        init: a pretrained model artefact; None: random weights.
        model_settings: shape of the network where there is no pretrained one.
        settings: section `fewshot` of the config.
        kept: where trainings are saved, to go on from there; None: nowhere.
    """

    samples: Samples
    series: Series
    init: Path | None
    model_settings: config.Model
    settings: config.FewShot
    kept: Kept | None = None
    spaces: dict[_Encoder, Space] = field(default_factory=dict)
    """Of an encoder that has not moved: one at a time, as the others here."""
    known: dict[tuple[_Encoder, bytes], Floats] = field(default_factory=dict)
    pools: dict[_Encoder, Pool] = field(default_factory=dict)

    def space(self, model: SITSFormer, seed: int) -> Space:
        """What the features of a probe are made with, of the training split without its labels.

        Tries of a draw share it, and so do draws where the encoder is a pretrained one. The
        encodings themselves, which may be half as large as the samples, are not kept.

        Args:
            model: of `start(seed)`, whose encoder is as it started, on whichever pooling.
            seed: it.
        """
        key = self._encoder(model, seed)
        if key not in self.spaces:
            self.spaces.clear()
            training, moments = np.flatnonzero(self.samples.split == TRAIN), Moments(model.width)
            for _, found in embedding_batches(model, self.series, training, PREDICT_BATCH):
                moments.add(found)
            mean, std = moments.scale(LEAST_SPREAD)
            self.spaces[key] = Space(mean, std, self._whitening(model, training, mean, std))
        return self.spaces[key]

    def _whitening(self, model: SITSFormer, training: Ints, mean: Floats, std: Floats) -> Floats:
        """By some samples of the training split and their augmented copies; see `space.py`."""
        rng = np.random.default_rng(0)
        some = np.sort(rng.permutation(training)[:MOST])
        time, bands = self.series.doy.shape[1], self.series.mean.shape[0]
        strength = self.settings.augment.strength()
        change = draw_changes(self.series.lengths[some], time, bands, strength, rng)
        plain = self._standardised(model, some, mean, std)
        altered = None
        if change is not None:
            altered = self._standardised(model, some, mean, std, change)
        return whitening(plain, altered)

    def _standardised(
        self,
        model: SITSFormer,
        rows: Ints,
        mean: Floats,
        std: Floats,
        change: Change | None = None,
    ) -> npt.NDArray[np.float32]:
        out = np.empty((len(rows), model.width), np.float32)
        for part, found in embedding_batches(model, self.series, rows, PREDICT_BATCH, change):
            out[part] = (found - mean) / std
        return out

    def features(self, model: SITSFormer, seed: int, rows: Ints) -> Floats:
        """Features (row, feature) of some samples; see `space`."""
        key = self._encoder(model, seed), rows.tobytes()
        if key not in self.known:
            self.known.clear()
            found = np.empty((len(rows), model.width))
            for part, batch in self._in_batches(model, seed, rows):
                found[part] = batch
            self.known[key] = found
        return self.known[key]

    def _in_batches(
        self, model: SITSFormer, seed: int, rows: Ints
    ) -> Iterator[tuple[Ints, npt.NDArray[np.floating]]]:
        """Positions in `rows`, and features of these samples."""
        space = self.space(model, seed)
        for part, found in embedding_batches(model, self.series, rows, PREDICT_BATCH):
            yield part, space.features(found)

    def pool(self, model: SITSFormer, seed: int) -> Pool:
        """All samples as the refinements see them with a model; a frozen one shares neighbours."""
        key = self._encoder(model, seed)
        if model.frozen and key in self.pools:
            return self.pools[key]
        batches = partial(self._in_batches, model, seed) if model.frozen else self._moved(model)
        pool = Pool(len(self.samples), batches, self.land_cover, self.around)
        if model.frozen:
            self.pools.clear()
            self.pools[key] = pool
        return pool

    def weights(self, drawn: Draw) -> Floats | None:
        """(training sample,) how much each counts beside the others of its class; None: alike."""
        return fewshot.training_weights(self.samples.weight, self.samples.label, drawn.train)

    def _encoder(self, model: SITSFormer, seed: int) -> _Encoder:
        """What tells an encoder that has not moved from others of this job."""
        return model.architecture.pooling, seed if self.init is None else None

    def _moved(self, model: SITSFormer) -> Batches:
        """What a pool asks for, of an encoder that was trained; all samples are encoded once."""
        training = self.samples.split == TRAIN

        @cache
        def every() -> npt.NDArray[np.float32]:
            return embeddings(model, self.series, np.arange(len(training)), PREDICT_BATCH)

        return lambda rows: standardised(every(), training, rows)

    @cached_property
    def land_cover(self) -> npt.NDArray[np.float32] | None:
        """(sample, land cover) probabilities by the pretrained model, if it knows any."""
        if self.init is None:
            return None
        return land_cover(self.init, self.samples, self.series.values.device, self.series)

    @cached_property
    def around(self) -> Around | None:
        """Who is near whom on the ground, where predictions may be weighed by that."""
        return around_of(self.samples) if NEARBY in self.settings.refine else None

    def start(self, seed: int) -> SITSFormer:
        """The network as it starts, with a new classifier; all that is random is of the seed."""
        return start_network(self.samples, self.series, self.init, seed, self.model_settings)

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
            weight=self.weights(drawn),
        )
        plan = s.recipe.plan(learning_rate=rate, seed=seed, checkpoint_every=EVERY)
        place = None
        if self.kept is not None:
            place = self.kept.training(model, plan, {"drawn": drawn.train.tolist()})
        fit(model, task, plan, checkpoint=place)
        return model.eval()


def _predicted(
    job: Job, model: SITSFormer, drawn: Draw, seed: int
) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
    """Probabilities (sample, class) of all samples, and what a cell says of their refinement.

    Without refinements those of the test split alone are computed; the others are NaN.
    """
    refine = job.settings.refine
    everything = np.arange(len(job.samples))
    wanted = everything if refine else np.flatnonzero(job.samples.split == TEST)
    found = np.full((len(everything), len(job.samples.classes)), np.nan, np.float32)
    found[wanted] = probabilities(model, job.series, wanted, PREDICT_BATCH)
    if not refine:
        return found, {}
    better = mixed(found, job.samples.label, drawn, job.pool(model, seed), refine)
    return better.probabilities.astype(np.float32), better.record


def tune(job: Job, adaptation: Adaptation, shots: config.Shots, seed: int) -> tuple[Draw, Tuned]:
    """Draw, learn with each of the settings to try, keep the best on validation.

    Args:
        job: what is learned from.
        adaptation: how.
        shots: labelled samples a class.
        seed: of the draw, and of all that is random.
    """
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


def start_network(
    samples: Samples, series: Series, init: Path | None, seed: int, model_settings: config.Model
) -> SITSFormer:
    """The network before fine-tuning, where the series are: all that is random is of the seed."""
    torch.manual_seed(seed)
    bands, patch = samples.reflectance.shape[2], samples.reflectance.shape[3]
    if init is None:
        model = SITSFormer(
            model_settings.architecture(bands=bands, patch=patch),
            series.mean.cpu().numpy(),
            series.std.cpu().numpy(),
            samples.bands,
            sensor=samples.sensor.name,
        )
    else:
        model = load_model(init, bands=samples.bands, patch=patch, sensor=samples.sensor)
    model.new_classifier(len(samples.classes), samples.classes.names)
    return model.to(series.values.device)


def land_cover(
    init: Path,
    samples: Samples,
    device: torch.device | str = "cpu",
    series: Series | None = None,
) -> npt.NDArray[np.float32] | None:
    """Land cover of samples by a pretrained model.

    Args:
        init: its artefact.
        samples: of the bands and the patch that it reads.
        device: where the model runs.
        series: the samples there, normalised by the model's statistics; None: made here.

    Returns:
        (sample, land cover) probabilities; None where the model does not classify.
    """
    model = fitting(init, samples, str(device))
    if model.classifier is None:
        return None
    everything = np.arange(len(samples))
    series = series or series_for(model, samples, device)
    return probabilities(model, series, everything, PREDICT_BATCH)
