"""What grows nearby: predictions weighed by those of the samples around, on the ground.

A learner from as many labels of each crop expects as much of each crop everywhere. Fields do not:
rice grows beside rice. The share of each crop among what is predicted around a sample takes the
place of the share in all, by Bayes' rule (a change of priors: Saerens et al. 2002, "Adjusting the
outputs of a classifier to new a priori probabilities", Neural Computation 14, eq. 4), one round.
Samples are asked of their own split alone, so that no label that was drawn beside a test block is
carried into it by its place.

Axes: N samples of a store, K crops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sitsformer import threads
from sitsformer.errors import SitsError

if TYPE_CHECKING:
    from sitsformer.samples import Samples

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]

NEAR = 10
"""Samples that are asked around each; 5 to 20 are level on validation blocks (docs/results.md)."""
PRIOR = 1.0
"""Average samples that are asked beside them."""


@dataclass(frozen=True)
class Around:
    """Who is near whom.

    Attributes:
        near: (N, N) sparse matrix, 1 for each of the `NEAR` nearest other samples of a row's split
            (fewer in a small one), 0 for all others.
    """

    near: Any

    def weigh(self, probabilities: Floats) -> npt.NDArray[np.float64]:
        """Probabilities (N, K) times the share of a crop nearby by its share in all, rows 1 in sum.

        The share nearby is the mean over the samples around and `PRIOR` average ones.
        """
        found = np.asarray(probabilities, np.float64)
        average = np.maximum(found.mean(0), 1e-6)
        nearby = self.near @ found + PRIOR * average
        nearby /= nearby.sum(1, keepdims=True)
        product = found * (nearby / average)
        return np.asarray(product / product.sum(1, keepdims=True), dtype=np.float64)


def around(lon: Floats, lat: Floats, split: npt.NDArray[np.integer]) -> Around:
    """The samples near each other.

    Args:
        lon: (N,) degrees.
        lat: (N,) degrees.
        split: (N,) which of the splits each is of.
    """
    from scipy.sparse import csr_matrix
    from sklearn.neighbors import NearestNeighbors

    rows: list[Ints] = []
    columns: list[Ints] = []
    places = np.radians(np.stack([lat, lon], 1))
    for one in np.unique(split):
        part = np.flatnonzero(split == one)
        count = min(NEAR, len(part) - 1)
        if count < 1:
            continue
        search = NearestNeighbors(
            n_neighbors=count, metric="haversine", algorithm="ball_tree", n_jobs=threads.count()
        ).fit(places[part])
        nearest = search.kneighbors(return_distance=False)
        rows.append(np.repeat(part, count))
        columns.append(part[nearest].ravel())
    nobody = np.empty(0, np.int64)
    chosen = np.concatenate([nobody, *rows]), np.concatenate([nobody, *columns])
    ones = np.ones(len(chosen[0]))
    return Around(csr_matrix((ones, chosen), shape=(len(split), len(split))))


def around_of(samples: Samples) -> Around:
    """The samples near each other in a store.

    Raises:
        SitsError: a sample has no place.
    """
    unknown = int((~(np.isfinite(samples.lon) & np.isfinite(samples.lat))).sum())
    if unknown:
        raise SitsError(
            f"fewshot.refine: nearby asks the samples around each, but {unknown:,} of the "
            f"{len(samples):,} samples have no coordinates: take `nearby` out, or convert them "
            "with lon and lat"
        )
    return around(samples.lon, samples.lat, samples.split)
