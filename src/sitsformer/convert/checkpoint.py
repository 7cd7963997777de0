"""A checkpoint of SITS-Former's own code -> a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sitsformer.classes import Classes
from sitsformer.convert.store import check_place
from sitsformer.errors import SitsError
from sitsformer.legendtable import made_colour
from sitsformer.sensors import BANDS
from sitsformer.training.objectives.published import SITS_FORMER

FILES = ("checkpoint.bert.tar", "checkpoint.tar")
"""What SITS-Former's trainers write: the encoder alone, and the whole network."""
HEADS = {
    "classification.linear.": "classifier.",  # finetuning.py
    "linear.": "reconstruction.",  # pretraining.py
}
"""Names of a head in a whole network, and ours."""
_ENCODER = ("embedding.", "transformer_encoder.")
_FIRST_KERNEL = (5, 3, 3)


def checkpoint(
    path: Path, out: Path, mean: Sequence[float], std: Sequence[float], heads: int = 8
) -> None:
    """Turn a SITS-Former checkpoint (`checkpoint.bert.tar`, `checkpoint.tar`) into a model.

    The file is a state dict, or a mapping with one under `model_state_dict` or `state_dict`. Heads
    in it, for reconstruction or for classes, are kept; those it lacks are fresh, and so is the
    mask token (the published one is a random constant that was never saved). `mean` and `std`
    (band,) are of the reflectance that its inputs were normalised with; tensors do not tell them,
    nor the number of heads.

    Raises:
        SitsError: the file holds more than tensors, other tensors than SITS-Former's, or weights
            that are no numbers; statistics or heads that do not fit.
    """
    import torch

    from sitsformer.model import SITSFormer
    from sitsformer.modelstore import KIND, Origin, save_model

    check_place(out, KIND)
    _check_statistics(mean, std)
    path = find(path)
    state = _read_state(path)
    shape = _architecture(path, state, heads)
    known = range(shape.classes)
    classes = Classes(tuple(f"class_{k}" for k in known), tuple(map(made_colour, known)))
    torch.manual_seed(0)
    model = SITSFormer(shape, mean, std, BANDS[: shape.bands], classes.names)
    _compare(path, state, model.state_dict())
    model.load_state_dict(state, strict=False)
    data = {"converted from": path.name, "pretrained by": "code of Yuan et al. 2022 (SITS-Former)"}
    settings = {"file": path.name, "heads": heads}
    task = "classification" if shape.classes else SITS_FORMER.name
    save_model(
        out,
        model,
        Origin(task, data, settings, {"checkpoint": path}, classes=classes),
    )


def find(path: Path) -> Path:
    """The checkpoint in a folder that SITS-Former's code wrote; a file is itself."""
    if not path.is_dir():
        return path
    for name in FILES:
        if (path / name).is_file():
            return path / name
    raise SitsError(
        f"{path} holds neither a model of sitsformer nor a checkpoint of SITS-Former "
        f"({' or '.join(FILES)})"
    )


def _check_statistics(mean: Sequence[float], std: Sequence[float]) -> None:
    for name, values in (("mean", mean), ("std", std)):
        if len(values) != len(BANDS) or not np.isfinite(values).all():
            raise SitsError(
                f"--{name} needs {len(BANDS)} numbers, one a band ({', '.join(BANDS)}); "
                f"found {', '.join(f'{v:g}' for v in values)}"
            )
        if np.abs(values).max() > 2:
            raise SitsError(
                f"--{name} holds {np.abs(values).max():g}: give reflectance, from 0 to 1 (divide "
                "values x 10,000)"
            )
    if min(std) <= 0:
        raise SitsError(f"--std must be above 0 in every band; found {min(std):g}")


def _read_state(path: Path) -> dict[str, Any]:
    import pickle

    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SitsError(
            f"{path} holds more than tensors, or no checkpoint at all, and is not read, since "
            f"unpickling runs code: save its state dict alone ({str(error).splitlines()[0]})"
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, AttributeError) as error:
        why = error if isinstance(error, OSError) else "it is damaged, or none"
        raise SitsError(f"{path} cannot be read as a checkpoint of torch: {why}") from None
    for key in ("model_state_dict", "state_dict"):
        if isinstance(found, Mapping) and key in found:
            found = found[key]
    if not isinstance(found, Mapping) or not all(torch.is_tensor(v) for v in found.values()):
        raise SitsError(f"{path} holds no state dict: tensors by name were expected")
    return {_name(str(name)): value for name, value in found.items()}


def _name(name: str) -> str:
    """Name of a tensor here, without those of wrappers (DataParallel, the network around)."""
    short = name.removeprefix("module.").removeprefix("bert.")
    for theirs, ours in HEADS.items():
        if short.startswith(theirs):
            return ours + short.removeprefix(theirs)
    return short


def _architecture(path: Path, state: Mapping[str, Any], heads: int) -> Any:
    """Shape of the network from its tensors, and the number of heads."""
    from sitsformer.model import Architecture

    needed = {
        "embedding.conv1.0.weight": 5,
        "embedding.linear.weight": 2,
        "embedding.position.pe": 2,
    }
    for name, dimensions in needed.items():
        if name not in state:
            raise SitsError(f"{path} lacks tensor {name!r}: it is no SITS-Former encoder")
        if state[name].ndim != dimensions:
            raise SitsError(f"{path}: tensor {name} is {tuple(state[name].shape)}: no SITS-Former")
    kernel = tuple(state["embedding.conv1.0.weight"].shape[2:])
    if kernel != _FIRST_KERNEL:
        raise SitsError(f"{path}: the first kernel is {kernel}, expected {_FIRST_KERNEL}")
    hidden = int(state["embedding.linear.weight"].shape[0])
    if heads < 1 or hidden % heads or hidden % 2:
        raise SitsError(
            f"{path} has a width of {hidden}, which {heads} attention heads do not divide: give "
            "the number it was trained with by --heads"
        )
    layers = len({n.split(".")[2] for n in state if n.startswith("transformer_encoder.layers.")})
    width = state.get("transformer_encoder.layers.0.linear1.weight")
    head = state.get("classifier.weight")
    return Architecture(
        bands=len(BANDS),
        patch=5,
        hidden=hidden,
        layers=max(1, layers),
        heads=heads,
        feedforward=0 if width is None else int(width.shape[0]),
        classes=0 if head is None else int(head.shape[0]),
    )


def _compare(path: Path, state: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """Refuse tensors that are not those of the model, or hold no numbers."""
    import torch

    heads = tuple(head for head in HEADS.values() if any(n.startswith(head) for n in state))
    wanted = {name: v for name, v in model.items() if name.startswith((*_ENCODER, *heads))}
    for name in sorted(set(wanted) | set(state)):
        if name not in state or name not in wanted:
            problem = "lacks" if name not in state else "has the unknown"
            raise SitsError(f"{path} {problem} tensor {name!r}: it is no SITS-Former encoder")
        found = state[name]
        if found.shape != wanted[name].shape:
            raise SitsError(
                f"{path}: tensor {name} is {tuple(found.shape)}, "
                f"expected {tuple(wanted[name].shape)}"
            )
        plain = found.layout == torch.strided and not (found.is_meta or found.is_quantized)
        if not plain or found.is_floating_point() != wanted[name].is_floating_point():
            kind = found.dtype if plain else "sparse, quantised or without data"
            raise SitsError(
                f"{path}: tensor {name} is {kind}, expected plain {wanted[name].dtype}: save the "
                "weights as they were trained"
            )
        if not torch.isfinite(found.float()).all():
            raise SitsError(
                f"{path}: tensor {name} holds values that are no finite numbers: its training "
                "failed, use an earlier checkpoint"
            )
        if name.endswith("running_var") and (found < 0).any():
            raise SitsError(f"{path}: tensor {name} holds variances below 0")
