"""Some rows of a table: taken out of it, and put back into it.

Plain indexing does both. Its gradient adds rows up, which a GPU does in a fixed order only by
sorting the index first, ten times as long as the copy itself; but here no row is taken twice, so
the gradient of either is the other one, a copy.

On a GPU tables have one of a few sizes (`filled`): rows that belong to nobody stand after the
others. Nothing of them enters a result, and no gradient reaches them.

Axes: N rows of the table, n of them chosen, H columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sitsformer.model.device import to_device

LEAST = 256
"""Rows of the smallest table on a GPU."""

SIZES = 8
"""Sizes of tables to each doubling: at most an eighth of a table is nobody's."""


@dataclass(frozen=True)
class Rows:
    """Rows of a table, each once, in order.

    Attributes:
        index: (n,) int64, where they are; of a filled table the first row's place in what is
            nobody's.
        back: (N,) int64, the place of each row of the table among them; n: it is none of them.
            None on a CPU, where plain indexing is as fast.
        real: (n,) bool, False in what is nobody's; None on a CPU, whose tables are not filled.
        count: N.
    """

    index: Tensor
    back: Tensor | None
    real: Tensor | None
    count: int


def plain(device: torch.device | str) -> bool:
    """Whether indexing and odd numbers of rows cost nothing there."""
    return torch.device(device).type == "cpu"


def filled(rows: int, device: torch.device | str) -> int:
    """Rows of the table that so many rows stand in.

    For every number of rows that it has not met, a GPU's library of products looks for the best
    kernel, on the host and for longer than the product takes; and a recorded step is of one shape.
    """
    if plain(device):
        return rows
    step = max(LEAST, (1 << max(rows, 1).bit_length()) // (2 * SIZES))
    return max(1, -(-rows // step)) * step


def choose(
    chosen: npt.NDArray[np.bool_], device: torch.device | str, count: int | None = None
) -> Rows:
    """The rows that are chosen.

    Args:
        chosen: of the first rows of the table.
        device: where the table is.
        count: N, rows of the table; None: as many as are said to be chosen or not.
    """
    found = np.flatnonzero(chosen)
    count = len(chosen) if count is None else count
    if plain(device):
        return Rows(to_device(found, device), None, None, count)
    size = filled(len(found), device)
    index, back = np.zeros(size, np.int64), np.full(count, size)
    index[: len(found)] = found
    back[found] = np.arange(len(found))
    real = np.arange(size) < len(found)
    placed = to_device(index, device), to_device(back, device), to_device(real, device)
    return Rows(*placed, count)


def take(table: Tensor, rows: Rows) -> Tensor:
    """(n, H) of a table (N, H)."""
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
    places = rows.index, rows.back, rows.real
    return cast(Tensor, _Spread.apply(found, last, *places))  # type: ignore[no-untyped-call]


class _Taken(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, index: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        return table.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (back,) = ctx.saved_tensors
        (grad,) = grads
        table = torch.cat([grad, grad.new_zeros(1, *grad.shape[1:])]).index_select(0, back)
        return table, None, None


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, found: Tensor, last: Tensor, index: Tensor, back: Tensor, real: Tensor
    ) -> Tensor:
        ctx.save_for_backward(index, back, real)
        return torch.cat([found, last.to(found.dtype)]).index_select(0, back)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        index, back, real = ctx.saved_tensors
        (grad,) = grads
        last = None
        if ctx.needs_input_grad[1]:
            others = (back == len(index)).view(-1, *(1,) * (grad.ndim - 1))
            last = (grad * others).sum(0, keepdim=True)
        nobodys = ~real.view(-1, *(1,) * (grad.ndim - 1))
        return grad.index_select(0, index).masked_fill_(nobodys, 0), last, None, None, None
