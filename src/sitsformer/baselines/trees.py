"""A fitted forest as plain arrays, so that it can be kept without pickle and outlives a version.

The nodes of all trees stand in one table. Shapes: M nodes, R trees, N samples, F features, K fitted
classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]

AT_ONCE = 256
"""Samples that go down all trees together: their places fit into the cache of a CPU."""


def of_forest(forest: Any) -> dict[str, npt.NDArray[Any]]:
    """The trees of a `RandomForestClassifier`.

    Returns:
        `left`, `right` (M,) int32 nodes, a leaf its own; `feature` (M,) int32; `threshold` (M,)
        float64; `missing_left` (M,) bool; `share` (M, K) float32; `root` (R,) int32; `present`
        (K,) int64, classes.
    """
    trees = [one.tree_ for one in forest.estimators_]
    sizes = [one.node_count for one in trees]
    root = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    parts: dict[str, list[npt.NDArray[Any]]] = {
        name: [] for name in ("left", "right", "feature", "threshold", "missing_left", "share")
    }
    for start, one in zip(root, trees, strict=True):
        own = start + np.arange(one.node_count, dtype=np.int32)
        leaf = one.children_left < 0
        parts["left"].append(np.where(leaf, own, one.children_left + start))
        parts["right"].append(np.where(leaf, own, one.children_right + start))
        parts["feature"].append(np.where(leaf, 0, one.feature))
        parts["threshold"].append(np.where(leaf, 0.0, one.threshold))
        parts["missing_left"].append(one.missing_go_to_left.astype(bool))
        value = one.value[:, 0]
        parts["share"].append(value / value.sum(1, keepdims=True))
    whole = {name: np.concatenate(part) for name, part in parts.items()}
    kinds = {"left": np.int32, "right": np.int32, "feature": np.int32, "share": np.float32}
    kept = {name: value.astype(kinds.get(name, value.dtype)) for name, value in whole.items()}
    return {**kept, "root": root, "present": np.asarray(forest.classes_, np.int64)}


def shares(arrays: Arrays, features: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Probabilities (N, K) of samples (N, F): the mean over the leaves that they come to."""
    values = features.astype(np.float32)  # as scikit-learn compares
    found = np.empty((len(values), len(arrays["present"])))
    for start in range(0, len(values), AT_ONCE):
        part = values[start : start + AT_ONCE]
        leaves = _leaves(arrays, part)
        found[start : start + AT_ONCE] = arrays["share"][leaves].mean(1, dtype=np.float64)
    return found


def _leaves(arrays: Arrays, values: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """(N, R) the leaf of each sample in each tree."""
    left, right = arrays["left"], arrays["right"]
    node = np.tile(arrays["root"], (len(values), 1))
    row = np.arange(len(values))[:, None]
    gaps = bool(np.isnan(values).any())
    while True:
        value = values[row, arrays["feature"][node]]
        goes_left = value <= arrays["threshold"][node]
        if gaps:
            goes_left |= np.isnan(value) & arrays["missing_left"][node]
        deeper = np.where(goes_left, left[node], right[node])
        if np.array_equal(deeper, node):
            return node
        node = deeper
