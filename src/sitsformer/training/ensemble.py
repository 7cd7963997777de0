"""Several small networks trained as one: the seeds of a few-shot job, stacked.

At a hidden width of 64 and 32 samples a step, most of a training step is the price of calling some
hundred small operations. Networks of one shape that train on batches of one size can share the
calls: every parameter gets a leading axis of networks, every product is a batched product. Each
network keeps its own samples, augmentation, gradient norm and result.

Only the linear embedding is supported; `can_stack` says so.

Axes: M networks, B samples of one network, R rows of one network's table, N steps of all networks,
C bands, P pixels, H hidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sitsformer.model import SITSFormer
from sitsformer.model.dropout import Noise, drop, factor, relu_drop
from sitsformer.model.encoder import Layer, attend
from sitsformer.model.steps import Layout, make_layout, order_by_length
from sitsformer.training import Row
from sitsformer.training.tasks import ClassifyBatch, ClassifyTask

STACKED_MOST = 64 * 64
"""Hidden width times samples a step up to which networks are trained as one; see `pays`."""


def can_stack(models: Sequence[SITSFormer]) -> bool:
    """Whether these networks can be trained as one."""
    first = models[0].architecture
    return (
        len(models) > 1
        and first.embedding == "linear"
        and models[0].mask_token.device.type == "cpu"
        and all(model.architecture == first for model in models)
    )


class Ensemble(nn.Module):
    """Stacked copies of some networks; `unstack` puts what was learned back into them."""

    stacked = 1

    def __init__(self, models: Sequence[SITSFormer]) -> None:
        super().__init__()
        # Past nn.Module, which would register them: only the stacks are parameters.
        self.__dict__["models"] = list(models)
        self.architecture = models[0].architecture
        self.noise = Noise()
        self.frozen = models[0].frozen
        self.mask_token = models[0].mask_token.detach()
        each = [dict(model.named_parameters()) for model in models]
        self.names = [
            name
            for name in each[0]
            if name.startswith(("embedding.", "transformer_encoder.", "classifier."))
        ]
        self.stacks = nn.ParameterDict()
        for name in self.names:
            stack = torch.stack([parameters[name].detach() for parameters in each])
            learns = each[0][name].requires_grad
            self.stacks[_key(name)] = nn.Parameter(stack, requires_grad=learns)

    def __getitem__(self, name: str) -> Tensor:
        found: Tensor = self.stacks[_key(name)]
        return found

    @torch.no_grad()
    def unstack(self) -> None:
        """Write the weights back into the networks they came from."""
        for i, model in enumerate(self.__dict__["models"]):
            parameters = dict(model.named_parameters())
            for name in self.names:
                parameters[name].copy_(self[name][i])

    def clip_gradients(self, largest: float) -> Tensor:
        """Clip each network's gradient norm by itself; the sum of the norms."""
        grads = [p.grad for p in self.parameters() if p.grad is not None]
        squares = torch.stack([grad.flatten(1).square().sum(1) for grad in grads]).sum(0)
        norm: Tensor = squares.sqrt()
        scale = (largest / (norm + 1e-6)).clamp_max(1.0)
        for grad in grads:
            grad.mul_(scale.view(-1, *[1] * (grad.ndim - 1)))
        total: Tensor = norm.sum()
        return total

    def forward(self, batch: EnsembleBatch) -> Tensor:
        """Class logits (M, B, classes)."""
        a = self.architecture
        rate = a.dropout if self.training and not self.frozen else 0.0
        first = self.__dict__["models"][0]
        position = first.embedding.position(batch.doy.flatten()).view(*batch.doy.shape, a.hidden)
        scale = factor(rate, batch.values.device)
        x = self._linear(batch.values, "embedding.linear.", scale)
        x = drop(torch.add(x, position, alpha=scale), rate, self.noise)
        for i, layer in enumerate(first.transformer_encoder.layers):
            x = self._layer(x, batch, f"transformer_encoder.layers.{i}.", cast(Layer, layer), rate)
        x = self._norm(x, "transformer_encoder.norm.")
        packed = x.flatten(0, 1).index_select(0, batch.rows)
        pooled = first.pool(packed, batch.layout).index_select(0, batch.place)
        return self._linear(pooled.view(*batch.label.shape, -1), "classifier.")

    def _layer(
        self, x: Tensor, batch: EnsembleBatch, name: str, layer: Layer, rate: float
    ) -> Tensor:
        """As `encoder.Layer`, for all networks."""
        scale = factor(rate, x.device)
        read = self._norm(x, name + "norm1.") if layer.pre_norm else x
        qkv = self._product(
            read, name + "self_attn.in_proj_weight", name + "self_attn.in_proj_bias"
        )
        kept = layer.attention_dropout if rate else 0.0
        query, pair = torch.split(
            qkv.flatten(0, 1).index_select(0, batch.rows), [x.shape[2], 2 * x.shape[2]], 1
        )
        layout = batch.layout
        packed = attend(query, pair, layout, layout, layer.heads, kept, self.noise)
        mixed = x.new_zeros(x.shape[0] * x.shape[1], x.shape[2])
        mixed = mixed.index_copy(0, batch.rows, packed).view_as(x)
        x = x + drop(self._linear(mixed, name + "self_attn.out_proj.", scale), rate, self.noise)
        if not layer.pre_norm:
            x = self._norm(x, name + "norm1.")
        read = self._norm(x, name + "norm2.") if layer.pre_norm else x
        inner = relu_drop(self._linear(read, name + "linear1."), rate, self.noise)
        out = self._product(inner, name + "linear2.weight", name + "linear2.bias", scale**2, scale)
        x = x + drop(out, rate, self.noise)
        return x if layer.pre_norm else self._norm(x, name + "norm2.")

    def _linear(self, x: Tensor, name: str, scale: float = 1.0) -> Tensor:
        return self._product(x, name + "weight", name + "bias", scale, scale)

    def _product(
        self, x: Tensor, weight: str, bias: str, scale: float = 1.0, bias_scale: float = 1.0
    ) -> Tensor:
        """Linear layers of all networks: (M, rows, in) -> (M, rows, out)."""
        return torch.baddbmm(
            self[bias].unsqueeze(1),
            x,
            self[weight].transpose(1, 2),
            beta=bias_scale,
            alpha=scale,
        )

    def _norm(self, x: Tensor, name: str) -> Tensor:
        plain = F.layer_norm(x, x.shape[-1:])
        return torch.addcmul(
            self[name + "bias"].unsqueeze(1), plain, self[name + "weight"].unsqueeze(1)
        )


def _key(name: str) -> str:
    return name.replace(".", "/")


@dataclass(frozen=True)
class EnsembleBatch:
    """Batches of all networks, side by side.

    Attributes:
        values: (M, R, C * P) float32, the packed steps of each network; the rows beyond its own
            are 0 and belong to no sample.
        doy: (M, R) int64.
        rows: (N,) int64, rows of the flat (M * R) table that hold the steps of `layout`.
        layout: all M * B samples, longest first.
        place: (M * B,) int64, position in `layout` of each network's samples.
        label: (M, B) class index.
        counts: terms of the loss of one network.
    """

    values: Tensor
    doy: Tensor
    rows: Tensor
    layout: Layout
    place: Tensor
    label: Tensor
    counts: Mapping[str, float]


class EnsembleTask:
    """Classification with one `ClassifyTask` a network; their batches must be of one size."""

    weights: Mapping[str, float] = {"classes": 1.0}

    def __init__(self, tasks: Sequence[ClassifyTask]) -> None:
        self.tasks = tasks
        self.steps = tasks[0].steps

    def batches(self, epoch: int, start: int) -> Iterator[list[EnsembleBatch]]:
        """The batches that the networks would see alone, side by side."""
        for parts in zip(*(task.batches(epoch, start) for task in self.tasks), strict=True):
            yield [_side_by_side([part[0] for part in parts])]

    def sums(self, model: Any, batch: EnsembleBatch) -> dict[str, Tensor]:
        """Sum over the networks, so that each one's gradient is that of its own mean loss."""
        logits = model(batch).flatten(0, 1)
        smooth = self.tasks[0].settings.label_smoothing
        label = batch.label.flatten()
        loss = F.cross_entropy(logits, label, label_smoothing=smooth, reduction="sum")
        return {"classes": loss}

    def validate(self, model: Any) -> Row:
        """No validation while training."""
        del model
        return {}


def _side_by_side(parts: Sequence[ClassifyBatch]) -> EnsembleBatch:
    lengths = np.concatenate([part.steps.layout.lengths for part in parts])
    steps = [part.steps.layout.steps for part in parts]
    most = max(steps)
    values = torch.stack(
        [
            F.pad(part.steps.values.flatten(1), (0, 0, 0, most - n))
            for part, n in zip(parts, steps, strict=True)
        ]
    )
    doy = torch.stack(
        [
            F.pad(part.steps.doy, (0, most - n), value=1)
            for part, n in zip(parts, steps, strict=True)
        ]
    )
    # Where each sample's steps start in the flat table; then all samples, longest first.
    start = np.concatenate(
        [
            i * most + np.cumsum(part.steps.layout.lengths) - part.steps.layout.lengths
            for i, part in enumerate(parts)
        ]
    )
    order = order_by_length(lengths)
    sorted_lengths = lengths[order]
    before = np.cumsum(sorted_lengths) - sorted_lengths
    rows = np.arange(sorted_lengths.sum()) + np.repeat(start[order] - before, sorted_lengths)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return EnsembleBatch(
        values,
        doy,
        torch.from_numpy(rows),
        make_layout(sorted_lengths),
        torch.from_numpy(place),
        torch.stack([part.label for part in parts]),
        {"classes": float(len(parts[0].label))},
    )


def pays(hidden: int, tasks: Sequence[ClassifyTask]) -> bool:
    """Whether training as one is faster, and the draws give batches of one size.

    Measured with 5 networks of 2 layers on one thread: 1.6 times as fast at hidden 64 with 8
    samples a step, 1.1 with 32, level with 64; beyond that the products fill the processor and
    nothing is gained.
    """
    sizes = {min(task.settings.batch_size, len(task.samples)) for task in tasks}
    return len(sizes) == 1 and hidden * sizes.pop() <= STACKED_MOST
