"""Transformer encoder over packed steps.

The same layers as nn.TransformerEncoderLayer (parameters keep its names), after the embedding of
SITS-Former: post-norm by default, ReLU, a final layer norm. Projections, feed-forward and norms run
on the packed table; attention alone pads.

Axes: N steps, H hidden, h heads, d = H / h, B samples, T longest series, Q longest list of queries
of a sample.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sitsformer.model.rows import Rows, spread, take
from sitsformer.model.steps import StepTable


class SelfAttention(nn.Module):
    """Parameters of nn.MultiheadAttention, under its names."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * hidden, hidden))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * hidden))
        self.out_proj = nn.Linear(hidden, hidden)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)


class Layer(nn.Module):
    """One encoder layer.

    Args:
        hidden: width H.
        heads: attention heads.
        feedforward: width of the feed-forward layer.
        dropout: rate after attention, inside and after the feed-forward layer.
        attention_dropout: rate on the attention weights.
        pre_norm: layer norm before each block instead of after.
    """

    def __init__(
        self,
        hidden: int,
        heads: int,
        feedforward: int,
        dropout: float,
        attention_dropout: float,
        pre_norm: bool,
    ) -> None:
        super().__init__()
        self.heads, self.dropout, self.attention_dropout = heads, dropout, attention_dropout
        self.pre_norm = pre_norm
        self.self_attn = SelfAttention(hidden)
        self.linear1 = nn.Linear(hidden, feedforward)
        self.linear2 = nn.Linear(feedforward, hidden)
        self.norm1 = nn.LayerNorm(hidden)
        self.norm2 = nn.LayerNorm(hidden)

    def forward(
        self,
        x: Tensor,
        layout: StepTable,
        only: tuple[Rows, StepTable] | None = None,
    ) -> Tensor:
        """Encode packed steps.

        Args:
            x: (N, H).
            layout: whose steps they are.
            only: the n rows wanted and their layout; the others serve as keys alone.

        Returns:
            (N, H), or (n, H) with `only`.
        """
        read = _norm(x, self.norm1) if self.pre_norm else x
        wanted, queries = read, layout
        if only is not None:
            rows, queries = only
            wanted, x = (take(table, rows) for table in (read, x))

        hidden = x.shape[1]
        weight, bias = self.self_attn.in_proj_weight, self.self_attn.in_proj_bias
        query = F.linear(wanted, weight[:hidden], bias[:hidden])
        pair = F.linear(read, weight[hidden:], bias[hidden:])
        kept = self.attention_dropout if self.training else 0.0
        mixed = attend(query, pair, queries, layout, self.heads, kept)
        x = x + self._drop(self.self_attn.out_proj(mixed))
        if not self.pre_norm:
            x = _norm(x, self.norm1)

        read = _norm(x, self.norm2) if self.pre_norm else x
        inner = self._drop(torch.relu(self.linear1(read)))
        x = x + self._drop(self.linear2(inner))
        return x if self.pre_norm else _norm(x, self.norm2)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class Encoder(nn.Module):
    """Layers and a final norm, as nn.TransformerEncoder(..., norm=LayerNorm)."""

    def __init__(self, layers: list[Layer], hidden: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(hidden)

    def forward(
        self,
        x: Tensor,
        layout: StepTable,
        only: tuple[Rows, StepTable] | None = None,
    ) -> Tensor:
        """Encode packed steps (N, H); with `only`, the last layer computes just those rows."""
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            x = layer(x, layout, only if i == last else None)
        return _norm(x, self.norm)


def _norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    return F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def attend(
    query: Tensor,
    pair: Tensor,
    queries: StepTable,
    keys: StepTable,
    heads: int,
    rate: float,
) -> Tensor:
    """Attention within every sample.

    Args:
        query: (n, H) of the steps of `queries`.
        pair: (N, 2 H) keys and values of the steps of `keys`.
        queries: layout of the n rows wanted, of the same samples as `keys`.
        keys: layout of the N steps.
        heads: h.
        rate: dropout of the attention weights.

    Returns:
        (n, H).
    """
    if queries.steps == 0:
        return torch.zeros_like(query)
    asked = by_head(query, queries, heads, 1)[0]
    key, value = by_head(pair, keys, heads, 2)
    bias = None if keys.bias is None else keys.bias.unsqueeze(1).to(query.dtype)
    mixed = F.scaled_dot_product_attention(asked, key, value, bias, rate)
    return from_heads(mixed, queries)


def by_head(rows: Tensor, layout: StepTable, heads: int, parts: int) -> Tensor:
    """Packed steps by sample and head: (N, parts * H) -> (parts, B, h, T, d); padding is zero."""
    samples, longest = layout.samples, layout.longest
    if layout.slot is not None:
        rows = spread(rows, layout.slot, 0.0)
    return rows.reshape(samples, longest, parts, heads, -1).permute(2, 0, 3, 1, 4)


def from_heads(mixed: Tensor, layout: StepTable) -> Tensor:
    """The inverse of `by_head` for one part: (B, h, T, d) -> (N, H)."""
    rows = mixed.transpose(1, 2).flatten(2).flatten(0, 1)
    return rows if layout.slot is None else take(rows, layout.slot)
