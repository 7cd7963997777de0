"""Transformer encoder over packed steps.

The same layers as nn.TransformerEncoderLayer (parameters keep its names), after the embedding of
SITS-Former: post-norm by default, ReLU, a final layer norm. Projections, feed-forward and norms run
on the packed table; attention pads within groups of similar length, and keeps what its backward
pass needs in one place.

Axes: N steps, H hidden, h heads, d = H / h, b samples and T longest series of a group, Q longest
list of queries of a group.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sitsformer.model.dropout import Noise, drop, factor, relu_drop, threshold
from sitsformer.model.steps import Group, Layout


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
        self, x: Tensor, layout: Layout, noise: Noise, only: tuple[Tensor, Layout] | None = None
    ) -> Tensor:
        """Encode packed steps.

        Args:
            x: (N, H).
            layout: whose steps they are.
            noise: source of dropout masks.
            only: rows (n,) wanted and their layout; the others serve as keys alone.

        Returns:
            (N, H), or (n, H) with `only`.
        """
        rate = self.dropout if self.training else 0.0
        scale = factor(rate, x.device)
        read = _norm(x, self.norm1) if self.pre_norm else x
        wanted, queries = read, layout
        if only is not None:
            rows, queries = only
            wanted, x = read.index_select(0, rows), x.index_select(0, rows)

        hidden = x.shape[1]
        weight, bias = self.self_attn.in_proj_weight, self.self_attn.in_proj_bias
        query = F.linear(wanted, weight[:hidden], bias[:hidden])
        pair = F.linear(read, weight[hidden:], bias[hidden:])
        kept = self.attention_dropout if self.training else 0.0
        mixed = attend(query, pair, queries, layout, self.heads, kept, noise)
        x = x + drop(_linear(mixed, self.self_attn.out_proj, scale), rate, noise)
        if not self.pre_norm:
            x = _norm(x, self.norm1)

        read = _norm(x, self.norm2) if self.pre_norm else x
        inner = relu_drop(_linear(read, self.linear1), rate, noise)
        # Two dropouts, before and after: the weight carries both factors, the bias the second.
        out = F.linear(inner, self.linear2.weight * (scale * scale), self.linear2.bias * scale)
        x = x + drop(out, rate, noise)
        return x if self.pre_norm else _norm(x, self.norm2)


class Encoder(nn.Module):
    """Layers and a final norm, as nn.TransformerEncoder(..., norm=LayerNorm)."""

    def __init__(self, layers: list[Layer], hidden: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(hidden)

    def forward(
        self, x: Tensor, layout: Layout, noise: Noise, only: tuple[Tensor, Layout] | None = None
    ) -> Tensor:
        """Encode packed steps (N, H); with `only`, the last layer computes just those rows."""
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            x = layer(x, layout, noise, only if i == last else None)
        return _norm(x, self.norm)


def _norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    return F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _linear(x: Tensor, linear: nn.Linear, scale: float = 1.0) -> Tensor:
    """Linear layer whose result is multiplied by `scale`, at the price of a small matrix."""
    if scale == 1.0:
        return F.linear(x, linear.weight, linear.bias)
    return F.linear(x, linear.weight * scale, linear.bias * scale)


def attend(
    query: Tensor,
    pair: Tensor,
    queries: Layout,
    keys: Layout,
    heads: int,
    rate: float,
    noise: Noise,
) -> Tensor:
    """Attention within every sample.

    Args:
        query: (n, H) of the steps of `queries`; rows after them are allowed and give 0.
        pair: (N, 2 H) keys and values of the steps of `keys`.
        queries: layout of the n rows wanted; the groups hold the same samples as `keys`.
        keys: layout of the N steps.
        heads: h.
        rate: dropout of the attention weights.
        noise: source of its masks.

    Returns:
        (n, H).
    """
    parts = []
    for asked, known in zip(queries.groups, keys.groups, strict=True):
        if asked.count == 0:
            continue
        rows = query[asked.start : asked.start + asked.count]
        read = pair[known.start : known.start + known.count]
        if query.device.type == "cpu":
            mask = None
            if rate:
                shape = (known.samples * heads, asked.longest, known.longest)
                mask = noise.mask(shape, rate)
            keep = 1 - threshold(rate) / 256
            apply = cast(Any, _Attention).apply
            parts.append(cast(Tensor, apply(rows, read, asked, known, heads, mask, keep)))
        else:
            parts.append(_library_attention(rows, read, asked, known, heads, rate))
    if len(query) > queries.steps or not parts:
        parts.append(query.new_zeros(len(query) - queries.steps, query.shape[1]))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def pad_group(rows: Tensor, group: Group) -> Tensor:
    """(steps of a group, width) -> (samples * longest, width); padding holds copies of step 0."""
    return rows if group.take is None else rows.index_select(0, group.take)


def _library_attention(
    query: Tensor, pair: Tensor, asked: Group, known: Group, heads: int, rate: float
) -> Tensor:
    b, width = known.samples, query.shape[1]
    q = _spread(query, asked).view(b, asked.longest, heads, -1).transpose(1, 2)
    k, v = _spread(pair, known).view(b, known.longest, 2, heads, -1).permute(2, 0, 3, 1, 4)
    bias = None if known.bias is None else known.bias.unsqueeze(1).to(q.dtype)
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=rate)
    out = mixed.transpose(1, 2).reshape(b * asked.longest, width)
    return out if asked.slot is None else out.index_select(0, asked.slot)


def _spread(rows: Tensor, group: Group) -> Tensor:
    """As `pad_group`, but padding is zero.

    On a GPU the gradient of a row that is read for all padding, as step 0 would be, is slow, the
    more so where the order of addition is fixed.
    """
    if group.slot is None:
        return rows
    padded = rows.new_zeros(group.samples * group.longest, rows.shape[1])
    return padded.index_copy(0, group.slot, rows)


class _Attention(torch.autograd.Function):
    """Attention of one group on the CPU, with padding and gathering inside.

    Plain batched products: at some tens of steps they beat the library's fused kernel in training.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        pair: Tensor,
        asked: Group,
        known: Group,
        heads: int,
        mask: Tensor | None,
        keep: float,
    ) -> Tensor:
        b, width = known.samples, query.shape[1]
        scale = 1 / math.sqrt(width // heads)
        q = split_heads(pad_group(query, asked), b, 1, heads)[0]
        k, v = split_heads(pad_group(pair, known), b, 2, heads)
        if known.bias is None:
            score = torch.bmm(q, k.transpose(1, 2)).mul_(scale)
        else:
            bias = known.bias.repeat_interleave(heads, 0).to(q.dtype)
            score = torch.baddbmm(bias, q, k.transpose(1, 2), alpha=scale)
        weight = torch.softmax(score, -1)
        used = weight if mask is None else weight * mask
        mixed = torch.bmm(used, v)
        out = join_heads(mixed.unsqueeze(0), b, heads)
        if mask is not None:
            out /= keep
        ctx.save_for_backward(q, k, v, weight, used, mask)
        ctx.groups, ctx.heads, ctx.keep = (asked, known), heads, keep
        return out if asked.slot is None else out.index_select(0, asked.slot)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, weight, used, mask = ctx.saved_tensors
        (asked, known), heads = ctx.groups, ctx.heads
        grad = grads[0]
        if mask is not None:
            grad = grad / ctx.keep
        if asked.slot is not None:
            padded = grad.new_zeros(asked.samples * asked.longest, grad.shape[1])
            grad = padded.index_copy_(0, asked.slot, grad)
        grad = split_heads(grad, known.samples, 1, heads)[0]
        grad_pair = torch.empty(2, *k.shape, dtype=k.dtype)
        torch.bmm(used.transpose(1, 2), grad, out=grad_pair[1])
        score = torch.bmm(grad, v.transpose(1, 2))
        if mask is not None:
            score.mul_(mask)
        score = torch.ops.aten._softmax_backward_data(score, weight, -1, weight.dtype)
        score.mul_(1 / math.sqrt(q.shape[-1]))
        grad_query = torch.bmm(score, k)
        torch.bmm(score.transpose(1, 2), q, out=grad_pair[0])
        # Rows of padding take no part: nothing flows to them.
        to_query = join_heads(grad_query.unsqueeze(0), known.samples, heads)
        to_pair = join_heads(grad_pair, known.samples, heads)
        if asked.slot is not None:
            to_query = to_query.index_select(0, asked.slot)
        if known.slot is not None:
            to_pair = to_pair.index_select(0, known.slot)
        return to_query, to_pair, None, None, None, None, None


def split_heads(rows: Tensor, samples: int, parts: int, heads: int) -> Tensor:
    """(b * T, parts * H) -> (parts, b * h, T, d), contiguous."""
    longest = rows.shape[0] // samples
    split = rows.reshape(samples, longest, parts, heads, -1).permute(2, 0, 3, 1, 4)
    return split.reshape(parts, samples * heads, longest, -1)


def join_heads(split: Tensor, samples: int, heads: int) -> Tensor:
    """The inverse of `split_heads`."""
    parts, _, longest, _ = split.shape
    rows = split.view(parts, samples, heads, longest, -1).permute(1, 3, 0, 2, 4)
    return rows.reshape(samples * longest, -1)
