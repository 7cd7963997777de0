"""What learns from a layer of embeddings: the embedding of the labelled pixel, alone or with more.

All of them see the draws, validation samples and settings to choose among that other baselines do.
A sample without an embedding (open sea, say) keeps its place in the test: it gets the mean of the
training split, which says nothing, so that every learner is scored on the same samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sitsformer import artefacts
from sitsformer.baselines.baseline import Baseline, Choice, Predict, Task, spread
from sitsformer.baselines.distances import SHARPNESS, softmin
from sitsformer.baselines.nearest_neighbour import to_neighbours
from sitsformer.baselines.standardised import STRENGTHS, regress, scaler
from sitsformer.embedded.store import KIND, open_store, read_rows
from sitsformer.embeddings import Member
from sitsformer.errors import SitsError

if TYPE_CHECKING:
    from sitsformer.baselines.series import PixelSeries

Floats: TypeAlias = "npt.NDArray[np.float64]"


@dataclass(frozen=True)
class Embedded:
    """Embeddings of the samples of a store.

    Attributes:
        values: (sample, axis) float32, NaN where a sample has none; row i is sample i of the store.
    """

    values: npt.NDArray[np.float32]

    @cached_property
    def known(self) -> npt.NDArray[np.bool_]:
        """(sample,) which have one."""
        return np.asarray(np.isfinite(self.values).all(1))

    def of(self, series: PixelSeries, unlabelled: PixelSeries) -> Floats:
        """(N, axis) of some samples; the mean over a split where there is none."""
        training = unlabelled.index[self.known[unlabelled.index]]
        if not len(training):
            raise SitsError(
                "no sample of the training split has an embedding: take the layer out of "
                "`embeddings`"
            )
        found = self.values[series.index].astype(np.float64)
        found[~self.known[series.index]] = self.values[training].mean(0, dtype=np.float64)
        return found

    def without(self, series: PixelSeries) -> Mapping[str, Any]:
        """How many of some samples have none."""
        return {"without_embedding": int((~self.known[series.index]).sum())}


def of_layer(path: Path, store: Path, member: Member) -> Baseline:
    """The learner of a layer.

    Args:
        path: embeddings of the samples (`embedded/store.py`).
        store: the sample store.
        member: how it learns.

    Raises:
        SitsError: the embeddings are damaged, of another layer, or of other samples.
    """
    found = str(open_store(path, KIND).attrs["layer"])
    if found != member.layer:
        raise SitsError(f"{path} holds the embeddings {found!r}; {member.layer!r} are wanted")
    if artefacts.read(path)["inputs"]["samples"] != artefacts.digest(store):
        raise SitsError(
            f"{path} was made for other samples than {store} holds: make the embeddings again "
            "(`sitsformer embeddings samples`)"
        )
    return baseline(Embedded(read_rows(path)), member.kind.name)


def baseline(embedded: Embedded, kind: str) -> Baseline:
    """The learner of a name in `learners` of a layer."""
    candidates, fit = _LEARNERS[kind]

    def space(series: PixelSeries) -> Floats:
        found = embedded.of(series, series)
        return found if kind != "with_series" else _both(found, series.features(series.views[-1]))

    return Baseline(candidates, lambda task, choice: fit(embedded, task, choice), space,
                    embedded.without)  # fmt: skip


def _strengths(task: Task) -> Sequence[Choice]:
    del task
    return [{"C": c} for c in STRENGTHS]


def _regression(embedded: Embedded, task: Task, choice: Choice) -> Predict:
    def of(series: PixelSeries) -> Floats:
        return embedded.of(series, task.unlabelled)

    return regress(task, of, choice["C"], scaler(of(task.unlabelled)))


def _metrics(task: Task) -> Sequence[Choice]:
    """Distances as they are (angles, where vectors have length 1), or of standardised axes."""
    del task
    return [{"standardised": s, "sharpness": k} for s in (False, True) for k in SHARPNESS]


def _neighbour(embedded: Embedded, task: Task, choice: Choice) -> Predict:
    mean, std = scaler(embedded.of(task.unlabelled, task.unlabelled))
    if not choice["standardised"]:
        mean, std = np.zeros_like(mean), np.ones_like(std)

    def points(series: PixelSeries) -> Floats:
        return np.asarray((embedded.of(series, task.unlabelled) - mean) / std)

    distances = to_neighbours(points(task.train), task)
    present = np.unique(task.label)

    def predict(series: PixelSeries) -> npt.NDArray[np.floating]:
        found = softmin(distances(points(series)), choice["sharpness"])
        return spread(found, present, task.classes)

    return predict


def _views(task: Task) -> Sequence[Choice]:
    return [{"pixels": view, "C": c} for view in task.train.views for c in STRENGTHS]


def _with_series(embedded: Embedded, task: Task, choice: Choice) -> Predict:
    """Both standardised, each with half of the sum of variances.

    Embeddings have fewer columns than series have features: a penalised regression on all columns
    alike would hear the series alone. The sum is that of as many standardised columns, so that the
    penalties that validation chooses among mean the same.
    """
    view = choice["pixels"]
    axes = scaler(embedded.of(task.unlabelled, task.unlabelled))
    features = scaler(task.unlabelled.features(view))

    def of(series: PixelSeries) -> Floats:
        one = (embedded.of(series, task.unlabelled) - axes[0]) / axes[1]
        two = (series.features(view) - features[0]) / features[1]
        return _both(one, two)

    columns = len(axes[0]) + len(features[0])
    return regress(task, of, choice["C"], (np.zeros(columns), np.ones(columns)))


def _both(one: npt.NDArray[np.floating], two: npt.NDArray[np.floating]) -> Floats:
    """(N, columns of both), each weighed by its number of columns."""
    columns = one.shape[1] + two.shape[1]
    weighed = [part * np.sqrt(columns / (2 * part.shape[1])) for part in (one, two)]
    return np.concatenate(weighed, axis=1)


_LEARNERS: dict[
    str,
    tuple[
        Callable[[Task], Sequence[Choice]],
        Callable[[Embedded, Task, Choice], Predict],
    ],
] = {
    "logistic_regression": (_strengths, _regression),
    "nearest_neighbour": (_metrics, _neighbour),
    "with_series": (_views, _with_series),
}
"""Kind -> the settings to try, and how one is fitted."""
