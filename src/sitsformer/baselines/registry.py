"""Methods without pretraining: what pretraining has to beat, on the same draws of labels.

A baseline is a `Baseline`: the settings to try, and a function that fits one of them. To add one,
write a module with a dictionary `BASELINES` (name -> Baseline), and either put it into this package
and its names into `MODULES`, or name the file in the config:

    fewshot:
      baselines: [random_forest, mine]
      options: {mine: {file: path/to/mine.py}}

A name with the option `features` is a logistic regression on the features of that file
(`frozen.py`). Everything else is shared: draws, choice of settings on validation
samples, the table of cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer import fewshot
from sitsformer.baselines.baseline import Baseline, Choice, Predict, Task
from sitsformer.baselines.series import PixelSeries
from sitsformer.config import FewShot, Shots, expand
from sitsformer.errors import SitsError
from sitsformer.samples import Samples

MODULES = {
    "random_forest": "trees",
    "gradient_boosting": "trees",
    "logistic_regression": "linear",
    "nearest_centroid": "neighbours",
    "nearest_neighbour": "neighbours",
    "temporal_cnn": "networks",
    "ltae": "networks",
}
"""Name -> module of this package that holds it."""


def get(name: str, options: Mapping[str, Any] | None = None) -> Baseline:
    """The baseline of a name.

    Raises:
        SitsError: nobody knows the name, or the user's file does not hold it.
    """
    options = options or {}
    if "features" in options:
        from sitsformer.baselines import frozen

        return frozen.baseline(expand(options["features"]))
    file = options.get("file")
    if file is None and name not in MODULES:
        raise SitsError(
            f"unknown baseline {name!r}; known are {', '.join(sorted(MODULES))}. For one of your "
            f"own, name its file (fewshot.options.{name}.file) or its features "
            f"(fewshot.options.{name}.features)"
        )
    module = (
        import_module(f"sitsformer.baselines.{MODULES[name]}")
        if file is None
        else _user_module(expand(file))
    )
    found = getattr(module, "BASELINES", {}).get(name)
    if not isinstance(found, Baseline):
        raise SitsError(f"{module.__file__} has no baseline {name!r} in its BASELINES")
    return found


def _user_module(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SitsError(f"{path}: no Python file there (fewshot.options.*.file)")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(
    samples: Samples, name: str, shots: Shots, seeds: Sequence[int], settings: FewShot
) -> list[fewshot.Cell]:
    """Fit a baseline for some seeds and predict the test split.

    For each seed every candidate is fitted to the drawn training samples and scored on the drawn
    validation samples; the best one predicts. Test samples are looked at once, at the end.

    Args:
        samples: all three splits.
        name: of the baseline.
        shots: training samples a class.
        seeds: of the draws.
        settings: the few-shot section of the config.
    """
    options = settings.options.get(name, {})
    baseline = get(name, options)
    series = PixelSeries.of(samples)
    everything = series.take(np.flatnonzero(samples.split == fewshot.TRAIN))
    test = np.flatnonzero((samples.split == fewshot.TEST) & (samples.label >= 0))
    cells = []
    for seed in seeds:
        draw = fewshot.draw_shots(samples.label, samples.split, shots, seed, settings.validation)
        task = Task(
            train=series.take(draw.train),
            label=samples.label[draw.train],
            unlabelled=everything,
            classes=len(samples.classes.names),
            seed=seed,
            settings=settings,
            options=options,
        )
        predict, choice = _choose(
            baseline, task, series.take(draw.validation), samples.label[draw.validation]
        )
        cells.append(
            fewshot.Cell(
                fewshot.Learner(name),
                shots,
                seed,
                samples.index[test],
                samples.label[test],
                np.asarray(predict(series.take(test)), np.float32),
                {**choice, "train": len(draw.train), "validation": len(draw.validation)},
            )
        )
    return cells


def _choose(
    baseline: Baseline, task: Task, validation: PixelSeries, label: npt.NDArray[np.int64]
) -> tuple[Predict, dict[str, Any]]:
    """Fit every candidate; the first of the best ones on validation wins."""
    tried: list[tuple[tuple[float, float], Predict, Choice]] = []
    for choice in baseline.candidates(task):
        predict = baseline.fit(task, choice)
        probabilities = np.asarray(predict(validation), np.float64)
        tried.append((fewshot.validation_score(label, probabilities), predict, choice))
    score, predict, choice = max(tried, key=lambda item: item[0])
    return predict, {
        "chosen": dict(choice),
        "tried": len(tried),
        "validation_accuracy": round(score[0], 6),
        "validation_log_likelihood": round(score[1], 6),
    }
