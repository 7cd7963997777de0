"""What a pretrained encoder says of samples, for learners that join it with embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sitsformer.finetune import PREDICT_BATCH
from sitsformer.model.prediction import joined
from sitsformer.model.steps import Series
from sitsformer.samples import Samples
from sitsformer.sampleseries import fitting, series_for

POOLING = "seasons"
"""As the probe reads an encoder."""


@dataclass(frozen=True)
class Encoded:
    """What a pretrained encoder says of samples.

    Attributes:
        features: (row, feature) float32; row i is sample i of the store, NaN where it is not among
            them.
        land_cover: (sample, land cover) probabilities; None where they were not asked for, or the
            model does not classify.
    """

    features: npt.NDArray[np.float32]
    land_cover: npt.NDArray[np.float32] | None


def encoded(
    init: Path,
    samples: Samples,
    device: str = "cpu",
    *,
    land_cover: bool = False,
    series: Series | None = None,
) -> Encoded:
    """What a pretrained encoder says of samples, which it reads once.

    Args:
        init: its artefact.
        samples: of the bands and the patch that it reads.
        device: where the model runs.
        land_cover: also ask for land cover.
        series: the samples there, normalised by the model's statistics; None: made here.
    """
    model = fitting(init, samples, device)
    series = series or series_for(model, samples, device)
    features, cover = joined(
        model, series, np.arange(len(samples)), PREDICT_BATCH, POOLING, classes=land_cover
    )
    found = np.full((int(samples.index.max(initial=-1)) + 1, features.shape[1]), np.nan, np.float32)
    found[samples.index] = features
    return Encoded(found, cover)
