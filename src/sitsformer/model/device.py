"""Where a network runs, and how arrays get there."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

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


def hand_back() -> None:
    """Give the system back what memory is free.

    Of tensors of ever other sizes glibc keeps what lies between those in use, more with every
    batch: 0.8 GB after a hundred thousand samples (benchmarks/memory.py). Elsewhere nothing is
    done.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # another C library than glibc
        return None
    return found


def to_device(array: npt.NDArray[Any], device: torch.device | str) -> Tensor:
    """An array as a tensor where it is wanted.

    A GPU fetches it from pinned memory when its turn comes; from other memory the host would wait
    until the GPU has done all that was asked of it before.
    """
    tensor = torch.from_numpy(array)
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
