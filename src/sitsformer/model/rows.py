"""Some rows of a table: taken out of it, and put back into it.

Plain indexing does both. Its gradient adds rows up, which a GPU does in a fixed order only by
sorting the index first, ten times as long as the copy itself; but here no row is taken twice, so
the gradient of either is the other one, a copy.

Axes: N rows of the table, n of them chosen, H columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from sitsformer.model.device import to_device

FILL = 256
"""On a GPU tables are filled up to a multiple of this many rows: for every number of rows that it
has not met, its library of products looks for the best kernel, on the host and for longer than the
product takes."""


@dataclass(frozen=True)
class Rows:
    """Rows of a table, each once, in order.

    Attributes:
        index: (n,) int64, where they are.
        back: (N,) int64, the place of each row of the table among them; n: it is none of them.
            None on a CPU, where plain indexing is as fast.
        count: N.
    """

    index: Tensor
    back: Tensor | None
    count: int


def plain(device: torch.device | str) -> bool:
    """Whether indexing and odd numbers of rows cost nothing there."""
    return torch.device(device).type == "cpu"


def choose(chosen: npt.NDArray[np.bool_], device: torch.device | str) -> Rows:
    """The rows that are chosen.

    Args:
        chosen: (N,).
        device: where the table is.
    """
    index = np.flatnonzero(chosen)
    if plain(device):
        return Rows(to_device(index, device), None, len(chosen))
    return Rows(to_device(index, device), to_device(_places(chosen), device), len(chosen))


def _places(chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """(N,) place of each row among the chosen ones; their number where it is not chosen."""
    count = int(chosen.sum())
    return np.where(chosen, np.cumsum(chosen) - 1, count).astype(np.int64)


def take(table: Tensor, rows: Rows) -> Tensor:
    """(n, H) of a table (N, H), which may have more rows that belong to nobody."""
    if rows.back is None:
        return table.index_select(0, rows.index)
    return cast(Tensor, _Taken.apply(table, rows.index, rows.back))  # type: ignore[no-untyped-call]


def spread(found: Tensor, rows: Rows, other: float) -> Tensor:
    """The inverse of `take`: (n, H) -> (N, H), `other` in the rows that are not chosen."""
    if rows.back is None:
        table = found.new_full((rows.count, *found.shape[1:]), other)
        return table.index_copy(0, rows.index, found)
    last = found.new_full((1, *found.shape[1:]), other)
    return _placed(found, last, rows)


def beside(found: Tensor, rows: Rows, other: Tensor) -> Tensor:
    """(n, H) -> (N, H), with a row (H,) that learns in place of those that are not chosen."""
    last = other.unsqueeze(0)
    if rows.back is None:
        places = torch.full((rows.count,), len(found))
        places[rows.index] = torch.arange(len(found))
        return torch.cat([found, last]).index_select(0, places)
    return _placed(found, last, rows)


def _placed(found: Tensor, last: Tensor, rows: Rows) -> Tensor:
    """Rows (n, H) back in their places, and a last one (1, H) in all others."""
    return cast(
        Tensor,
        _Spread.apply(found, last, rows.index, rows.back),  # type: ignore[no-untyped-call]
    )


def fill(table: Tensor) -> Tensor:
    """A table (N, ...) with rows of zeros after it, on a GPU; see `FILL`."""
    if plain(table.device):
        return table
    missing = -len(table) % FILL
    if not missing:
        return table
    return F.pad(table, (*(0, 0) * (table.ndim - 1), 0, missing))


class _Taken(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, index: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        ctx.rows = len(table)
        return table.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (back,) = ctx.saved_tensors
        (grad,) = grads
        table = torch.cat([grad, grad.new_zeros(1, *grad.shape[1:])]).index_select(0, back)
        missing = ctx.rows - len(table)
        if missing:
            table = F.pad(table, (*(0, 0) * (table.ndim - 1), 0, missing))
        return table, None, None


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, found: Tensor, last: Tensor, index: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(index, back)
        return torch.cat([found, last.to(found.dtype)]).index_select(0, back)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        index, back = ctx.saved_tensors
        (grad,) = grads
        last = None
        if ctx.needs_input_grad[1]:
            others = (back == len(index)).view(-1, *(1,) * (grad.ndim - 1))
            last = (grad * others).sum(0, keepdim=True)
        return grad.index_select(0, index), last, None, None
