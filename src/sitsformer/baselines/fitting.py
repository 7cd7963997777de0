"""Fitting a baseline to draws of labels: what all baselines share.

A baseline is a `Baseline`: the settings to try, and a function that fits one of them. Those of the
package are found by themselves; one of the user's is in a file that the config names:

    fewshot:
      baselines: [random_forest, mine]
      options: {mine: {file: path/to/mine.py}}

with a dictionary `BASELINES` (name -> Baseline). A name with the option `features` is a logistic
regression on the features of that file (`features.py`). Draws, choice of settings on validation
samples and the table of cells are the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sitsformer import fewshot
from sitsformer.baselines import features, own
from sitsformer.baselines.baseline import (
    Baseline,
    Choice,
    Predict,
    ShippedBaseline,
    Task,
    shipped,
    unknown_baseline,
)
from sitsformer.baselines.series import PixelSeries
from sitsformer.config import expand
from sitsformer.errors import SitsError
from sitsformer.fewshot.nearby import around_of
from sitsformer.fewshot.refine import NEARBY, Pool, mixed, standardised
from sitsformer.fewshot.vectors import Rows

if TYPE_CHECKING:
    from sitsformer.config import FewShot, Shots
    from sitsformer.fewshot.kept import Kept
    from sitsformer.samples import Samples


def get(name: str, options: Mapping[str, Any] | None = None) -> Baseline:
    """The baseline of a name.

    Raises:
        SitsError: nobody knows the name, or the user's file does not hold it.
    """
    options = options or {}
    if "features" in options:
        return features.baseline(expand(options["features"]))
    if "file" in options:
        return own.baseline(expand(options["file"]), name)
    if name not in shipped():
        raise SitsError(unknown_baseline(name))
    return shipped()[name]


def run(
    samples: Samples,
    learner: fewshot.Learner,
    shots: Shots,
    seeds: Sequence[int],
    settings: FewShot,
    land_cover: npt.NDArray[np.float32] | None = None,
    device: str = "cpu",
    kept: Kept | None = None,
    baseline: Baseline | None = None,
    store: Path | None = None,
    fit_of: Callable[[int], fewshot.Fit] | None = None,
) -> list[fewshot.Cell]:
    """Fit a baseline for some seeds and predict the test split.

    For each seed every candidate is fitted to the drawn training samples and scored on the drawn
    validation samples; the best one predicts. Test samples are looked at once, at the end.

    Args:
        samples: all three splits.
        learner: its method is the name of the baseline.
        shots: training samples a class.
        seeds: of the draws.
        settings: the few-shot section of the config.
        land_cover: (sample, land cover) probabilities by a pretrained model, for a control.
        device: where baselines that are networks run, `cpu` or `cuda`.
        kept: what an earlier try of this job has done; None: nothing is kept.
        baseline: what to fit, where it is not known by its name.
        store: where the reflectance of the samples is read when it is asked for; None: they hold
            it.
        fit_of: what the baseline predicts by its fit of a seed; None: it is fitted here.
    """
    options = settings.options.get(learner.method, {})
    baseline = baseline or get(learner.method, options)
    series = PixelSeries.of(samples, device, path=store)
    space = partial(_space, baseline, series, samples.split == fewshot.TRAIN)
    around = around_of(samples) if NEARBY in settings.refine else None
    pool = Pool(len(samples), space, land_cover, around)
    fit_of = fit_of or partial(
        _fit,
        *(samples, series, _unlabelled(samples, series), learner.method, baseline),
        *(shots, settings, kept, bool(settings.refine)),
    )
    cells = []
    for seed in seeds:
        cell = None if kept is None else kept.cell(seed)
        if cell is None:
            cell = _cell(samples, learner, shots, fit_of(seed), settings, pool)
            if kept is not None:
                kept.keep(cell, samples.classes)
        cells.append(cell)
    return cells


def fits(
    samples: Samples,
    method: str,
    shots: Shots,
    seeds: Sequence[int],
    settings: FewShot,
    device: str = "cpu",
    kept: Kept | None = None,
    store: Path | None = None,
) -> Iterator[fewshot.Fit]:
    """What a baseline predicts of all samples before refinements, for some seeds.

    Arguments as of `run`.
    """
    baseline = get(method, settings.options.get(method, {}))
    series = PixelSeries.of(samples, device, path=store)
    shared = samples, series, _unlabelled(samples, series), method, baseline
    for seed in seeds:
        fit = None if kept is None else kept.fit(seed)
        if fit is None:
            fit = _fit(*shared, shots, settings, kept, True, seed)
            if kept is not None:
                kept.keep_fit(fit)
        yield fit


def _fit(
    samples: Samples,
    series: PixelSeries,
    unlabelled: PixelSeries,
    method: str,
    baseline: Baseline,
    shots: Shots,
    settings: FewShot,
    kept: Kept | None,
    everything: bool,
    seed: int,
) -> fewshot.Fit:
    """Fit a baseline to the draw of one seed, and predict.

    Args:
        samples: all three splits.
        series: as the baseline reads them.
        unlabelled: those of the training split, whose labels are not looked at.
        method: name of the baseline.
        baseline: it.
        shots: training samples a class.
        settings: the few-shot section of the config.
        kept: where trainings in steps are saved; None: nowhere.
        everything: whether all samples are predicted, or those of a cell alone.
        seed: of the draw, and of everything random.
    """
    options = settings.options.get(method, {})
    if isinstance(baseline, ShippedBaseline):
        options = {key: option.default for key, option in baseline.options.items()} | options
    draw = fewshot.draw_shots(samples.label, samples.split, shots, seed, settings.validation)
    task = Task(
        train=series.take(draw.train),
        label=samples.label[draw.train],
        unlabelled=unlabelled,
        classes=len(samples.classes),
        seed=seed,
        settings=settings,
        options=options,
        kept=kept,
        weight=fewshot.training_weights(samples.weight, samples.label, draw.train),
    )
    predict, choice = choose(
        method, baseline, task, series.take(draw.validation), samples.label[draw.validation]
    )
    test = _tested(samples)
    beside = {} if baseline.beside is None else baseline.beside(series.take(test))
    wanted = np.arange(len(samples)) if everything else test
    found = np.full((len(samples), task.classes), np.nan)
    found[wanted] = predicted(method, predict, series.take(wanted), task.classes)
    said = {**choice, **beside, "train": len(draw.train), "validation": len(draw.validation)}
    return fewshot.Fit(seed, found, said)


def _unlabelled(samples: Samples, series: PixelSeries) -> PixelSeries:
    """Series of the training split, which the draws of a job share."""
    return series.take(np.flatnonzero(samples.split == fewshot.TRAIN))


def _tested(samples: Samples) -> npt.NDArray[np.int64]:
    """Positions of the samples that a cell is of."""
    return np.flatnonzero((samples.split == fewshot.TEST) & (samples.label >= 0))


def _cell(
    samples: Samples,
    learner: fewshot.Learner,
    shots: Shots,
    fit: fewshot.Fit,
    settings: FewShot,
    pool: Pool,
) -> fewshot.Cell:
    """What a fit predicts, refined.

    Args:
        samples: all three splits.
        learner: whose cell it is.
        shots: training samples a class.
        fit: of its baseline to the draw of a seed.
        settings: the few-shot section of the config.
        pool: the samples as refinements see them.
    """
    found, choice = fit.probabilities, fit.choice
    if settings.refine:
        draw = fewshot.draw_shots(
            samples.label, samples.split, shots, fit.seed, settings.validation
        )
        refined = mixed(found, samples.label, draw, pool, settings.refine)
        found, choice = np.asarray(refined.probabilities), {**choice, **refined.record}
    test = _tested(samples)
    return fewshot.Cell(
        learner,
        shots,
        fit.seed,
        samples.index[test],
        samples.label[test],
        found[test].astype(np.float32),
        choice,
    )


def _space(
    baseline: Baseline,
    series: PixelSeries,
    training: npt.NDArray[np.bool_],
    rows: npt.NDArray[np.int64],
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
    """Standardised features of some samples, of the view that smooths the most noise."""
    space = baseline.space
    features: Rows = series.features(series.views[-1]) if space is None else space(series)
    return standardised(features, training, rows)


def choose(
    name: str,
    baseline: Baseline,
    task: Task,
    validation: PixelSeries,
    label: npt.NDArray[np.int64],
) -> tuple[Predict, dict[str, Any]]:
    """Fit every candidate; the first of the best ones on validation wins."""
    tried: list[tuple[tuple[float, float], Predict, Choice]] = []
    for choice in baseline.candidates(task):
        predict = baseline.fit(task, choice)
        probabilities = predicted(name, predict, validation, task.classes)
        tried.append((fewshot.validation_score(label, probabilities), predict, choice))
    if not tried:
        raise SitsError(f"baseline {name!r} has no settings to try; give it one")
    score, predict, choice = max(tried, key=lambda item: item[0])
    return predict, {
        "chosen": dict(choice),
        "tried": len(tried),
        "validation_accuracy": round(score[0], 6),
        "validation_log_likelihood": round(score[1], 6),
    }


def predicted(
    name: str, predict: Predict, series: PixelSeries, classes: int
) -> npt.NDArray[np.float64]:
    """(sample, class) probabilities of samples, refused where they are none."""
    found = np.asarray(predict(series))
    wanted = (len(series), classes)
    asked = f"baseline {name!r}: asked for probabilities (sample, class) of the shape {wanted}"
    if found.shape != wanted or found.dtype.kind not in "fiub":
        raise SitsError(f"{asked}; it gave {found.dtype} {found.shape}")
    probabilities: npt.NDArray[np.float64] = found.astype(np.float64)
    if not (np.isfinite(probabilities).all() and (probabilities >= 0).all()):
        raise SitsError(f"{asked}; some of what it gave are negative or not finite")
    if len(probabilities) and np.abs(probabilities.sum(1) - 1).max() > 1e-3:
        raise SitsError(f"{asked}; the rows of what it gave do not sum to 1")
    return probabilities
