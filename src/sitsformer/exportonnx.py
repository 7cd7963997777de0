"""A model as one ONNX file, for runtimes without Python or torch.

What it reads and gives is that of `model.portable.Portable`, with any number of samples and time
steps; names of classes, their codes and the bands are in the metadata of the file.
"""

from __future__ import annotations

import json
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sitsformer import artefacts
from sitsformer.errors import SitsError

NEEDED = ("onnx", "onnxscript")
"""Packages that torch's exporter imports; the extra `onnx` installs them."""


def export(model_path: Path, out: Path) -> tuple[str, ...]:
    """Write the ONNX file of a model.

    Args:
        model_path: a model artefact, with classes or without.
        out: the file, `.onnx`.

    Returns:
        Names of the file's outputs.

    Raises:
        SitsError: there is no such model, the ending is another, or a package is missing.
    """
    if out.suffix != ".onnx":
        raise SitsError(f"{out}: an ONNX file is written; give a name that ends in .onnx")
    lacking = [name for name in NEEDED if find_spec(name) is None]
    if lacking:
        raise SitsError(
            f"the export needs {' and '.join(lacking)}: pip install {' '.join(lacking)}"
        )
    from sitsformer.modelfiles import describe
    from sitsformer.modelstore import load_model

    model, found = load_model(model_path), describe(model_path)
    outputs = (*(("probabilities",) if model.classifier is not None else ()), "embedding")
    program = _traced(model, outputs)
    program.model.metadata_props.update(_metadata(found))
    with artefacts.create_file(out) as partial:
        program.save(partial, external_data=False)
    return outputs


def _traced(model: Any, outputs: tuple[str, ...]) -> Any:
    import torch

    from sitsformer.model.portable import Portable

    a = model.architecture
    # Sizes that no dimension of the network has, so that none is taken for a constant.
    example = (
        torch.full((3, 7, a.bands, a.patch, a.patch), 0.1),
        torch.arange(1, 22).reshape(3, 7),
    )
    free = {0: torch.export.Dim("sample"), 1: torch.export.Dim("time")}
    with warnings.catch_warnings():
        # Torch's own, of what it calls itself.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Portable(model).eval(),
            example,
            dynamo=True,
            input_names=["reflectance", "doy"],
            output_names=list(outputs),
            dynamic_shapes={"reflectance": free, "doy": free},
            verbose=False,
        )
    assert program is not None
    return program


def _metadata(found: dict[str, Any]) -> dict[str, str]:
    """What a reader needs beside the network: lists as JSON."""
    from sitsformer.modelfiles import classes_of
    from sitsformer.sensors import recorded, said

    classes = classes_of(found)
    return {
        "bands": json.dumps(found["bands"]),
        **said(recorded(found)),
        "patch": str(found["architecture"]["patch"]),
        "classes": json.dumps(list(classes.names)),
        "codes": json.dumps([list(codes) for codes in classes.codes]),
        "layer": str(found.get("layer", "")),
        "task": str(found["task"]),
        "reflectance": "float32 (sample, time, band, y, x), 0 to 1; NaN for what is missing",
        "doy": "int64 (sample, time), 1 to 366; 0 for no step",
    }
