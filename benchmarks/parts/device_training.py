"""Pretraining on one device by network, feed and precision; for gpu.py."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import feeds
import numpy as np
import on_device
import torch

import model_data as data
from reference_model import Reference
from sitsformer.model import Architecture, SITSFormer
from sitsformer.model.encoder import Layer
from sitsformer.training.determinism import deterministic
from sitsformer.training.objectives import objectives
from sitsformer.training.pretraining import InMemory, PretrainSettings, PretrainTask
from sitsformer.training.recipe import Plan
from sitsformer.training.update import Updates

MASK = 0.3

DEMO = Architecture(
    embedding="linear", hidden=64, layers=2, heads=4, norm="pre", pooling="mean_max",
    bands=10, patch=1, classes=3, decoder=True, projection=True,
)  # fmt: skip
"""The network of config/config.yaml."""


@dataclass(frozen=True)
class Case:
    """A line of the table.

    Attributes:
        network: `reference` (the published network, its own code), `ours` (the same function,
            objective `sits_former`) or `demo` (the demo's network, objective `dual`).
        feed: `.npz files`, `ready` (on the device), `host memory` or `Zarr`.
        precision: `float32`, `tf32` or `bf16`.
        compiled: whether encoder layers are.
        graphs: whether steps are recorded as CUDA graphs.
        fixed: whether sums have a fixed order, the default of training.
    """

    network: str
    feed: str
    precision: str
    compiled: bool = False
    graphs: bool = False
    fixed: bool = True


CASES = (
    Case("reference", ".npz files", "float32"),
    Case("reference", "ready", "float32"),
    Case("reference", "ready", "bf16"),
    Case("ours", "ready", "float32"),
    Case("ours", "ready", "float32", graphs=True),
    Case("ours", "ready", "tf32", graphs=True),
    Case("ours", "ready", "bf16", graphs=True),
    Case("demo", "ready", "float32"),
    Case("demo", "ready", "float32", graphs=True),
    Case("demo", "ready", "bf16", graphs=True),
    Case("ours", "host memory", "float32", graphs=True),
    Case("ours", "Zarr", "float32", graphs=True),
    Case("ours", "ready", "tf32"),
    Case("ours", "ready", "bf16"),
    Case("reference", "ready", "tf32"),
    Case("ours", "ready", "bf16", fixed=False),
    Case("demo", "ready", "bf16"),
    Case("ours", "ready", "bf16", compiled=True),
    Case("demo", "ready", "bf16", compiled=True),
)


def reference_runner(device: str, precision: str) -> Any:
    """A step of the published network on a batch (x, days) of a feed; returns its loss."""
    reference = Reference().to(device).train()
    optimiser = torch.optim.Adam(reference.parameters(), lr=1e-4)
    token = 0.01 * torch.randn(10, 5, 5, device=device)

    def step(batch: Any) -> torch.Tensor:
        x, days = batch
        hidden = (torch.rand(days.shape, device=device) < MASK) & (days > 0)
        target = x[:, :, :, 2, 2]
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            masked = torch.where(hidden[:, :, None, None, None], token, x)
            out = reference.reconstruct(masked, days).float()
        loss = ((out - target).square() * hidden.unsqueeze(-1)).sum() / (hidden.sum() * 10)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reference.parameters(), 5.0)
        optimiser.step()
        return loss.detach()

    return step


def our_runner(model: SITSFormer, task: PretrainTask, case: Case) -> Any:
    """A step of the training loop on a batch of the task; returns its loss."""
    precision = "bf16" if case.precision == "bf16" else "float32"
    plan = Plan(optimiser="adam", learning_rate=1e-4, precision=precision, graphs=case.graphs)
    updates = Updates(model, task, plan)
    model.train()
    count = [0]

    def step(batch: Any) -> torch.Tensor:
        count[0] += 1
        updates.pending.zero_()
        counts = [batch.counts[name] for name in task.weights]
        updates([batch], [(0, count[0])], counts, lambda: None)
        return updates.pending[-1].clone()

    return step


def endless(task: PretrainTask) -> Iterator[Any]:
    """Batches of one epoch after another."""
    epoch = 0
    while True:
        for (batch,) in task.batches(epoch, 0):
            yield batch
        epoch += 1


class Bench:
    """Made samples in every form that a feed reads, and the table of the cases."""

    def __init__(self, device: str, batch: int, steps: int, count: int, folder: Path) -> None:
        self.device, self.batch, self.steps, self.count = device, batch, steps, count
        self.folder = folder
        self.values, self.doy = feeds.made(count)
        feeds.write_npz(folder / "npz", self.values, self.doy)
        self.lengths = (self.doy > 0).sum(1).astype(np.int64)

    def of_reference(self, case: Case) -> tuple[Iterator[Any], Any]:
        """Batches and a step."""
        torch.manual_seed(0)
        step = reference_runner(self.device, case.precision)
        if case.feed == ".npz files":
            return feeds.from_npz(self.folder / "npz", self.count, self.batch, self.device), step
        return feeds.from_padded(self.values, self.doy, self.batch, self.device), step

    def of_ours(self, case: Case) -> tuple[Iterator[Any], Any]:
        """Batches and a step."""
        torch.manual_seed(0)
        small = case.network == "demo"
        shape, objective = (DEMO, "dual") if small else (Architecture(), "sits_former")
        model = SITSFormer(shape, data.MEAN, data.STD).to(self.device)
        if case.compiled:
            for layer in model.modules():
                if isinstance(layer, Layer):
                    layer.compile(dynamic=True)
        settings = PretrainSettings(
            weights=objectives()[objective].losses,
            batch_size=self.batch,
            mask_rate=MASK,
            decoder=shape.decoder,
        )
        task = PretrainTask(self.source(case, 1 if small else 5), settings)
        return endless(task), our_runner(model, task, case)

    def source(self, case: Case, patch: int) -> Any:
        """Where a case takes its samples from."""
        values = self.values if patch == 5 else self.values[..., 2:3, 2:3]
        if case.feed == "Zarr":
            store = self.folder / f"{time.time_ns()}.zarr"
            return feeds.zarr_source(store, values, self.doy, self.batch, self.device)
        if case.feed == "host memory":
            return feeds.Host(values, self.doy, self.device)
        label = np.arange(self.count) % 3
        return InMemory(data.series(values, self.doy, self.device), label)

    def run(self, case: Case) -> dict[str, Any]:
        """Measure a case: samples a second, share of the peak, busy share, loss, memory."""
        on_device.set_precision(case.precision)
        cuda = self.device == "cuda"
        if cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        make = self.of_reference if case.network == "reference" else self.of_ours
        with deterministic(cuda and case.fixed and case.network != "reference"):
            batches, step = make(case)
            warm_up = on_device.RECORDING if case.graphs else on_device.WARM_UP
            seconds, busy, loss = on_device.timed(batches, step, self.steps, self.device, warm_up)
        rate = self.steps * self.batch / seconds
        peak = on_device.peaks(self.device).get(case.precision)
        share = None
        if peak and case.network != "demo":
            each = 3 * data.flops(Architecture(), self.lengths, MASK, MASK) / self.count
            share = rate * each / peak
        memory = torch.cuda.max_memory_allocated() / 1e9 if cuda else None
        return {"rate": rate, "of_peak": share, "busy": busy, "loss": loss, "memory": memory}


def table(device: str, cases: tuple[Case, ...], rehearse: bool) -> dict[str, dict[str, Any]]:
    """Measure the cases and print a line each; a ratio is against the first."""
    batch, steps, count = (8, 1, 16) if rehearse else (512, 60, 8192)
    results: dict[str, dict[str, Any]] = {}
    first = None
    print(f"batch {batch}, {steps} steps, series of up to {feeds.LONGEST} steps")
    print(f"{'network':11}{'fed from':13}{'precision':11}{'compiled':10}{'graphs':8}{'fixed':7}"
          f"{'samples/s':>10}"
          f"{'of peak':>9}{'busy':>6}{'loss':>9}{'GB':>6}{'ratio':>8}")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(device, batch, steps, count, Path(folder))
        for case in cases:
            try:
                found = bench.run(case)
            except feeds.MissingError as missing:
                print(f"{case.network:11}{case.feed:13}{missing}")
                continue
            first = first or found["rate"]
            shown = {
                "of_peak": _percent(found["of_peak"]),
                "busy": _percent(found["busy"]),
                "memory": "" if found["memory"] is None else f"{found['memory']:.1f}",
            }
            print(f"{case.network:11}{case.feed:13}{case.precision:11}"
                  f"{'yes' if case.compiled else '':10}{'yes' if case.graphs else '':8}"
                  f"{'yes' if case.fixed else '':7}"
                  f"{found['rate']:10.0f}{shown['of_peak']:>9}{shown['busy']:>6}"
                  f"{found['loss']:9.5f}{shown['memory']:>6}{found['rate'] / first:8.2f}",
                  flush=True)  # fmt: skip
            name = (
                f"training on {on_device.name_of(device)}, {case.network}, {case.feed}, "
                f"{case.precision}"
                + (", compiled" if case.compiled else "")
                + (", graphs" if case.graphs else "")
                + ("" if case.fixed else ", any order")
            )
            results[name] = {
                "value": round(found["rate"]),
                "unit": "samples/s",
                "against": f"{shown['of_peak'] or 'unknown'} of peak, busy {shown['busy']}",
                "ratio": round(found["rate"] / first, 2),
            }
    return results


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"
