"""Several processes that train one model together, started by torchrun.

    torchrun --nproc-per-node 4 -m sitsformer pretrain ...

Every process takes its share of each batch; gradients are added up in one flat buffer after the
last micro-batch. Losses are divided by the count over all processes before, so the sum is the
gradient of the whole batch, as in one process. (DistributedDataParallel averages over processes
instead, which is something else when shares hold unequal numbers of valid or masked steps.)
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from sitsformer.model.device import find_device


def start(device: str = "auto") -> torch.device:
    """Join the other processes if torchrun started this one, and choose the device.

    Args:
        device: `auto` (a GPU if there is one), `cpu` or `cuda`.

    Raises:
        SitsError: `cuda` without a GPU that this torch can use.
    """
    found = find_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    cuda = found.type == "cuda"
    if cuda:
        torch.cuda.set_device(found)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not torch.distributed.is_initialized():
        # Counts stay on the host: to fetch one from a GPU is to wait for all its work.
        torch.distributed.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    return found


def rank() -> int:
    """Number of this process."""
    return torch.distributed.get_rank() if several() else 0


def world() -> int:
    """How many processes train together."""
    return torch.distributed.get_world_size() if several() else 1


def several() -> bool:
    """Whether there are other processes."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def add_up(values: Iterable[float]) -> list[float]:
    """Sums of some numbers over the processes."""
    if not several():
        return list(values)
    total = torch.tensor(list(values), dtype=torch.float64)
    torch.distributed.all_reduce(total)
    return total.tolist()


def least(values: Iterable[float]) -> list[float]:
    """The smallest of each number over the processes, so that all decide alike."""
    smallest = torch.tensor(list(values), dtype=torch.float64)
    if several():
        torch.distributed.all_reduce(smallest, torch.distributed.ReduceOp.MIN)
    return smallest.tolist()


def here() -> int:
    """Processes on this machine, which share its memory."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if several() else 1


def free_memory(device: torch.device) -> int | None:
    """Bytes free on a GPU; None for the CPU."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def add_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace gradients by their sums over the processes; all must hold the same ones."""
    if not several():
        return
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    known = add_up([float(parameter.grad is not None) for parameter in learning])
    grads = []
    for parameter, processes in zip(learning, known, strict=True):
        # A share without a mask or a label leaves some parameters without a gradient; what has
        # none anywhere is not trained at all, as in one process.
        if processes:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            grads.append(parameter.grad)
    flat = torch.cat([grad.flatten() for grad in grads])
    torch.distributed.all_reduce(flat)
    parts = torch.split(flat, [grad.numel() for grad in grads])
    for grad, total in zip(grads, parts, strict=True):
        grad.copy_(total.view_as(grad))


def gather_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of all processes, whose gradients find back to where they come from.

    Args:
        rows: (n, ...) of this process; n may differ between processes and be 0 in none.

    Returns:
        (sum of n, ...) process after process, and (n,) int64 places of this process's own.
    """
    if not several():
        return rows, torch.arange(len(rows), device=rows.device)
    counts = [0.0] * world()
    counts[rank()] = float(len(rows))
    sizes = [int(count) for count in add_up(counts)]
    first = sum(sizes[: rank()])
    found: Tensor = _Gathered.apply(rows, sizes)  # type: ignore[no-untyped-call]
    return found, torch.arange(first, first + len(rows), device=rows.device)


class _Gathered(torch.autograd.Function):
    """All rows forwards; backwards the sum of what all processes ask of one's own."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, sizes: list[int]) -> Tensor:
        ctx.sizes = sizes
        longest = max(sizes)
        filled = rows.new_zeros(longest, *rows.shape[1:])
        filled[: len(rows)] = rows
        parts = [torch.empty_like(filled) for _ in sizes]
        torch.distributed.all_gather(parts, filled)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        gradient = gradient.contiguous()
        torch.distributed.all_reduce(gradient)
        return torch.split(gradient, ctx.sizes)[rank()], None


def wait() -> None:
    """Until every process is here."""
    add_up([0.0])


def finish() -> None:
    """Leave the group."""
    if several():
        torch.distributed.destroy_process_group()
