"""Baselines that are kept, to predict samples that are yet to come: the pixels of maps.

Nothing is pickled. A network keeps its weights, a forest its trees (`Keeping`). Any other baseline
keeps the series that it was fitted to, and is fitted to them again when it is read, with the same
settings and seed: the same predictions, whatever the method, at the price of the fit a job of maps.

Shapes: N samples kept, T acquisitions (padded), C bands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sitsformer import fewshot
from sitsformer.baselines.baseline import Predict, ShippedBaseline, Task, shipped
from sitsformer.baselines.fitting import choose, predicted
from sitsformer.baselines.series import Calendar, PixelSeries
from sitsformer.classes import Classes
from sitsformer.config import FewShot
from sitsformer.errors import SitsError
from sitsformer.registry import find
from sitsformer.samples import BandStatistics, Samples, load_samples, statistics, statistics_of
from sitsformer.sensors import Sensor, recorded

if TYPE_CHECKING:
    from sitsformer.fewshot.kept import Kept

FILE = "fitted.safetensors"

UNLABELLED = 5_000
"""Samples of the training split that features are scaled by at most, evenly over all."""


@dataclass(frozen=True)
class Fitted:
    """A baseline fitted to a draw.

    Attributes:
        about: name, settings and seed as JSON values, for `load`.
        statistics: of the bands.
        arrays: to keep.
        predict: series -> probabilities.
        series: the samples of the store.
        choice: what validation chose, and its score.
    """

    about: Mapping[str, Any]
    statistics: BandStatistics
    arrays: Mapping[str, npt.NDArray[Any]]
    predict: Predict
    series: PixelSeries
    choice: Mapping[str, Any]


def fit(
    samples: Samples,
    name: str,
    drawn: fewshot.Draw,
    seed: int,
    settings: FewShot,
    device: str = "cpu",
    kept: Kept | None = None,
    patches: Path | None = None,
) -> Fitted:
    """Fit a baseline of the package to a draw, with the settings that its validation prefers.

    Args:
        samples: of a store.
        name: of the baseline.
        drawn: positions in them.
        seed: of everything random.
        settings: the few-shot section of the config.
        device: where one that is a network runs.
        kept: where its training is kept, to go on from there; None: nowhere.
        patches: store that their reflectance is read from, when it is asked for; None: they hold
            it.
    """
    record = find(shipped(), name, "baseline")
    options = {key: option.default for key, option in record.options.items()}
    options |= settings.options.get(name, {})
    series = PixelSeries.of(samples, device, path=patches)
    training = np.flatnonzero(samples.split == fewshot.TRAIN)
    some = training[np.unique(np.linspace(0, len(training) - 1, UNLABELLED).astype(np.int64))]
    classes = len(samples.classes)
    arrays: dict[str, npt.NDArray[Any]] = {}
    weight = fewshot.training_weights(samples.weight, samples.label, drawn.train)
    if record.network is None and record.keeping is None:
        arrays = _kept(samples, patches, drawn.train, some, weight)
        task = _task(
            arrays, series.calendar, samples.bands, samples.sensor, classes, seed, settings, options
        )
    else:
        task = Task(
            train=series.take(drawn.train), label=samples.label[drawn.train],
            unlabelled=series.take(some), classes=classes, seed=seed, settings=settings,
            options=options, weight=weight, kept=kept,
        )  # fmt: skip
    validation = series.take(drawn.validation)
    predict, choice = choose(name, record, task, validation, samples.label[drawn.validation])
    if record.keeping is not None:
        arrays = dict(record.keeping.arrays(predict))
    elif record.network is not None:
        state = predict.network.state_dict()  # type: ignore[attr-defined]
        arrays = {key: value.cpu().numpy() for key, value in state.items()}
    calendar = {**asdict(series.calendar), "grid": series.calendar.grid.tolist()}
    about = {
        "method": name, "title": record.title, "choice": dict(choice["chosen"]),
        "options": options, "seed": seed, "calendar": calendar,
    }  # fmt: skip
    stats = statistics_of(samples) if patches is None else statistics(patches)
    return Fitted(about, stats, arrays, predict, series, choice)


def write(fitted: Fitted, folder: Path) -> None:
    """Write what is kept of a baseline into the folder of a model."""
    from safetensors.numpy import save_file

    whole = {key: np.ascontiguousarray(value) for key, value in fitted.arrays.items()}
    save_file(whole, folder / FILE)


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """What `write` has kept.

    Raises:
        SitsError: it is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found: dict[str, npt.NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise SitsError(f"{path} is damaged: {error}") from None
    return found


def load(folder: Path, found: Mapping[str, Any], device: str = "cpu") -> Any:
    """A baseline that was kept, as a function of raw samples.

    Args:
        folder: of the model.
        found: by `modelfiles.describe`.
        device: where one that is a network runs.

    Returns:
        (sample, time, band, py, px) uint16 and (sample, time) days of year -> (sample, class).

    Raises:
        SitsError: it is damaged, or of a baseline that this version does not have.
    """
    about, bands, sensor = found["learner"], tuple(found["bands"]), recorded(found)
    record = find(shipped(), about["method"], "baseline")
    calendar = Calendar(**{**about["calendar"], "grid": np.array(about["calendar"]["grid"])})
    arrays = read_arrays(folder / FILE)
    classes = len(found["classes"])
    if record.keeping is not None:
        predict = record.keeping.again(arrays, about["choice"], classes)
    elif record.network is None:
        task = _task(
            arrays, calendar, bands, sensor, classes, about["seed"], FewShot(), about["options"]
        )
        predict = record.fit(task, about["choice"])
    else:
        predict = _network(record, arrays, len(bands), calendar, classes, device)
    statistics = BandStatistics(np.array(found["mean"]), np.array(found["std"]))

    def of_samples(
        reflectance: npt.NDArray[np.uint16], doy: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.float64]:
        samples = bare(reflectance, doy, bands, sensor)
        series = PixelSeries.of(samples, device, calendar, statistics)
        return predicted(record.name, predict, series, classes)

    return of_samples


def _network(
    record: ShippedBaseline,
    arrays: Mapping[str, npt.NDArray[Any]],
    bands: int,
    calendar: Calendar,
    classes: int,
    device: str,
) -> Predict:
    import torch

    from sitsformer.baselines.networks.training import Trained

    assert record.network is not None
    network = record.network(bands, calendar, classes)
    network.load_state_dict({key: torch.from_numpy(value) for key, value in arrays.items()})
    return Trained(network.to(device).eval())


def _kept(
    samples: Samples,
    patches: Path | None,
    drawn: npt.NDArray[np.int64],
    unlabelled: npt.NDArray[np.int64],
    weight: npt.NDArray[np.float64] | None,
) -> dict[str, npt.NDArray[Any]]:
    """The series of some samples, with the labels of the drawn ones and no other.

    Args:
        samples: all of them.
        patches: see `fit`.
        drawn: positions of those that are learned from.
        unlabelled: positions of those that features are scaled by.
        weight: how much each of the drawn ones counts; None: all alike.
    """
    rows = np.union1d(drawn, unlabelled)
    is_drawn = np.isin(rows, drawn)
    read = partial(load_samples, choose=lambda *_: rows)
    some = samples.take(rows) if patches is None else read(patches)
    weights = {}
    if weight is not None:
        weights["weight"] = np.zeros(len(rows))
        weights["weight"][np.searchsorted(rows, drawn)] = weight
    return weights | {
        "reflectance": some.reflectance,
        "doy": some.doy,
        "label": np.where(is_drawn, some.label, -1),
        "unlabelled": np.isin(rows, unlabelled),
    }


def _task(
    arrays: Mapping[str, npt.NDArray[Any]],
    calendar: Calendar,
    bands: tuple[str, ...],
    sensor: Sensor,
    classes: int,
    seed: int,
    settings: FewShot,
    options: Mapping[str, Any],
) -> Task:
    """What a baseline is fitted to, of what is kept of it."""
    label = arrays["label"].astype(np.int64)
    samples = bare(arrays["reflectance"], arrays["doy"], bands, sensor)
    series = PixelSeries.of(samples, calendar=calendar)
    drawn = np.flatnonzero(label >= 0)
    return Task(
        train=series.take(drawn), label=label[drawn],
        unlabelled=series.take(np.flatnonzero(arrays["unlabelled"])), classes=classes, seed=seed,
        settings=settings, options=options,
        # Of samples with weights, by a version that kept them.
        weight=arrays["weight"][drawn] if "weight" in arrays else None,
    )  # fmt: skip


def bare(
    reflectance: npt.NDArray[np.uint16],
    doy: npt.NDArray[np.integer],
    bands: tuple[str, ...],
    sensor: Sensor,
) -> Samples:
    """Samples of which nothing is known but their reflectance."""
    nobody = np.full(len(doy), -1, np.int64)
    nowhere = np.full(len(doy), np.nan)
    return Samples(
        reflectance, doy.astype(np.int16), nobody, np.zeros(len(doy), np.uint8), nobody, nobody,
        nowhere, nowhere, bands, Classes(), sensor,
    )  # fmt: skip
