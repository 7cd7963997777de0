"""What unlabelled samples say of predictions: three switches, offered to every learner alike.

`land_cover`: probabilities times what a pretrained model's land cover says of each crop (how often
each class of land cover occurs among the drawn samples of a crop). `smoothing`: probabilities are
averaged over neighbours in the learner's own features, the drawn labels held (label spreading,
Zhou et al. 2004, "Learning with local and global consistency", NIPS 16, with fixed labels).
`nearby`: probabilities times how much of each crop is predicted on the ground around a sample,
against how much in all (`nearby.py`). They use the reflectances of all samples of the store, those
to be predicted too, and no label beside the drawn ones. None, each and any together are mixed, by
how many validation samples each gets right.

Axes: N samples of a store, n of them drawn, K crops, L classes of land cover.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sitsformer import threads
from sitsformer.fewshot.draws import Draw, validation_score
from sitsformer.fewshot.nearby import Around
from sitsformer.fewshot.vectors import Rows, in_order

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]
Batches: TypeAlias = Callable[[Ints], Iterable[tuple[Ints, Floats]]]

LAND_COVER, SMOOTHING, NEARBY = "land_cover", "smoothing", "nearby"
SCORES, SHARES = "refinements", "refined_shares"
"""Entries of a cell's choice: score, and share in the mixture, of each refinement tried."""

NEIGHBOURS = 15
SHARE = 0.8
"""Of a smoothed probability, what comes from neighbours."""
ROUNDS = 20
DIRECTIONS = 50
"""Principal components that neighbours are sought in: the same score as in all, much faster."""
MOST = 20_000
"""Samples that the components are of, at most: of larger stores others are projected, so that the
features of no more than these are held (of the default network 12 kB each)."""
LEAST_SPREAD = 1e-6
"""Standard deviation below which a feature counts as constant."""
COLUMNS, ROWS = 128, 4096
"""Features, and samples, that are worked on in float64 in one go."""
PRIOR = 1.0
"""Samples that the land cover of all stands for beside a crop's drawn ones."""
RIGHT = 0.5
"""What one more validation sample that is right adds to the logarithm of a share."""
OFFERED = float(np.log(2))
"""What each refinement adds to it: whoever offers one expects it to help. Both were chosen on
validation blocks (docs/results.md)."""


@dataclass(frozen=True)
class Pool:
    """Samples of a store as the refinements see them.

    Attributes:
        count: N.
        batches: (n,) positions of samples -> batches of positions (b,) among these, each once, and
            standardised features (b, feature) of their samples, an array to be written to.
        land_cover: (N, L) probabilities by a pretrained model; None: there is none.
        around: samples near each other on the ground; None: that is not looked at.
    """

    count: int
    batches: Batches
    land_cover: Floats | None = None
    around: Around | None = None

    @classmethod
    def of(cls, features: Floats, land_cover: Floats | None = None) -> Pool:
        """A pool of standardised features (N, feature) that are held."""

        def whole(rows: Ints) -> list[tuple[Ints, Floats]]:
            return [(np.arange(len(rows)), features[rows])]

        return cls(len(features), whole, land_cover)

    @cached_property
    def neighbours(self) -> Ints:
        """(N, `NEIGHBOURS`) positions of the nearest other samples (fewer in a small store)."""
        from sklearn.neighbors import NearestNeighbors

        near = self._directions()
        count = min(NEIGHBOURS, self.count - 1)
        search = NearestNeighbors(n_neighbors=count, n_jobs=threads.count()).fit(near)
        return np.asarray(search.kneighbors(return_distance=False), dtype=np.int64)

    def _directions(self) -> Floats:
        """(N, direction) principal components of `MOST` samples, and what they are of the rest."""
        from sklearn.decomposition import PCA

        some, others = np.arange(self.count), np.arange(0)
        if self.count > MOST:
            order = np.random.default_rng(0).permutation(self.count)
            some, others = np.sort(order[:MOST]), np.sort(order[MOST:])
        points = self._features(some)
        most = min(DIRECTIONS, *points.shape)
        # Nobody else has these points: they may be centred where they are.
        pca = PCA(most, svd_solver="randomized", random_state=0, copy=False)
        of_some: Floats = pca.fit_transform(points)
        if not len(others):
            return of_some
        del points
        found = np.empty((self.count, most), of_some.dtype)
        found[some] = of_some
        for part, batch in self.batches(others):
            found[others[part]] = pca.transform(batch)
        return found

    def _features(self, rows: Ints) -> Floats:
        """(n, feature) of some samples."""
        out: Floats | None = None
        for part, batch in self.batches(rows):
            if out is None:
                out = np.empty((len(rows), batch.shape[1]), batch.dtype)
            out[part] = batch
        assert out is not None
        return out


def scale(
    features: Rows, training: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation (feature,) over the training split, whose labels are not seen.

    Args:
        features: (N, feature), of several where they are not held.
        training: (N,) which samples are of that split.
    """
    if not isinstance(features, np.ndarray):
        rows = np.flatnonzero(training)
        own = [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]
        mean, std = in_order(lambda: (features[part].astype(np.float64) for part in own))
        return mean, np.maximum(std, LEAST_SPREAD)
    mean, std = np.empty(features.shape[1]), np.empty(features.shape[1])
    for columns in np.array_split(np.arange(len(mean)), -(-len(mean) // COLUMNS)):
        chosen = features[np.ix_(training, columns)].astype(np.float64)
        mean[columns], std[columns] = chosen.mean(0), chosen.std(0)
    return mean, np.maximum(std, LEAST_SPREAD)


def standardised(
    features: Rows, training: npt.NDArray[np.bool_], rows: Ints
) -> Iterator[tuple[Ints, npt.NDArray[np.float32]]]:
    """Features less their mean, by their standard deviation (see `scale`), as a `Pool` wants them.

    Args:
        features: (N, feature).
        training: (N,) which samples are of the training split.
        rows: (n,) positions of the samples that are wanted.
    """
    mean, std = scale(features, training)
    for start in range(0, len(rows), ROWS):
        part = np.arange(start, min(start + ROWS, len(rows)))
        yield part, ((features[rows[part]] - mean) / std).astype(np.float32)


def switches(offered: Sequence[str], pool: Pool) -> list[tuple[str, ...]]:
    """What to try: nothing first, then each, then pairs, then all."""
    usable = [s for s in (LAND_COVER, SMOOTHING, NEARBY) if s in offered]
    if pool.land_cover is None and LAND_COVER in usable:
        usable.remove(LAND_COVER)
    return [chosen for r in range(len(usable) + 1) for chosen in combinations(usable, r)]


@dataclass(frozen=True)
class Refined:
    """Predictions as a mixture of what the refinements make of them.

    Attributes:
        probabilities: (N, K).
        shares: name of each that was tried, joined by `+`, or `none` -> its share, 1 in sum.
        scores: the same names -> `validation_score`.
    """

    probabilities: Floats
    shares: dict[str, float]
    scores: dict[str, tuple[float, float]]

    @property
    def name(self) -> str:
        """The one with the largest share, of equals the first."""
        return max(self.shares, key=lambda name: self.shares[name])

    @property
    def record(self) -> dict[str, Any]:
        """What a cell says of it."""
        return {
            "refined": self.name,
            SCORES: {name: list(score) for name, score in self.scores.items()},
            SHARES: dict(self.shares),
        }


def mixed(
    probabilities: Floats, label: Ints, draw: Draw, pool: Pool, offered: Sequence[str]
) -> Refined:
    """The refinements that are offered, mixed by how they do on validation samples.

    A handful of these cannot tell the best: a choice would follow their noise. So each candidate
    has a share (a Gibbs posterior: Alquier, Ridgway & Chopin 2016, "On the properties of
    variational approximations of Gibbs posteriors", JMLR 17, section 2),

        2^(number of refinements) exp(`RIGHT` x right samples),

    where samples count so that each class has as many.

    Args:
        probabilities: (N, K) of a learner.
        label: (N,) class index; only those of the draw are looked at.
        draw: positions.
        pool: the samples.
        offered: names of refinements to try.
    """
    tried = switches(offered, pool)
    truth, count = label[draw.validation], len(draw.validation)
    scores: dict[str, tuple[float, float]] = {}
    logs = np.empty(len(tried))
    found: list[Floats] = []
    for i, chosen in enumerate(tried):
        found.append(refined(probabilities, chosen, label[draw.train], draw.train, pool))
        score = validation_score(truth, found[i][draw.validation])
        scores["+".join(chosen) or "none"] = score
        logs[i] = len(chosen) * OFFERED + RIGHT * count * score[0]
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    mixture = np.zeros(probabilities.shape)
    for weight, one in zip(weights, found, strict=True):
        mixture += weight * one
    shares = {name: float(weight) for name, weight in zip(scores, weights, strict=True)}
    return Refined(mixture, shares, scores)


def refined(
    probabilities: Floats, chosen: Sequence[str], drawn_label: Ints, drawn: Ints, pool: Pool
) -> Floats:
    """Probabilities (N, K) after some refinements; `drawn` samples have `drawn_label`."""
    found = probabilities
    if LAND_COVER in chosen:
        assert pool.land_cover is not None
        found = with_land_cover(found, drawn_label, drawn, pool.land_cover)
    if SMOOTHING in chosen:
        found = smoothed(found, drawn_label, drawn, pool.neighbours)
    if NEARBY in chosen:
        assert pool.around is not None
        found = pool.around.weigh(found)
    return found


def with_land_cover(
    probabilities: Floats, drawn_label: Ints, drawn: Ints, land_cover: Floats
) -> npt.NDArray[np.float64]:
    """Multiply by sum over l of p(l | sample) p(l | crop) / p(l), and bring rows to 1.

    p(l | crop) is the mean over the crop's drawn samples and `PRIOR` average ones.
    """
    crops = probabilities.shape[1]
    return weighed(probabilities, land_cover, crop_weights(drawn_label, drawn, land_cover, crops))


def crop_weights(
    drawn_label: Ints, drawn: Ints, land_cover: Floats, crops: int
) -> npt.NDArray[np.float64]:
    """p(l | crop) / p(l) as (L, K): what a map needs of a draw to weigh each pixel by itself."""
    average = np.maximum(land_cover.mean(0, dtype=np.float64), 1e-6)
    of_crop = np.tile(average * PRIOR, (crops, 1))
    np.add.at(of_crop, drawn_label, land_cover[drawn])
    of_crop /= PRIOR + np.bincount(drawn_label, minlength=crops)[:, None]
    return np.asarray((of_crop / average).T)


def weighed(
    probabilities: Floats, land_cover: Floats, weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Probabilities (n, K) times what land cover (n, L) says by `crop_weights`, rows 1 in sum."""
    product = probabilities * (land_cover @ weights)
    return np.asarray(product / product.sum(1, keepdims=True), dtype=np.float64)


def smoothed(
    probabilities: Floats, drawn_label: Ints, drawn: Ints, neighbours: Ints
) -> npt.NDArray[np.float64]:
    """Average over neighbours again and again, drawn labels held; rows stay 1 in sum."""
    start = probabilities.astype(np.float64)
    held = np.eye(probabilities.shape[1])[drawn_label]
    start[drawn] = held
    found = start
    for _ in range(ROUNDS):
        around = np.empty_like(start)
        for first in range(0, len(start), ROWS):
            rows = slice(first, first + ROWS)
            around[rows] = found[neighbours[rows]].mean(1)
        found = (1 - SHARE) * start + SHARE * around
        found[drawn] = held
    return found
