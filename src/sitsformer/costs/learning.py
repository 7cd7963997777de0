"""Jobs that learn: pretraining, cells of the sweep, the model of the maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from sitsformer.config import Config, Shots
from sitsformer.config.compute import NetworkStage
from sitsformer.config.learners import controlled
from sitsformer.costs import rates
from sitsformer.costs.job import Job
from sitsformer.costs.sizes import Store, store
from sitsformer.costs.work import Network, network
from sitsformer.decisive import in_steps
from sitsformer.embeddings import members
from sitsformer.fewshot import NETWORK, Learner
from sitsformer.fewshot.adaptations import Adaptation, adaptations
from sitsformer.fewshot.adaptations.sits_former import SITS_FORMER
from sitsformer.fewshot.refine import LAND_COVER, NEARBY, SMOOTHING
from sitsformer.paths import Paths
from sitsformer.training.objectives import SCRATCH, published

TRAINING = 3
"""A training step computes forward and, twice that, backward."""
FROM_PROBE = ("auto", "blend", "lp_ft", "probe")
"""Adaptations that look at all samples of the store before they learn."""
SEASONS = 12
"""Vectors of the encoder's width that a probe reads of a sample (`model/pooling.py`)."""
WHITENED = 4000
"""Samples, with an augmented copy of each, that say what varies within a class
(`fewshot/space.py`)."""
DIRECTED = 20_000
"""Samples whose features say in which directions neighbours are sought (`fewshot/refine.py`)."""


def pretrain(paths: Paths) -> Job:
    """A pretraining run; objectives take about as long as each other."""
    config = paths.config
    section = config.pretrain
    found = store(paths, section.set)
    shape = network(config, found.steps, found.bands)
    train, validation = found.part("train"), found.part("validation")
    learned = section.epochs * TRAINING * train * shape.operations
    looked = section.epochs * validation * shape.operations
    held = found.bytes * rates.HELD_PRETRAIN
    if section.loader == "stream":
        held = min(found.bytes, rates.WINDOWS)
    memory = rates.TORCH.memory + rates.PREDICT_MB + held / 1e6
    if config.compute.device_of("pretrain") != "cuda":
        batch = max(1, min(section.batch_size, train // section.accumulate))
        memory += _activations(shape, config, batch)
    updates = section.epochs * max(1, train // section.batch_size)
    job = _job(config, "pretrain", updates, learned, looked, memory)
    size = rates.model_mb(shape.hidden, config.model.layers)
    return _leaving(job, 4 * size, rates.MODEL_FILES)  # its checkpoint holds three times as much


def cells(paths: Paths, learner: Learner, shots: Shots, seeds: int) -> Job:
    """The cells of a network, or its model (`crop_model`): so many draws."""
    return _tuned(paths, "fewshot", learner, shots, seeds)


def crop_model(paths: Paths) -> Job:
    """The model of the maps; of several who may draw them, as much as the dearest takes."""
    shots = paths.config.maps.shots
    jobs = [
        _tuned(paths, "crop_model", one, shots, 1)
        if one.method == NETWORK
        else baseline(paths, one, shots, 1, fitted_alone=True)
        for one in paths.map_learners()
    ]
    dearest = max(jobs, key=lambda one: math.inf if one.seconds is None else one.seconds)
    job = replace(dearest, memory=max(one.memory for one in jobs))
    model = paths.config.model
    return _leaving(job, rates.model_mb(model.hidden, model.layers), rates.MODEL_FILES)


def baseline(
    paths: Paths, learner: Learner, shots: Shots, seeds: int, *, fitted_alone: bool = False
) -> Job:
    """The cells of a baseline, or its model, which is fitted and tests no sample.

    Cells that are made of fits are refined alone.
    """
    config = paths.config
    found = store(paths, config.fewshot.set)
    if fitted_alone:
        looked = found.classes * min(config.fewshot.validation, _drawn(found, shots))
        return _baseline(paths, learner, shots, seeds, looked, ())
    refine = config.fewshot.refine
    looked = found.samples if refine else found.part("test")
    fitted = learner.method not in controlled(config)
    return _baseline(paths, learner, shots, seeds, looked if fitted else None, refine)


def fits(paths: Paths, method: str, shots: Shots, seeds: int) -> Job:
    """The fits of a baseline for itself and its controls."""
    found = store(paths, paths.config.fewshot.set)
    job = _baseline(paths, Learner(method), shots, seeds, found.samples, ())
    size = found.samples * found.classes * rates.FIT_VALUE / 1e6
    return _leaving(job, seeds * size, rates.FIT_FILES + 2 * seeds)


def _baseline(
    paths: Paths,
    learner: Learner,
    shots: Shots,
    seeds: int,
    looked: int | None,
    refine: Sequence[str],
) -> Job:
    """A job of a baseline.

    Args:
        paths: of the config.
        learner: who.
        shots: training samples a class.
        seeds: how many draws.
        looked: samples that it predicts; None: it fits nothing, its fits are there.
        refine: what it refines predictions by.
    """
    config = paths.config
    found = store(paths, config.fewshot.set)
    drawn, test = _drawn(found, shots), found.part("test")
    rate, fitted = _rate(config, learner.method), looked is not None
    if looked is None:
        rate, looked = rates.Fitted(0.0, 0.0), 0
    seconds = found.bytes / rates.READ_BYTES
    steps = config.fewshot.steps_for(drawn) if fitted and in_steps(config, learner) else 0
    each = rate.drawn * drawn + rate.predicted * looked + rate.step * steps
    seconds += seeds * (each + _smoothed(refine, found)) + _placed(refine, found)
    knows = learner.control or learner.joins
    start = rates.TORCH if steps or knows else rates.LEARNER
    held = _held_by_baseline(found, steps > 0, knows, SMOOTHING in refine)
    predicting = rates.PREDICT_MB if steps or knows else 0
    memory = start.memory + predicting + held / 1e6 + _near(refine, found)
    operations = 0.0
    if knows:
        shape = network(config, found.steps, found.bands)
        operations = found.samples * shape.operations
        if learner.joins:
            features = 8 * drawn + 4 * (SMOOTHING in refine) * min(DIRECTED, found.samples)
            memory += shape.hidden * SEASONS * features * rates.HELD_FEATURES / 1e6
    size = seeds * test * rates.CELL_ROW * found.classes / 1e6
    seconds += start.seconds
    gpu = config.compute.device_of("baseline") == "cuda" and (steps > 0 or knows)
    known: float | None = seconds + operations / rates.predicting(config.model.hidden)
    if gpu:
        known = _baseline_on_gpu(
            config, seconds - seeds * rate.step * steps, seeds * steps, operations
        )
    return Job(known, memory, size, rates.CELL_FILES, gpu, operations)


def _rate(config: Config, method: str) -> rates.Fitted:
    member = members(config.embeddings).get(method)
    if member is not None:
        return rates.EMBEDDED[member.kind.name]
    return rates.BASELINES.get(method, rates.SLOWEST)


def _held_by_baseline(found: Store, trained: bool, knows: bool, smooths: bool) -> float:
    """Bytes that a baseline holds of the samples.

    Args:
        found: the store.
        trained: whether it is a network.
        knows: whether a pretrained one reads the samples first.
        smooths: whether it seeks neighbours among features of all of them.
    """
    series, read = found.samples * found.steps * rates.HELD_SERIES, found.bytes * rates.HELD_CELL
    if found.patch == 1:
        return found.bytes * rates.HELD_PATCHES + series
    pixels = found.samples * found.steps * found.bands * rates.HELD_PIXELS + series
    if trained:
        return read + (pixels if smooths else 0.0)
    return max(pixels, read if knows else 0.0)


def _near(refine: Sequence[str], found: Store) -> float:
    """MB of what smoothing holds of every sample."""
    return found.samples * rates.HELD_NEAR / 1e6 if SMOOTHING in refine else 0.0


def in_updates(adaptation: Adaptation) -> bool:
    """Whether an adaptation trains step by step, by the recipe of the config or one of its own."""
    return adaptation.gradient or adaptation.name == SITS_FORMER.name


def _baseline_on_gpu(config: Config, more: float, steps: int, looked: float) -> float | None:
    """Seconds of a baseline that is a network, or knows land cover by one."""
    if steps and rates.GPU.baselines is None:
        return None
    found = rates.on_gpu(config.model.hidden, 0, 0, looked)
    return None if found is None else more + steps * (rates.GPU.baselines or 0.0) + found


def _tuned(paths: Paths, stage: NetworkStage, learner: Learner, shots: Shots, seeds: int) -> Job:
    config = paths.config
    section = config.fewshot
    found = store(paths, section.set)
    shape = network(config, found.steps, found.bands)
    drawn, test = _drawn(found, shots), found.part("test")
    adaptation = adaptations()[learner.adaptation]
    tries = len(adaptation.candidates(section))
    scratch = learner.init == SCRATCH.name
    once = 1 if adaptation.name in FROM_PROBE or not in_updates(adaptation) else 0
    learned, updates = 0.0, 0
    if adaptation.name == SITS_FORMER.name:
        epochs = published.EPOCHS_FROM_SCRATCH if scratch else published.EPOCHS
        updates = epochs * -(-drawn // published.BATCH)
        learned = epochs * drawn * TRAINING * shape.operations
        # Each epoch is scored on the validation samples.
        learned += epochs * found.classes * min(section.validation, drawn) * shape.operations
    elif adaptation.gradient:
        updates = tries * section.steps_for(drawn)
        share = rates.LEARNED_SHARE.get(adaptation.name, 1.0)
        batch = min(section.batch_size, drawn)
        learned = updates * batch * TRAINING * share * shape.operations
    chosen = found.classes * min(section.validation, drawn)
    # The model of the maps tests no sample; of the refinements it can have land cover alone.
    refine = section.refine if stage == "fewshot" else ()
    looked = tries * chosen + (test if stage == "fewshot" else 0)
    if refine or LAND_COVER in section.refine:
        looked += (2 if refine else 1) * found.samples
    operations = seeds * looked * shape.operations
    encoders = once * (seeds if scratch else 1)
    whitened = min(WHITENED, found.part("train"))
    operations += encoders * (found.samples + 2 * whitened) * shape.operations
    memory = rates.TORCH.memory + found.bytes * rates.HELD_CELL / 1e6
    memory += max(_activations(shape, config, section.batch_size), rates.PREDICT_MB)
    width = shape.hidden * SEASONS
    features = once * drawn * 8
    if SMOOTHING in refine:
        # Of an encoder that has moved those of all samples are held, of others those of some.
        features += once * 4 * found.samples if adaptation.gradient else 0
        features += once * 4 * min(DIRECTED, found.samples)
    memory += width * features * rates.HELD_FEATURES / 1e6 + _near(refine, found)
    memory += once * whitened * width * 4 * rates.HELD_WHITENING / 1e6
    more = found.bytes / rates.READ_BYTES + seeds * _smoothed(refine, found)
    more += _placed(refine, found)
    more += encoders * whitened * width * rates.WHITENING
    job = _job(config, stage, seeds * updates, seeds * learned, operations, memory, more)
    return _leaving(job, seeds * test * rates.CELL_ROW * found.classes / 1e6, rates.CELL_FILES)


def _job(
    config: Config,
    stage: NetworkStage,
    updates: int,
    learned: float,
    looked: float,
    memory: float,
    more: float = 0.0,
) -> Job:
    """A job of a network: its steps, operations of training and prediction, seconds beside them."""
    hidden = config.model.hidden
    if config.compute.device_of(stage) == "cuda":
        recorded = stage == "pretrain" and config.pretrain.graphs
        found = rates.on_gpu(hidden, updates, learned, looked, recorded)
        seconds = None if found is None else rates.TORCH.seconds + more + found
        return Job(seconds, memory, gpu=True, operations=learned + looked)
    rate = rates.pretraining(hidden) if stage == "pretrain" else rates.tuning(hidden)
    spent = learned / rate + looked / rates.predicting(hidden)
    return Job(rates.TORCH.seconds + more + spent, memory)


def _leaving(job: Job, disk: float, files: int) -> Job:
    return Job(job.seconds, job.memory, disk, files, job.gpu, job.operations)


def _drawn(found: Store, shots: Shots) -> int:
    """Training samples of a draw."""
    every = found.part("train")
    return every if shots == "all" else min(every, shots * found.classes)


def _smoothed(refine: Sequence[str], found: Store) -> float:
    """Seconds that neighbours take to find, for each draw."""
    return found.samples**2 * rates.NEIGHBOUR_PAIR if SMOOTHING in refine else 0.0


def _placed(refine: Sequence[str], found: Store) -> float:
    """Seconds that the nearest on the ground take to find, for all draws of a job."""
    return found.samples * rates.PLACED if NEARBY in refine else 0.0


def _activations(shape: Network, config: Config, batch: int) -> float:
    """MB of what a training step keeps for its backward pass."""
    layers, convolved = config.model.layers, config.model.embedding == "conv3d"
    values = rates.KEPT_WIDTH * layers * shape.hidden
    values += rates.KEPT_HEAD * layers * config.model.heads * shape.steps
    values += rates.KEPT_CONVOLVED * convolved
    return batch * shape.steps * values * 4 / 1e6
