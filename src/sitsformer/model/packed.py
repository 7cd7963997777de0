"""Prediction on a CPU with weights packed once, and ReLU and sums fused into the products.

The same float32 function as the network it is made of. Four fifths of a prediction are matrix
products with weights that do not change: oneDNN lays such weights out for its kernels in advance
and applies a ReLU or adds the residual while a result is still in registers. BatchNorm is folded
into the weights. Training needs the weights as they are, so this is a copy, made anew by every
prediction large enough to repay it.

Axes: N steps, H hidden, C bands, P pixels of a patch.
"""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sitsformer.model import SITSFormer
from sitsformer.model.dropout import Noise
from sitsformer.model.embedding import ConvEmbedding, LinearEmbedding
from sitsformer.model.encoder import Layer, attend
from sitsformer.model.steps import Layout, Steps

LEAST_STEPS = 2048
"""Steps of a prediction from which packed weights are used: packing costs about what it gains in
1,000 (the size of the network hardly matters, because both grow with it)."""

SIZES = 24
"""Batches are filled up to a multiple of their usual size divided by this: oneDNN prepares a
product once for every number of rows, half a millisecond each."""


def can_pack(model: SITSFormer) -> bool:
    """Whether this torch and this processor have the packed products."""
    weight = model.mask_token
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


class PackedLinear:
    """A linear layer for prediction.

    Args:
        weight: (out, in) float32.
        bias: (out,) float32.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous())
        self.bias = bias.detach().clone()

    def __call__(self, x: Tensor, relu: bool = False) -> Tensor:
        """Apply to rows (N, in)."""
        after = "relu" if relu else "none"
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, after, [], "")
        return out

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        """Apply to rows (N, in) and add (N, out)."""
        out: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            x, other, self.weight, self.bias, "add"
        )
        return out


class PackedConvEmbedding(nn.Module):
    """See `embedding.ConvEmbedding`."""

    def __init__(self, embedding: ConvEmbedding) -> None:
        super().__init__()
        self.position, self.columns = embedding.position, embedding.columns
        self.first, self.second, self.third = (
            PackedLinear(weight, bias) for weight, bias in embedding.folded()
        )

    def forward(self, values: Tensor) -> Tensor:
        """Embed values (N, C, P) as (N, H)."""
        hidden = self.first(self.columns(values), relu=True).view(len(values), -1)
        return self.third(self.second(hidden, relu=True))


class PackedLinearEmbedding(nn.Module):
    """See `embedding.LinearEmbedding`."""

    def __init__(self, embedding: LinearEmbedding) -> None:
        super().__init__()
        self.position = embedding.position
        self.linear = PackedLinear(embedding.linear.weight, embedding.linear.bias)

    def forward(self, values: Tensor) -> Tensor:
        """Embed values (N, C, P) as (N, H)."""
        return self.linear(values.flatten(1))


class PackedLayer(nn.Module):
    """An encoder layer; see `encoder.Layer`. There may be more rows than steps in the layout."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        attention = layer.self_attn
        self.heads, self.pre_norm = layer.heads, layer.pre_norm
        self.project = PackedLinear(attention.in_proj_weight, attention.in_proj_bias)
        self.mix = PackedLinear(attention.out_proj.weight, attention.out_proj.bias)
        self.inner = PackedLinear(layer.linear1.weight, layer.linear1.bias)
        self.outer = PackedLinear(layer.linear2.weight, layer.linear2.bias)
        self.norm1, self.norm2 = copy.deepcopy(layer.norm1), copy.deepcopy(layer.norm2)

    def forward(self, x: Tensor, layout: Layout, noise: Noise, only: None = None) -> Tensor:
        """Encode packed steps (N, H) without dropout."""
        hidden = x.shape[1]
        projected = self.project(self.norm1(x) if self.pre_norm else x)
        query, pair = projected[:, :hidden], projected[:, hidden:]
        mixed = attend(query, pair, layout, layout, self.heads, 0.0, noise)
        x = self.mix.plus(mixed, x)
        if self.pre_norm:
            return self.outer.plus(self.inner(self.norm2(x), relu=True), x)
        x = self.norm1(x)
        return cast(Tensor, self.norm2(self.outer.plus(self.inner(x, relu=True), x)))


def rounded(steps: Steps, usual: int) -> Steps:
    """A batch whose table is filled up with rows that belong to no sample; see `SIZES`."""
    unit = max(1, usual // SIZES)
    wanted = -(-len(steps.values) // unit) * unit
    doy = F.pad(steps.doy, (0, wanted - len(steps.doy)))
    return Steps(_filled(steps.values, wanted), doy, steps.layout)


def _filled(rows: Tensor, wanted: int) -> Tensor:
    missing = wanted - len(rows)
    return rows if missing == 0 else torch.cat([rows, rows.new_zeros(missing, *rows.shape[1:])])


@torch.no_grad()
def packed(model: SITSFormer) -> SITSFormer:
    """A copy of a model in which packed parts stand in place of those they are made of.

    Args:
        model: not changed. Layers of another kind than `encoder.Layer` are copied as they are.
    """
    embedding = model.embedding
    instead: dict[int, Any] = {
        id(layer): PackedLayer(layer)
        for layer in model.transformer_encoder.layers
        if isinstance(layer, Layer)
    }
    if isinstance(embedding, ConvEmbedding):
        instead[id(embedding)] = PackedConvEmbedding(embedding)
    else:
        instead[id(embedding)] = PackedLinearEmbedding(embedding)
    return copy.deepcopy(model, instead).eval().requires_grad_(False)
