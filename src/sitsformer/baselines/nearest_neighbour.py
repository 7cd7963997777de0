"""The class of the nearest drawn sample, in the space of standardised features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sitsformer.baselines.baseline import ShippedBaseline, Task
from sitsformer.baselines.distances import Distances, Points, euclidean, nearest, sharpnesses


def to_neighbours(features: Points, task: Task) -> Distances:
    """From points to the nearest of some samples (sample, feature) of each class that occurs."""
    label, present = task.label, np.unique(task.label)

    def distances(points: Points) -> npt.NDArray[np.float64]:
        every = euclidean(points, features)
        return np.stack([every[:, label == k].min(1) for k in present], axis=1)

    return distances


NEAREST_NEIGHBOUR = ShippedBaseline(
    name="nearest_neighbour",
    title="nearest neighbour",
    colour="#b0a000",
    marker="*",
    line=":",
    gradient=False,
    candidates=sharpnesses,
    fit=nearest(to_neighbours),
    order=50,
)
