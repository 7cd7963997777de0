"""Whoever draws a map, behind one function: raw samples -> probabilities.

`load_predictor` is the only place that knows what kinds of learners there are: networks, baselines,
learners of embeddings, and any of them weighed by the land cover of a pretrained model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
        predict: raw samples (and their embeddings in `layer_read`) -> probabilities of the classes.
        classes: in the order of the probabilities.
        layer: label layer that the classes are of; empty where nobody said.
        bands: that it reads, in order.
        sensor: whose images it reads.
        patch: side of the patches that it reads, pixels.
        patches: section `patches` of the config it was made with; empty where nobody said.
        embed: raw samples -> embeddings; None for a learner without any.
        features: length of an embedding.
        refuse_means: refuses means of the bands (reflectance) that its samples cannot have.
        about: who it is and why, as tags of its maps; empty where nobody said.
        layer_read: layer of embeddings of others that it reads, too; empty: none.
        axes: of these embeddings.
        alone: it reads nothing but these.
        elsewhere: it works on a GPU, and takes `Windows` for samples.
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
    about: Mapping[str, str] = field(default_factory=dict)
    sensor: Sensor = SENTINEL2
    layer_read: str = ""
    axes: tuple[str, ...] = ()
    alone: bool = False
    elsewhere: bool = False


def load_predictor(
    path: Path, batch_size: int, device: str = "cpu", precision: str = "float32"
) -> Predictor:
    """The predictor of an artefact.

    Args:
        path: the model of a map: a fine-tuned network, or a baseline (`cropmodel.py`).
        batch_size: samples predicted at once.
        device: where a network runs, `auto` (a GPU if there is one), `cpu` or `cuda`.
        precision: of a network's matrix products, `float32` or `bf16`.

    Raises:
        SitsError: it is damaged, has no classes, or is to run in `bf16` where nothing does.
    """
    from sitsformer.model.device import find_device
    from sitsformer.modelfiles import describe

    where, found = _Where(batch_size, str(find_device(device)), precision), describe(path)
    read = _network
    if "embeddings" in found.get("learner", {}):
        read = _embedded
    elif "calendar" in found.get("learner", {}):
        read = _baseline
    predictor = read(path, found, where)
    if "weights" not in found.get("learner", {}) or _encodes(found):
        return predictor
    return replace(predictor, predict=_weighed(path, found, predictor.predict, where))


@dataclass(frozen=True)
class _Where:
    """How networks predict."""

    batch_size: int
    device: str
    precision: str

    def asked(self) -> dict[str, Any]:
        """Arguments of `SITSFormer.predict`; a tile's values are checked once, as a whole."""
        from sitsformer.model.prediction import BF16, refuse_bf16

        if self.precision == BF16:
            refuse_bf16(self.device)
        return {"batch_size": self.batch_size, "check": False, "precision": self.precision}


def _network(path: Path, found: Mapping[str, Any], where: _Where) -> Predictor:
    from sitsformer.modelstore import load_model

    asked, device = where.asked(), where.device
    model = load_model(path, device=device)
    if not model.class_names:
        raise SitsError(
            f"{path} has no classes: it was pretrained only; give a model that was fine-tuned on "
            "labelled samples"
        )
    return Predictor(
        # The values of a cube are checked once for a tile: a batch may be all water.
        predict=lambda reflectance, doy: model.predict(reflectance, doy, **asked),
        embed=lambda reflectance, doy: model.embed(reflectance, doy, **asked),
        features=model.width,
        elsewhere=str(device) != "cpu",
        **_described(found),
    )


def _baseline(path: Path, found: Mapping[str, Any], where: _Where) -> Predictor:
    from sitsformer.baselines import saved

    # Its batches are those of the map, its numbers those that it was fitted with.
    return Predictor(predict=saved.load(path, found, where.device), **_described(found))


def _embedded(path: Path, found: Mapping[str, Any], where: _Where) -> Predictor:
    from sitsformer.baselines import savedembedded

    layer = found["learner"]["embeddings"]
    return Predictor(
        predict=savedembedded.load(path, found, where.batch_size, where.device),
        layer_read=layer["layer"],
        axes=tuple(layer["axes"]),
        alone=savedembedded.alone(found),
        **_described(found),
    )


def _encodes(found: Mapping[str, Any]) -> bool:
    """Whether a learner reads the network that knows land cover, and asks it itself."""
    return bool(found["learner"].get("embeddings", {}).get("learner") == "with_encoder")


def _described(found: Mapping[str, Any]) -> dict[str, Any]:
    """What every artefact says of itself."""
    from sitsformer.model.inputs import refuse_means
    from sitsformer.modelfiles import classes_of

    mean, std = np.array(found["mean"], np.float32), np.array(found["std"], np.float32)
    learner = found.get("learner", {})
    about = {"LEARNER": learner["name"], "WHY": learner["why"]} if learner else {}
    if learner.get("refined", "none") != "none":
        about["REFINED"] = learner["refined"]
    if attribution := learner.get("embeddings", {}).get("attribution"):
        about["ATTRIBUTION"] = attribution
    return {
        "classes": classes_of(found),
        "layer": str(found.get("layer", "")),
        "bands": tuple(found["bands"]),
        "patch": int(found["architecture"]["patch"]),
        "patches": found.get("patches", {}),
        "refuse_means": lambda means: refuse_means(
            means, mean, std, "set maps.check_values: false in the config"
        ),
        "about": about,
        "sensor": recorded(found),
    }


def _weighed(path: Path, found: Mapping[str, Any], predict: Predict, where: _Where) -> Predict:
    """Probabilities times what the land cover of a pretrained model says of each crop."""
    from sitsformer.fewshot.refine import weighed
    from sitsformer.modelfiles import KNOWING
    from sitsformer.modelstore import load_model

    asked, patch = where.asked(), found["architecture"]["patch"]
    knowing = load_model(path / KNOWING, bands=found["bands"], patch=patch, device=where.device)
    weights = np.array(found["learner"]["weights"])

    def refined(
        reflectance: npt.NDArray[np.uint16],
        doy: npt.NDArray[np.int64],
        *vectors: npt.NDArray[np.float32],
    ) -> npt.NDArray[np.floating]:
        land_cover = knowing.predict(reflectance, doy, **asked)
        return weighed(predict(reflectance, doy, *vectors), land_cover, weights)

    return refined
