"""Learners of embeddings that are kept to draw maps: plain arrays, and the encoder they join.

The embedding of a pixel comes from the layer over its tile, whose bytes mean the same there as at
the samples. What stands beside it is made of the pixel's series, as it is of a sample's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer import fewshot
from sitsformer.baselines import embedded, learned
from sitsformer.baselines.baseline import Task
from sitsformer.baselines.fitting import choose
from sitsformer.baselines.saved import FILE, Fitted, bare, read_arrays
from sitsformer.baselines.series import Calendar, PixelSeries
from sitsformer.config import FewShot
from sitsformer.embedded.store import KIND, open_store
from sitsformer.embeddings import LEARNERS, Member
from sitsformer.errors import SitsError
from sitsformer.fewshot.refine import weighed
from sitsformer.fewshot.vectors import Rows
from sitsformer.modelfiles import KNOWING
from sitsformer.samples import BandStatistics, Samples, statistics, statistics_of
from sitsformer.sensors import recorded

OfSamples = Callable[..., npt.NDArray[np.float64]]
"""(sample, time, band, py, px) uint16, (sample, time) days of year and (sample, axis) embeddings
-> (sample, class)."""

SAID = ("title", "collection", "license", "attribution", "references")
"""What a model says of the layer that it learned from, as the layer does."""


def fit(
    samples: Samples,
    store: Path,
    rows: Path,
    member: Member,
    drawn: fewshot.Draw,
    seed: int,
    settings: FewShot,
    *,
    name: str,
    encoded: Rows | None = None,
    device: str = "cpu",
    patches: Path | None = None,
) -> Fitted:
    """Fit a learner of a layer to a draw, with the settings that its validation prefers.

    Args:
        samples: of a store, all of them.
        store: it.
        rows: the embeddings of its samples.
        member: which layer, and how it learns.
        drawn: positions in the samples.
        seed: of everything random.
        settings: the few-shot section of the config.
        name: of the method.
        encoded: what a pretrained encoder says of the samples, for a learner that joins both.
        device: where networks run.
        patches: see `saved.fit`.

    Raises:
        SitsError: the embeddings are damaged, of another layer, or of other samples.
    """
    record = embedded.of_layer(rows, store, member, encoded)
    series = PixelSeries.of(samples, device, path=patches)
    task = Task(
        train=series.take(drawn.train),
        label=samples.label[drawn.train],
        unlabelled=series.take(np.flatnonzero(samples.split == fewshot.TRAIN)),
        classes=len(samples.classes),
        seed=seed,
        settings=settings,
        weight=fewshot.training_weights(samples.weight, samples.label, drawn.train),
    )
    validation = series.take(drawn.validation)
    predict, choice = choose(name, record, task, validation, samples.label[drawn.validation])
    assert isinstance(predict, embedded.Fitted)
    opened = open_store(rows, KIND)
    about = {
        "method": name,
        "title": member.title,
        "choice": dict(choice["chosen"]),
        "seed": seed,
        "calendar": {**asdict(series.calendar), "grid": series.calendar.grid.tolist()},
        "embeddings": {
            "layer": member.layer,
            "learner": member.kind.name,
            "axes": [str(axis) for axis in opened.axis.values],
            **{key: str(opened.attrs[key]) for key in SAID if key in opened.attrs},
        },
    }
    stats = statistics_of(samples) if patches is None else statistics(patches)
    return Fitted(about, stats, predict.learned.arrays(), predict, series, choice)


def alone(found: Mapping[str, Any]) -> bool:
    """Whether a described model looks at nothing but the embedding.

    Args:
        found: by `modelfiles.describe`.
    """
    kind = LEARNERS[found["learner"]["embeddings"]["learner"]]
    return not kind.series and "weights" not in found["learner"]


def load(folder: Path, found: Mapping[str, Any], batch_size: int, device: str = "cpu") -> OfSamples:
    """A learner that was kept, as a function of raw samples and their embeddings.

    Args:
        folder: of the model.
        found: by `modelfiles.describe`.
        batch_size: samples that an encoder reads at once.
        device: where it runs.

    Raises:
        SitsError: it is damaged.
    """
    again = learned.again(read_arrays(folder / FILE), len(found["classes"]))
    kind = found["learner"]["embeddings"]["learner"]
    if kind == "with_encoder":
        return _joined(folder, found, again, batch_size, device)
    beside = _series(found, device) if kind == "with_series" else None

    def of_samples(
        reflectance: npt.NDArray[np.uint16],
        doy: npt.NDArray[np.integer],
        vectors: npt.NDArray[np.float32],
    ) -> npt.NDArray[np.float64]:
        more = None if beside is None else beside(reflectance, doy)
        return np.asarray(again(vectors, more), np.float64)

    return of_samples


def _joined(
    folder: Path, found: Mapping[str, Any], again: learned.Learned, batch_size: int, device: str
) -> OfSamples:
    """With an encoder, which reads samples once: for its features, and for land cover, if asked."""
    from sitsformer.encoded import POOLING
    from sitsformer.model.prediction import joined
    from sitsformer.modelstore import load_model

    patch, sensor = found["architecture"]["patch"], recorded(found)
    try:
        encoder = load_model(
            folder / KNOWING, bands=found["bands"], patch=patch, sensor=sensor, device=device
        )
    except SitsError as error:
        raise SitsError(
            f"{folder} lacks the encoder that it joins embeddings with: {error}"
        ) from None
    weights = found["learner"].get("weights")

    def of_samples(
        reflectance: npt.NDArray[np.uint16],
        doy: npt.NDArray[np.integer],
        vectors: npt.NDArray[np.float32],
    ) -> npt.NDArray[np.float64]:
        series = encoder.series(reflectance, doy, check=False)
        every, wanted = np.arange(len(series.lengths)), weights is not None
        features, cover = joined(encoder, series, every, batch_size, POOLING, classes=wanted)
        probabilities = np.asarray(again(vectors, features), np.float64)
        return probabilities if cover is None else weighed(probabilities, cover, np.array(weights))

    return of_samples


Features = Callable[[npt.NDArray[np.uint16], npt.NDArray[np.integer]], npt.NDArray[np.floating]]


def _series(found: Mapping[str, Any], device: str) -> Features:
    """The features of raw samples that stand beside their embeddings."""
    about, bands, sensor = found["learner"], tuple(found["bands"]), recorded(found)
    grid = np.array(about["calendar"]["grid"])
    calendar = Calendar(**{**about["calendar"], "grid": grid})
    statistics = BandStatistics(np.array(found["mean"]), np.array(found["std"]))

    def features(
        reflectance: npt.NDArray[np.uint16], doy: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.floating]:
        samples = bare(reflectance, doy, bands, sensor)
        series = PixelSeries.of(samples, device, calendar, statistics)
        return series.features(about["choice"]["pixels"])

    return features
