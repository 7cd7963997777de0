"""Small networks trained from scratch, with the budget and the augmentation of fine-tuning.

Shapes: N samples of a batch, T acquisitions, G days of the calendar, C bands, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from sitsformer.baselines.baseline import Choice, Predict, Task
from sitsformer.baselines.series import PixelSeries, interpolate
from sitsformer.config import Augment

_PREDICT = 1024


@dataclass(frozen=True)
class _Batches:
    """PixelSeries as a network takes them, changed at random each time they are trained on."""

    regular: bool
    mean: npt.NDArray[np.float32]
    std: npt.NDArray[np.float32]
    grid: npt.NDArray[np.int64]

    def plain(self, series: PixelSeries, view: str) -> tuple[Tensor, Tensor]:
        """A batch without changes."""
        return self._tensors(series.values(view), series.day)

    def augmented(
        self, series: PixelSeries, view: str, augment: Augment, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """A batch with shifted days, dropped dates, gain and band noise (see `Augment`)."""
        values, day = series.values(view), series.day
        count, bands = len(values), values.shape[2]
        valid = day >= 0
        keep = valid & (rng.random(day.shape) >= augment.drop)
        # At least one date stays: the one with the largest random number would do as well.
        keep[np.arange(count), 0] |= ~keep.any(1)
        order = np.argsort(~keep, axis=1, kind="stable")
        row = np.arange(count)[:, None]
        shift = rng.integers(-augment.day_shift, augment.day_shift + 1, (count, 1))
        day = np.where(keep, np.maximum(day + shift, 0), -1)[row, order]
        gain = 1 + augment.gain * rng.standard_normal((count, 1, 1))
        noise = augment.noise * rng.standard_normal((count, 1, bands))
        values = (values[row, order] * gain + noise).astype(np.float32)
        return self._tensors(values, day)

    def _tensors(
        self, values: npt.NDArray[np.float32], day: npt.NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        if self.regular:
            values, day = interpolate(values, day, self.grid), day[:, :0]
            clean = (values - self.mean) / self.std
        else:
            clean = np.where((day >= 0)[..., None], (values - self.mean) / self.std, 0)
        return torch.from_numpy(clean.astype(np.float32)), torch.from_numpy(day)


def fit_network(
    task: Task, choice: Choice, build: Callable[[Task, int, int], nn.Module], regular: bool
) -> Predict:
    """Build a network from the task's seed, train it, and give what predicts with it.

    Args:
        task: what it is trained on.
        choice: `pixels` and `learning_rate`.
        build: a task, the number of bands and of days of the calendar -> a network that takes
            values (N, G or T, C) and days (N, T), and gives logits (N, K).
        regular: it sees series on the calendar (G), or else acquisitions (T) with their days.
    """
    view = choice["pixels"]
    sample = task.unlabelled.values(view)
    bands = sample.shape[2]
    flat = sample.reshape(-1, bands)
    batches = _Batches(regular, np.nanmean(flat, axis=0), np.nanstd(flat, axis=0), task.train.grid)
    torch.manual_seed(task.seed)
    network = build(task, bands, len(task.train.grid))
    _train(network, task, batches, view, choice["learning_rate"])

    def predict(series: PixelSeries) -> npt.NDArray[np.floating]:
        network.eval()
        found = []
        with torch.inference_mode():
            for start in range(0, len(series), _PREDICT):
                rows = np.arange(start, min(start + _PREDICT, len(series)))
                found.append(network(*batches.plain(series.take(rows), view)).softmax(-1))
        return np.asarray(torch.cat(found).numpy())

    return predict


def _train(network: nn.Module, task: Task, batches: _Batches, view: str, rate: float) -> None:
    """AdamW with warm-up and cosine, class-balanced batches: the recipe of fine-tuning."""
    settings = task.settings
    steps = settings.steps_for(len(task.label))
    rng = np.random.default_rng([task.seed, 1])
    optimiser = torch.optim.AdamW(
        network.parameters(), rate, weight_decay=settings.recipe.weight_decay
    )
    warm = max(1, round(settings.recipe.warmup * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * step / steps)),
    )
    weight = 1 / np.bincount(task.label, minlength=task.classes)[task.label]
    weight /= weight.sum()
    network.train()
    for _ in range(steps):
        rows = rng.choice(len(task.label), settings.batch_size, p=weight)
        values, day = batches.augmented(task.train.take(rows), view, settings.augment, rng)
        loss = nn.functional.cross_entropy(
            network(values, day),
            torch.from_numpy(task.label[rows]),
            label_smoothing=settings.label_smoothing,
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), settings.recipe.clip)
        optimiser.step()
        schedule.step()
