"""Logistic regression on what another model makes of each sample: the way to add a pretrained peer.

Presto, a yearly embedding product, any encoder: whatever it needs to run, it runs elsewhere, once,
over all samples of the store, and hands over one array.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sitsformer.baselines.baseline import Baseline, Choice, Predict, Task
from sitsformer.baselines.series import PixelSeries
from sitsformer.baselines.standardised import STRENGTHS, regress, scaler
from sitsformer.errors import SitsError

Features = npt.NDArray[np.floating]


def read(path: Path) -> Features:
    """Features of all samples of a store.

    Args:
        path: a `.npy` file, (sample, feature) floats; row i belongs to sample i of the store.

    Raises:
        SitsError: no such file, or not such an array.
    """
    asked = f"{path}: asked for features (sample, feature), a .npy file of floats"
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise SitsError(f"{asked}; it cannot be read: {error}") from None
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.dtype.kind != "f":
        form = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else "no array"
        raise SitsError(f"{asked}; found {form}")
    return found


def baseline(path: Path) -> Baseline:
    """Logistic regression on the features of a file; validation chooses the penalty."""
    features = read(path)

    def of(series: PixelSeries) -> npt.NDArray[np.float64]:
        return _rows(features, series, path)

    def fit(task: Task, choice: Choice) -> Predict:
        return regress(task, of, choice["C"], scaler(of(task.unlabelled)))

    return Baseline(_candidates, fit)


def _candidates(task: Task) -> Sequence[Choice]:
    del task
    return [{"C": c} for c in STRENGTHS]


def _rows(features: Features, series: PixelSeries, path: Path) -> npt.NDArray[np.float64]:
    """(N, feature) of some samples."""
    last = int(series.index.max(initial=-1))
    if last >= len(features):
        raise SitsError(
            f"{path} has {len(features)} rows, the store has a sample {last}: one row is needed "
            "for each sample of the store, in its order"
        )
    found = features[series.index].astype(np.float64)
    missing = ~np.isfinite(found).all(1)
    if missing.any():
        raise SitsError(
            f"{path}: {int(missing.sum())} of {len(found)} samples have features that are not "
            f"finite, the first one in row {int(series.index[missing][0])}"
        )
    return found
