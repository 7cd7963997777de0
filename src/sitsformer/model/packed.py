"""Prediction on a CPU with weights packed once and products merged.

The same float32 function as the network it is made of. Four fifths of a prediction are matrix
products with weights that do not change: oneDNN lays such weights out for its kernels in advance
and applies a ReLU while a result is still in registers. BatchNorm is folded into the weights, and
so are the scale of attention and the last product of the embedding, as far as the first layer's
queries, keys and values read it. Training needs the weights as they are, so this is a copy, made
anew by every prediction large enough to repay it.

In bfloat16 the same products are about twice as fast on processors that have units for it, and
exact to some three digits; sums, and what stands between the products of one, stay float32.

The products are torch's own business (operations with an underscore, made for its compiler): they
are tried once in each process, and where they are missing, fail or give other numbers, prediction
takes the network as it is.

Axes: N steps, B samples, H hidden, h heads, d = H / h, C bands, P pixels of a patch, f features
before the last product of the embedding.
"""

from __future__ import annotations

import logging
import math
from functools import cache, cached_property
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sitsformer.model.embedding import ConvEmbedding, LinearEmbedding
from sitsformer.model.encoder import Layer, by_head, from_heads
from sitsformer.model.network import SITSFormer
from sitsformer.model.steps import Steps, StepTable

logger = logging.getLogger("sitsformer")

LEAST_STEPS = 2048
"""Steps of a prediction from which packed weights are used: packing costs about what it gains in
1,000 (the size of the network hardly matters, because both grow with it)."""

ROWS = 16
"""Batches are filled up to a multiple of this many rows: oneDNN prepares a product once for every
number of rows, half a millisecond each."""

_UNITS = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")

PATCHES = 384
"""Steps whose patches are embedded at once: what the convolutions make is ten times their size."""


def can_pack(model: SITSFormer, kind: torch.dtype = torch.float32) -> bool:
    """Whether this model can be predicted with packed products here."""
    weight = model.mask_token
    plain = weight.device.type == "cpu" and weight.dtype == torch.float32
    return plain and products_are_right(kind)


def has_bf16_units() -> bool:
    """Whether this processor multiplies bfloat16: AVX512-BF16 or AMX."""
    known = (getattr(torch.cpu, name, None) for name in _UNITS)
    return any(found is not None and found() for found in known)


@cache
def products_are_right(kind: torch.dtype = torch.float32) -> bool:
    """Try packed products on a small case against ordinary ones."""
    close = 1e-4 if kind == torch.float32 else 0.1
    rows = torch.linspace(-1, 1, 3 * 40).view(3, 40)
    weight = torch.linspace(1, -1, 24 * 40).view(24, 40).sin()
    bias = torch.linspace(-1, 1, 24)
    expected = F.linear(rows, weight, bias)
    try:
        with torch.inference_mode():
            product = PackedLinear(weight, bias, kind)
            found, cut = (product(rows.to(kind), relu=cut).float() for cut in (False, True))
        right = torch.allclose(found, expected, atol=close)
        right &= torch.allclose(cut, expected.relu(), atol=close)
    except (AttributeError, RuntimeError, TypeError, NotImplementedError) as error:
        logger.debug("no packed products on this machine: %s", error)
        return False
    return right


class PackedLinear:
    """A linear layer for prediction.

    Args:
        weight: (out, in) float32.
        bias: (out,) float32.
        kind: of the product, its rows and its result.
    """

    def __init__(self, weight: Tensor, bias: Tensor, kind: torch.dtype = torch.float32) -> None:
        weight = weight.detach().to(kind).contiguous()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight)
        self.bias = bias.detach().to(kind, copy=True)

    def __call__(self, x: Tensor, relu: bool = False) -> Tensor:
        """Apply to rows (N, in)."""
        after = "relu" if relu else "none"
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, after, [], "")
        return out


class PackedLayer:
    """An encoder layer; see `encoder.Layer`. There may be more rows than steps in the layout."""

    def __init__(self, layer: Layer, kind: torch.dtype) -> None:
        self.heads, self.pre_norm, self.kind = layer.heads, layer.pre_norm, kind
        self.projections = scaled_projections(layer)
        self.mix = _linear(layer.self_attn.out_proj, kind)
        self.inner, self.outer = _linear(layer.linear1, kind), _linear(layer.linear2, kind)
        self.norm1, self.norm2 = layer.norm1, layer.norm2

    @cached_property
    def project(self) -> list[PackedLinear]:
        """Queries, keys and values; the first layer seldom needs them, see `Entry`."""
        return [PackedLinear(*part, self.kind) for part in self.projections]

    def __call__(
        self, x: Tensor, layout: StepTable, projected: list[Tensor] | None = None
    ) -> Tensor:
        """Encode packed steps (N, H) without dropout; `projected`: see `Entry`."""
        if projected is None:
            read = (self.norm1(x) if self.pre_norm else x).to(self.kind)
            projected = [_sorted(part(read), layout, self.heads) for part in self.project]
        x = _sum(self.mix(attend(projected, layout, self.heads, len(x))), x)
        if not self.pre_norm:
            x = self.norm1(x)
        read = self.norm2(x) if self.pre_norm else x
        x = _sum(self.outer(self.inner(read.to(self.kind), relu=True)), x)
        return x if self.pre_norm else cast(Tensor, self.norm2(x))


def _sum(found: Tensor, x: Tensor) -> Tensor:
    """A product and what goes on beside it, which stays float32 from layer to layer."""
    return found.add_(x) if found.dtype == x.dtype else x + found


def scaled_projections(layer: Layer) -> list[tuple[Tensor, Tensor]]:
    """Weight (H, H) and bias (H,) of queries, keys and values; queries carry 1 / sqrt(d)."""
    attention = layer.self_attn
    weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    scale = 1 / math.sqrt(len(biases[0]) // layer.heads)
    return [(w * f, b * f) for w, b, f in zip(weights, biases, (scale, 1.0, 1.0), strict=True)]


def _sorted(rows: Tensor, layout: StepTable, heads: int) -> Tensor:
    """(N, H) -> (B * h, T, d), contiguous; best while the rows are in the cache."""
    return by_head(rows[: layout.steps], layout, heads, 1)[0].flatten(0, 1)


def attend(projected: list[Tensor], layout: StepTable, heads: int, rows: int) -> Tensor:
    """Attention within every sample, as `encoder.attend` without dropout.

    Args:
        projected: scaled queries, keys and values, each (B * h, T, d).
        layout: of the steps.
        heads: h.
        rows: N of the result; those after the layout's steps are 0.

    Returns:
        (N, H).
    """
    query, key, value = projected
    if layout.bias is None:
        score = torch.bmm(query, key.transpose(1, 2))
    else:
        bias = layout.bias.to(query.dtype).repeat_interleave(heads, 0)
        score = torch.baddbmm(bias, query, key.transpose(1, 2))
    mixed = torch.bmm(torch.softmax(score, -1), value)
    out = from_heads(mixed.view(-1, heads, layout.longest, mixed.shape[2]), layout)
    if rows > layout.steps:
        out = torch.cat([out, out.new_zeros(rows - layout.steps, out.shape[1])])
    return out


class Entry:
    """From patches and days to the first layer's input and its queries, keys and values.

    Nothing stands between the last product of the embedding and the first projection but the code
    of the day, so both apply to what that product reads: Wp (We f + code) = (Wp We) f + Wp code,
    with a table of Wp code for every day. f is half as wide as H in SITS-Former's embedding.
    """

    def __init__(
        self,
        embedding: ConvEmbedding | LinearEmbedding,
        first: PackedLayer | None,
        kind: torch.dtype,
    ) -> None:
        self.kind = kind
        *before, (weight, bias) = embedding.folded()
        self.columns = embedding.columns
        self.before = [PackedLinear(*part, kind) for part in before]
        self.embed = PackedLinear(weight, bias, kind)
        self.code = code = embedding.position.pe
        self.first = first
        self.project: list[tuple[PackedLinear, Tensor]] = []
        for matrix, constant in [] if first is None else first.projections:
            product = PackedLinear(matrix @ weight, matrix @ bias + constant, kind)
            self.project.append((product, (code @ matrix.t()).to(kind)))

    def features(self, values: Tensor) -> Tensor:
        """Values (N, C, P) to what the last product of the embedding reads, (N, f)."""
        features = self.columns(values.to(self.kind))
        for product in self.before:
            features = product(features, relu=True).view(len(values), -1)
        return features

    def __call__(self, steps: Steps) -> tuple[Tensor, list[Tensor] | None]:
        """The embedded steps (N, H), and the first layer's `projected` if it is known."""
        features = torch.cat([self.features(part) for part in torch.split(steps.values, PATCHES)])
        x = _sum(self.embed(features), self.code.index_select(0, steps.doy))
        if self.first is None:
            return x, None
        projected = []
        for product, code in self.project:
            rows = product(features).add_(code.index_select(0, steps.doy))
            projected.append(_sorted(rows, steps.layout, self.first.heads))
        return x, projected


class PackedModel:
    """A model that can only predict.

    Args:
        model: not changed. Layers of another kind than `encoder.Layer` are used
            as they are.
        kind: float32 or bfloat16.
    """

    @torch.no_grad()
    def __init__(self, model: SITSFormer, kind: torch.dtype = torch.float32) -> None:
        self.model = model
        self.layers: list[PackedLayer | nn.Module] = [
            PackedLayer(layer, kind) if isinstance(layer, Layer) else layer
            for layer in model.transformer_encoder.layers
        ]
        first = self.layers[0]
        plain = isinstance(first, PackedLayer) and not first.pre_norm
        self.entry = Entry(model.embedding, cast(PackedLayer, first) if plain else None, kind)

    def encode(self, steps: Steps) -> Tensor:
        """Encoded steps (N, H) of a batch, which may have rows that belong to no sample."""
        x, projected = self.entry(steps)
        for layer in self.layers:
            if isinstance(layer, PackedLayer):
                x = layer(x, steps.layout, projected)
            else:
                x = layer(x, steps.layout)
            projected = None
        norm = self.model.transformer_encoder.norm
        return cast(Tensor, norm(x))


def _linear(linear: nn.Linear, kind: torch.dtype) -> PackedLinear:
    return PackedLinear(linear.weight, linear.bias, kind)


def rounded(steps: Steps) -> Steps:
    """A batch whose table is filled up with rows that belong to no sample; see `ROWS`."""
    wanted = -(-len(steps.values) // ROWS) * ROWS
    doy = F.pad(steps.doy, (0, wanted - len(steps.doy)))
    return Steps(_filled(steps.values, wanted), doy, steps.layout)


def _filled(rows: Tensor, wanted: int) -> Tensor:
    missing = wanted - len(rows)
    return rows if missing == 0 else torch.cat([rows, rows.new_zeros(missing, *rows.shape[1:])])
