"""Whoever draws a map, behind one function: raw samples -> probabilities.

`load_predictor` is the only place that knows what kinds of learners there are. A map of another
learner needs a branch there that returns a `Predictor`, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer.classes import Classes
from sitsformer.errors import SitsError
from sitsformer.maps.tile import Predict
from sitsformer.sensors import SENTINEL2, Sensor, recorded


@dataclass(frozen=True)
class Predictor:
    """What a map needs of a learner.

    Attributes:
        predict: raw samples -> probabilities of the classes.
        classes: in the order of the probabilities.
        layer: label layer that the classes are of; empty where nobody said.
        bands: that it reads, in order.
        sensor: whose images it reads.
        patch: side of the patches that it reads, pixels.
        patches: section `patches` of the config it was made with; empty where nobody said.
        embed: raw samples -> embeddings; None for a learner without any.
        features: length of an embedding.
        refuse_means: refuses means of the bands (reflectance) that its samples cannot have.
    """

    predict: Predict
    classes: Classes
    layer: str
    bands: tuple[str, ...]
    patch: int
    patches: Mapping[str, Any] = field(default_factory=dict)
    embed: Predict | None = None
    features: int = 0
    refuse_means: Callable[[npt.NDArray[np.floating]], None] | None = None
    sensor: Sensor = SENTINEL2


def load_predictor(path: Path, batch_size: int, device: str = "cpu") -> Predictor:
    """The predictor of an artefact.

    Args:
        path: a fine-tuned model.
        batch_size: samples predicted at once.
        device: where a network runs, `auto` (a GPU if there is one), `cpu` or `cuda`.

    Raises:
        SitsError: it is damaged, or has no classes.
    """
    from sitsformer.model.device import find_device
    from sitsformer.model.inputs import refuse_means
    from sitsformer.modelfiles import classes_of, describe
    from sitsformer.modelstore import load_model

    where = str(find_device(device))
    found, model = describe(path), load_model(path, device=where)
    if not model.class_names:
        raise SitsError(
            f"{path} has no classes: it was pretrained only; give a model that was fine-tuned on "
            "labelled samples"
        )
    mean, std = model.mean.cpu().numpy(), model.std.cpu().numpy()
    return Predictor(
        # The values of a cube are checked once for a tile: a batch may be all water.
        predict=lambda reflectance, doy: model.predict(reflectance, doy, batch_size, check=False),
        classes=classes_of(found),
        layer=str(found.get("layer", "")),
        bands=model.bands,
        patch=model.architecture.patch,
        patches=found.get("patches", {}),
        embed=lambda reflectance, doy: model.embed(reflectance, doy, batch_size, check=False),
        features=model.width,
        refuse_means=lambda means: refuse_means(means, mean, std),
        sensor=recorded(found),
    )
