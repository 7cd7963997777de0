"""The class whose mean is nearest, in the space of standardised features."""

from __future__ import annotations

import numpy as np

from sitsformer.baselines.baseline import ShippedBaseline, Task
from sitsformer.baselines.distances import Distances, Points, euclidean, nearest, sharpnesses


def _to_centroids(features: Points, task: Task) -> Distances:
    label = task.label
    if task.weight is None:
        centroids = np.stack([features[label == k].mean(0) for k in np.unique(label)])
    else:
        centroids = np.stack(
            [np.average(features[own], 0, task.weight[own])
             for own in (label == k for k in np.unique(label))]
        )  # fmt: skip
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
