"""The class whose mean is nearest, in the space of standardised features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sitsformer.baselines.baseline import ShippedBaseline
from sitsformer.baselines.distances import Distances, Points, euclidean, nearest, sharpnesses


def _to_centroids(features: Points, label: npt.NDArray[np.int64]) -> Distances:
    centroids = np.stack([features[label == k].mean(0) for k in np.unique(label)])
    return lambda points: euclidean(points, centroids)


NEAREST_CENTROID = ShippedBaseline(
    name="nearest_centroid",
    title="nearest centroid",
    colour="#7a6a4f",
    marker="X",
    line=":",
    gradient=False,
    candidates=sharpnesses,
    fit=nearest(_to_centroids),
    order=40,
)
