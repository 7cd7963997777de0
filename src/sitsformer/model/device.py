"""Where a network runs, by the name that users give."""

from __future__ import annotations

import torch

from sitsformer.errors import SitsError

AUTO, CPU, CUDA = "auto", "cpu", "cuda"


def find_device(name: str = AUTO, number: int = 0) -> torch.device:
    """The device of a name.

    Args:
        name: `auto` (a GPU if there is one), `cpu` or `cuda`.
        number: which of several GPUs.

    Raises:
        SitsError: `cuda` without a GPU that this torch can use.
    """
    there = name != CPU and torch.cuda.is_available()
    if name == CUDA and not there:
        raise SitsError(
            f"device cuda was asked for, but torch {torch.__version__} finds no GPU: use cpu or "
            "auto, or install a torch built for the CUDA driver of this machine"
        )
    return torch.device(CUDA, number) if there else torch.device(CPU)
