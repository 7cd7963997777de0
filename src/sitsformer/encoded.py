"""What a pretrained encoder says of samples, for learners that join it with embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sitsformer.fewshot.vectors import Vectors
from sitsformer.finetune import PREDICT_BATCH
from sitsformer.model.prediction import joined_batches, joined_width
from sitsformer.model.steps import Series
from sitsformer.samples import Samples
from sitsformer.sampleseries import fitting, series_for

POOLING = "seasons"
"""As the probe reads an encoder."""


@dataclass(frozen=True)
class Encoded:
    """What a pretrained encoder says of samples.

    Attributes:
        features: (row, feature) in a file; row i is sample i of the store, NaN where it is not
            among them.
        land_cover: (sample, land cover) probabilities; None where they were not asked for, or the
            model does not classify.
    """

    features: Vectors
    land_cover: npt.NDArray[np.float32] | None


def encoded(
    init: Path,
    samples: Samples,
    device: str = "cpu",
    *,
    land_cover: bool = False,
    series: Series | None = None,
    folder: Path | None = None,
) -> Encoded:
    """What a pretrained encoder says of samples, which it reads once.

    Args:
        init: its artefact.
        samples: of the bands and the patch that it reads.
        device: where the model runs.
        land_cover: also ask for land cover.
        series: the samples there, normalised by the model's statistics; None: made here.
        folder: where features are put until they are no longer needed; None: where the system
            keeps such files, which is memory on some.
    """
    model = fitting(init, samples, device)
    series = series or series_for(model, samples, device)
    rows = int(samples.index.max(initial=-1)) + 1
    features = Vectors(rows, joined_width(model, POOLING), folder)
    cover = None
    if land_cover and model.classifier is not None:
        cover = np.empty((len(samples), model.architecture.classes), np.float32)
    every = np.arange(len(samples))
    for part, found, known in joined_batches(
        model, series, every, PREDICT_BATCH, POOLING, classes=cover is not None
    ):
        features.write(samples.index[part], found)
        if cover is not None:
            cover[part] = known
    return Encoded(features, cover)
