"""Training checkpoints: one file with everything, replaced whole, and nothing unpickled.

A checkpoint is a safetensors file `checkpoint.safetensors`: weights under `model.`, the best
weights so far under `best.`, the optimiser's state under `optimiser.`; its header holds JSON with
the position in the run, the history and the fingerprint of the settings, and the SHA-256 of it all.
Random numbers need no saving: every step draws its own from the seed and its number.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sitsformer.errors import SitsError, TemporaryError, no_room

FILE = "checkpoint.safetensors"


def save(
    folder: Path,
    model: nn.Module,
    best: Mapping[str, Tensor],
    optimiser: Optimizer | None,
    state: Mapping[str, Any],
) -> None:
    """Write the checkpoint of a run; the one before stays whole until this one is.

    Args:
        folder: where checkpoints of this run live.
        model: its weights.
        best: weights of the best validation so far; may be empty.
        optimiser: its moments and step counts; None: the run has finished and needs them no more.
        state: position, history, fingerprint: JSON values.

    Raises:
        TemporaryError: the disk is full.
        SitsError: it cannot be written.
    """
    from safetensors.torch import save_file

    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in best.items()}
    steps = {} if optimiser is None else optimiser.state_dict()["state"]
    for number, moments in steps.items():
        tensors |= {f"optimiser.{number}.{k}": v for k, v in moments.items()}
    tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    partial = folder / f".{FILE}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(state)
        save_file(tensors, partial, {"state": text, "sha256": digest(tensors, text)})
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        partial.replace(folder / FILE)
    except Exception as error:
        partial.unlink(missing_ok=True)
        full = no_room(error)
        raise (TemporaryError if full else SitsError)(
            f"the checkpoint {folder / FILE} cannot be written: "
            f"{'the disk is full' if full else error}; the one before it is whole: "
            f"{'make room' if full else 'mend that'} and run the same command again to resume from "
            "there"
        ) from None


def load(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Read a checkpoint.

    Returns:
        State and tensors, or None where there is no checkpoint.

    Raises:
        SitsError: it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as opened:
            header = opened.metadata()
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        if header["sha256"] != digest(tensors, header["state"]):
            raise ValueError("its checksum differs")
        state = json.loads(header["state"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise SitsError(
            f"the checkpoint {path} is damaged ({error}): delete it to start the training afresh"
        ) from None
    return state, tensors


def digest(tensors: Mapping[str, Tensor], state: str) -> str:
    """SHA-256 of tensors with their names and shapes, and of the state."""
    found = hashlib.sha256(state.encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def restore(
    tensors: Mapping[str, Tensor], model: nn.Module, optimiser: Optimizer
) -> dict[str, Tensor]:
    """Put a checkpoint's tensors where they came from.

    Returns:
        The best weights so far.
    """
    model.load_state_dict(part(tensors, "model."))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in part(tensors, "optimiser.").items():
        number, kind = name.split(".")
        moments.setdefault(int(number), {})[kind] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": moments, "param_groups": groups})
    return part(tensors, "best.")
