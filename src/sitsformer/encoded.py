"""What a pretrained encoder says of samples, for learners that join it with embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from sitsformer.finetune import PREDICT_BATCH, series_of
from sitsformer.model import SITSFormer
from sitsformer.model.prediction import embeddings
from sitsformer.modelstore import load_model
from sitsformer.samples import Samples


def season_encoder(init: Path, samples: Samples, device: str = "cpu") -> SITSFormer:
    """A pretrained encoder whose embeddings are pooled by season, as the probe reads them."""
    patch = samples.reflectance.shape[3]
    model = load_model(init, bands=samples.bands, patch=patch, sensor=samples.sensor, device=device)
    model.new_classifier(1, (), "seasons")
    return model.eval()


def encoded(init: Path, samples: Samples, device: str = "cpu") -> npt.NDArray[np.float32]:
    """What a pretrained encoder says of samples.

    Args:
        init: its artefact.
        samples: of the bands and the patch that it reads.
        device: where the model runs.

    Returns:
        (row, feature) float32; row i is sample i of the store, NaN where it is not among them.
    """
    model, series = season_encoder(init, samples, device), series_of(samples, init, device)
    found = np.full((int(samples.index.max(initial=-1)) + 1, model.width), np.nan, np.float32)
    found[samples.index] = embeddings(model, series, np.arange(len(samples)), PREDICT_BATCH)
    return found
