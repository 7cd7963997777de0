"""What learns from a layer of embeddings: the embedding of the labelled pixel, alone or with more.

All of them see the draws, validation samples and settings to choose among that other baselines do.
A sample without an embedding (open sea, say) keeps its place in the test: it gets the mean of the
training split, which says nothing, so that every learner is scored on the same samples. What is
fitted is plain arrays (`learned.py`), so that it can be kept and draw maps.

Beside an embedding may stand features of the series, as other baselines see them, or what a
pretrained encoder says of the sample, pooled by season as the probe reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sitsformer import artefacts
from sitsformer.baselines.baseline import Baseline, Choice, Task
from sitsformer.baselines.classifier import Features
from sitsformer.baselines.distances import SHARPNESS
from sitsformer.baselines.learned import Columns, Learned, Neighbours, Part, Regression, weighed
from sitsformer.baselines.standardised import LEAST_SPREAD, STRENGTHS, scaler
from sitsformer.embedded.store import KIND, open_store, read_rows
from sitsformer.embeddings import Member
from sitsformer.errors import SitsError
from sitsformer.fewshot.vectors import Ints, Rows, in_order

if TYPE_CHECKING:
    from sitsformer.baselines.series import PixelSeries

Floats: TypeAlias = "npt.NDArray[np.float64]"

AT_ONCE = 1024
"""Samples whose features are held at a time: in float64, those of the default network and a copy
are 50 MB."""


@dataclass(frozen=True)
class Beside:
    """Features that stand beside an embedding.

    Attributes:
        of: series, settings that name a view -> (N, feature).
        known: name of a view -> mean and standard deviation over the training split.
    """

    of: Callable[[PixelSeries, Choice], npt.NDArray[np.floating]]
    known: dict[str, tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]] = field(
        default_factory=dict
    )

    def with_choice(self, choice: Choice) -> Features:
        """The same with the settings chosen."""
        return lambda series: self.of(series, choice)

    def scale(
        self, unlabelled: PixelSeries, choice: Choice
    ) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
        """As `scaler` of the training split's features, which are not held; worked out once."""
        view = choice.get("pixels", "")
        if view not in self.known:
            own = [unlabelled.take(part) for part in _parts(len(unlabelled))]
            mean, std = in_order(lambda: (self.of(part, choice) for part in own))
            self.known[view] = mean, np.maximum(std, LEAST_SPREAD)
        return self.known[view]


@dataclass(frozen=True)
class Both:
    """Embeddings of all samples and what stands beside them, in rows that are asked for.

    Attributes:
        embedding: (N, axis).
        series: of all samples.
        beside: what stands beside.
        view: of the series.
    """

    embedding: Floats
    series: PixelSeries
    beside: Beside
    view: Choice

    def __getitem__(self, rows: Ints) -> Floats:
        """(n, column); both have one sum of variances."""
        both = (self.embedding[rows], self.beside.of(self.series.take(rows), self.view))
        return np.concatenate([part * k for part, k in zip(both, weighed(*both), strict=True)], 1)


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

    def mean(self, unlabelled: PixelSeries) -> Floats:
        """(axis,) mean over a split, which stands where there is none."""
        training = unlabelled.index[self.known[unlabelled.index]]
        if not len(training):
            raise SitsError(
                "no sample of the training split has an embedding: take the layer out of "
                "`embeddings`"
            )
        return np.asarray(self.values[training].mean(0, dtype=np.float64), np.float64)

    def of(self, series: PixelSeries, unlabelled: PixelSeries) -> Floats:
        """(N, axis) of some samples; the mean over a split where there is none."""
        found = self.values[series.index].astype(np.float64)
        found[~self.known[series.index]] = self.mean(unlabelled)
        return found

    def without(self, series: PixelSeries) -> Mapping[str, Any]:
        """How many of some samples have none."""
        return {"without_embedding": int((~self.known[series.index]).sum())}


@dataclass(frozen=True)
class Fitted:
    """What is fitted, as a function of the series of a store.

    Attributes:
        learned: it.
        embedded: of the store.
        beside: what stands beside an embedding; None: nothing.
    """

    learned: Learned
    embedded: Embedded
    beside: Features | None

    def __call__(self, series: PixelSeries) -> npt.NDArray[np.floating]:
        """Probabilities (sample, class)."""
        found = np.empty((len(series), self.learned.classes))
        for part in _parts(len(series)):
            own = series.take(part)
            beside = None if self.beside is None else self.beside(own)
            found[part] = self.learned(self.embedded.values[own.index], beside)
        return found


def _parts(count: int) -> Iterator[Ints]:
    """Positions of so many samples, a piece at a time."""
    for start in range(0, count, AT_ONCE):
        yield np.arange(start, min(start + AT_ONCE, count))


def of_layer(path: Path, store: Path, member: Member, encoded: Rows | None = None) -> Baseline:
    """The learner of a layer.

    Args:
        path: embeddings of the samples (`embedded/store.py`).
        store: the sample store.
        member: how it learns.
        encoded: (sample, feature) what a pretrained encoder says of each sample of the store, for
            a learner that joins both.

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
    return baseline(Embedded(read_rows(path)), member.kind.name, encoded)


def baseline(embedded: Embedded, kind: str, encoded: Rows | None = None) -> Baseline:
    """The learner of a name in `learners` of a layer; see `of_layer`."""
    candidates, fit = _LEARNERS[kind]
    beside = _beside(kind, encoded)

    def space(series: PixelSeries) -> Rows:
        found = embedded.of(series, series)
        view = {"pixels": series.views[-1]}
        return found if beside is None else Both(found, series, beside, view)

    return Baseline(candidates, partial(fit, embedded, beside), space, embedded.without)


def _beside(kind: str, encoded: Rows | None) -> Beside | None:
    if kind == "with_series":
        return Beside(lambda series, choice: series.features(choice["pixels"]))
    if kind != "with_encoder":
        return None
    if encoded is None:
        raise SitsError("a learner that joins embeddings with an encoder needs the encoder's")
    return Beside(lambda series, choice: encoded[series.index])


def _strengths(task: Task) -> Sequence[Choice]:
    del task
    return [{"C": c} for c in STRENGTHS]


def _views(task: Task) -> Sequence[Choice]:
    return [{"pixels": view, "C": c} for view in task.train.views for c in STRENGTHS]


def _metrics(task: Task) -> Sequence[Choice]:
    """Distances as they are (angles, where vectors have length 1), or of standardised axes."""
    del task
    return [{"standardised": s, "sharpness": k} for s in (False, True) for k in SHARPNESS]


def _regression(embedded: Embedded, beside: Beside | None, task: Task, choice: Choice) -> Fitted:
    """On standardised columns; with more beside the embedding, each has half of the variances.

    Embeddings have fewer columns than what stands beside them: a penalised regression on all
    columns alike would hear that alone. The sum is that of as many standardised columns, so that
    the penalties that validation chooses among mean the same.
    """
    mean, std = scaler(embedded.of(task.unlabelled, task.unlabelled))
    parts: tuple[Part, ...] = (Part(mean, std),)
    of: Features | None = None
    if beside is not None:
        of = beside.with_choice(choice)
        more, spread = beside.scale(task.unlabelled, choice)
        one, two = weighed(mean[None], more[None])
        parts = (Part(mean, std, one), Part(more, spread, two))
    columns = Columns(embedded.mean(task.unlabelled), parts)
    points = columns(embedded.values[task.train.index], None if of is None else of(task.train))
    learned = Learned(columns, Regression.of(points, task, choice["C"]), task.classes)
    return Fitted(learned, embedded, of)


def _neighbour(embedded: Embedded, beside: Beside | None, task: Task, choice: Choice) -> Fitted:
    mean, std = scaler(embedded.of(task.unlabelled, task.unlabelled))
    if not choice["standardised"]:
        mean, std = np.zeros_like(mean), np.ones_like(std)
    columns = Columns(embedded.mean(task.unlabelled), (Part(mean, std),))
    points = columns(embedded.values[task.train.index], None)
    head = Neighbours(points, task.label, choice["sharpness"])
    return Fitted(Learned(columns, head, task.classes), embedded, None)


_LEARNERS: dict[
    str,
    tuple[
        Callable[[Task], Sequence[Choice]],
        Callable[[Embedded, Beside | None, Task, Choice], Fitted],
    ],
] = {
    "logistic_regression": (_strengths, _regression),
    "nearest_neighbour": (_metrics, _neighbour),
    "with_series": (_views, _regression),
    "with_encoder": (_strengths, _regression),
}
"""Kind -> the settings to try, and how one is fitted."""
