"""`sitsformer.load_model`: whatever stands in a model's folder, ready to predict raw samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sitsformer.errors import SitsError

if TYPE_CHECKING:
    from sitsformer.model import SITSFormer


@dataclass(frozen=True)
class KeptBaseline:
    """A baseline that draws maps, for samples as people have them.

    Attributes:
        of_samples: (sample, time, band, py, px) uint16 and (sample, time) days -> probabilities.
        title: which baseline it is.
        class_names: in the order of probabilities.
        bands: that it reads, in order.
        patch: side of the patches that it reads, pixels.
        mean, std: (band,) reflectance that it was fitted to.
    """

    of_samples: Any
    title: str
    class_names: tuple[str, ...]
    bands: tuple[str, ...]
    patch: int
    mean: npt.NDArray[np.float64]
    std: npt.NDArray[np.float64]

    def predict(
        self, reflectance: Any, doy: Any, batch_size: int = 1024, *, check: bool = True
    ) -> npt.NDArray[np.float32]:
        """Class probabilities (sample, class); arguments as of `SITSFormer.predict`."""
        from sitsformer.model.inputs import as_stored, refuse_implausible

        shape = (len(self.bands), self.patch, self.patch)
        values, days = as_stored(reflectance, doy, self.bands, shape)
        if check:
            refuse_implausible(values, days, self.mean, self.std)
        starts = range(0, len(days), batch_size)
        parts = [
            self.of_samples(values[k : k + batch_size], days[k : k + batch_size]) for k in starts
        ]
        if not parts:
            return np.empty((0, len(self.class_names)), np.float32)
        return np.concatenate(parts).astype(np.float32)


def load_model(
    path: Path | str,
    *,
    bands: Sequence[str] | None = None,
    patch: int | None = None,
    sensor: str | None = None,
    device: str = "cpu",
) -> SITSFormer | KeptBaseline:
    """Read a model that is ready to predict: a network, or a baseline that draws maps.

    A map may weigh its probabilities by land cover besides (`sitsformer map`); a model does not.

    Args:
        path: the model artefact.
        bands: names of the bands that will be fed; checked against the model's.
        patch: side of the patches that will be fed; checked against the model's.
        sensor: name of the sensor of the images that will be fed; checked against the model's.
        device: `cpu` or `cuda`.

    Raises:
        SitsError: another sensor, bands or patch size, damaged or missing files, a future format.

    Examples:
        >>> import sitsformer
        >>> model = sitsformer.load_model("results/models/crop")
        >>> model.class_names
        ('winter wheat', 'maize', 'soy', 'grass')
        >>> sitsformer.load_model("results/models/crop", patch=5)
        Traceback (most recent call last):
            ...
        sitsformer.errors.SitsError: ...
    """
    from sitsformer import modelstore
    from sitsformer.baselines import saved
    from sitsformer.modelfiles import describe
    from sitsformer.registry import find
    from sitsformer.sensors import recorded, refuse_other, sensors

    path = Path(path)
    found = describe(path)
    if sensor is not None:
        refuse_other(path, recorded(found), find(sensors(), sensor, "sensor"))
    if (layer := found.get("learner", {}).get("embeddings")) is not None:
        raise SitsError(
            f"{path} reads the embeddings {layer['layer']} of each pixel, which no samples hold: "
            "it draws maps (sitsformer map --embeddings, maps.model)"
        )
    if "calendar" not in found.get("learner", {}):
        return modelstore.load_model(path, bands=bands, patch=patch, device=device)
    own = tuple(found["bands"]), found["architecture"]["patch"]
    asked = own[0] if bands is None else tuple(bands), own[1] if patch is None else patch
    if asked != own:
        raise SitsError(
            f"{path} reads the bands {list(own[0])} in patches of {own[1]} pixels; found "
            f"{list(asked[0])} and {asked[1]}"
        )
    return KeptBaseline(
        saved.load(path, found, device),
        found["learner"]["title"],
        tuple(found["classes"]),
        *own,
        np.array(found["mean"]),
        np.array(found["std"]),
    )
