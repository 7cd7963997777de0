"""8-bit prediction on a CPU: faster where the processor has such products, and inexact.

Weights of the encoder's linear layers are rounded once, activations row by row as they come, both
to 255 levels between plus and minus their largest value; sums are exact 32-bit integers. What this
costs in accuracy is measured in docs/model.md. Training and everything else stays float32.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn

from sitsformer.model import SITSFormer
from sitsformer.model.encoder import Layer, attend
from sitsformer.model.steps import StepTable

LEVELS = 127


class Int8Linear(nn.Module):
    """A linear layer with rounded weights.

    Args:
        weight: (out, in) float32.
        bias: (out,) float32.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.scale: Tensor
        self.rounded: Tensor
        self.bias: Tensor
        scale = weight.abs().amax(1).clamp_min(1e-12) / LEVELS
        self.register_buffer("scale", scale)
        self.register_buffer("rounded", _round(weight, scale.unsqueeze(1)).t().contiguous())
        self.register_buffer("bias", bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Apply to rows (N, in)."""
        scale = x.abs().amax(1, keepdim=True).clamp_min(1e-12) / LEVELS
        total = torch._int_mm(_round(x, scale), self.rounded).float()
        return total.mul_(scale).mul_(self.scale).add_(self.bias)


def _round(x: Tensor, scale: Tensor) -> Tensor:
    return (x / scale).round_().to(torch.int8)


class Int8Layer(nn.Module):
    """An encoder layer for prediction; see `encoder.Layer`."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        hidden = layer.norm1.normalized_shape[0]
        weight, bias = layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias
        self.heads, self.pre_norm = layer.heads, layer.pre_norm
        self.query = Int8Linear(weight[:hidden], bias[:hidden])
        self.pair = Int8Linear(weight[hidden:], bias[hidden:])
        self.mix = Int8Linear(layer.self_attn.out_proj.weight, layer.self_attn.out_proj.bias)
        self.inner = Int8Linear(layer.linear1.weight, layer.linear1.bias)
        self.outer = Int8Linear(layer.linear2.weight, layer.linear2.bias)
        self.norm1, self.norm2 = layer.norm1, layer.norm2

    def forward(self, x: Tensor, layout: StepTable, only: None = None) -> Tensor:
        """Encode packed steps (N, H) without dropout; rows after them are nobody's."""
        read = self.norm1(x) if self.pre_norm else x
        query, pair = (rows[: layout.steps] for rows in (self.query(read), self.pair(read)))
        mixed = attend(query, pair, layout, layout, self.heads, 0.0)
        x = x + self.mix(nn.functional.pad(mixed, (0, 0, 0, len(x) - layout.steps)))
        if not self.pre_norm:
            x = self.norm1(x)
        read = self.norm2(x) if self.pre_norm else x
        x = x + self.outer(self.inner(read).clamp_min_(0))
        return x if self.pre_norm else cast(Tensor, self.norm2(x))


@torch.no_grad()
def quantised(model: SITSFormer) -> SITSFormer:
    """A copy of a model that predicts with 8-bit products on the CPU; it cannot be trained."""
    small = copy.deepcopy(model).cpu().eval().requires_grad_(False)
    layers = [Int8Layer(cast(Layer, layer)) for layer in small.transformer_encoder.layers]
    small.transformer_encoder.layers = nn.ModuleList(layers)
    return small
