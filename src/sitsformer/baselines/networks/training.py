"""Small networks trained from scratch, with the budget and the augmentation of fine-tuning.

`temporal_cnn`: three temporal convolutions and a dense layer on the regular series (Pelletier,
Webb & Petitjean 2019, Remote Sensing 11:523). `ltae`: one master query per head attends to the
acquisitions as they are (Garnot & Landrieu 2020, "Lightweight Temporal Attention Encoder").

Shapes: N samples of a batch, T acquisitions, G days of the calendar, C bands, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from sitsformer.baselines.baseline import Baseline, Choice, Predict, Task
from sitsformer.baselines.series import PixelSeries, interpolate
from sitsformer.config import Augment

_PREDICT = 1024


class TemporalCNN(nn.Module):
    """Three convolutions over time, then a dense layer."""

    def __init__(self, bands: int, days: int, classes: int, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs in (bands, width, width):
            layers += [
                nn.Conv1d(inputs, width, 5, padding=2),
                nn.BatchNorm1d(width),
                nn.ReLU(),
                nn.Dropout(0.3),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(width * days, 4 * width),
            nn.BatchNorm1d(4 * width),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(4 * width, classes),
        )

    def forward(self, values: Tensor, day: Tensor) -> Tensor:
        """(N, G, C) series on the calendar -> (N, K) logits; `day` is not needed."""
        found: Tensor = self.head(self.convolutions(values.transpose(1, 2)))
        return found


class LTAE(nn.Module):
    """Attention with one learned query a head, over acquisitions with a day encoding."""

    def __init__(
        self, bands: int, classes: int, width: int = 128, heads: int = 16, key: int = 8
    ) -> None:
        super().__init__()
        self.width, self.heads, self.key_size = width, heads, key
        self.embed = nn.Sequential(nn.Linear(bands, width), nn.LayerNorm(width))
        self.key = nn.Linear(width, heads * key)
        self.query = nn.Parameter(torch.randn(heads, key) * math.sqrt(2 / key))
        self.head = nn.Sequential(
            nn.Linear(width, width),
            nn.LayerNorm(width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(width, classes),
        )

    def forward(self, values: Tensor, day: Tensor) -> Tensor:
        """(N, T, C) acquisitions and (N, T) days, -1 = padding -> (N, K) logits."""
        embedded = self.embed(values)
        keyed = embedded + self._encode(day)
        keys = self.key(keyed).unflatten(-1, (self.heads, self.key_size))
        scores = torch.einsum("nthk,hk->nht", keys, self.query) / math.sqrt(self.key_size)
        attention = scores.masked_fill((day < 0)[:, None], -torch.inf).softmax(-1)
        # Each head looks at its own share of the channels.
        shares = keyed.unflatten(-1, (self.heads, self.width // self.heads))
        pooled = torch.einsum("nht,nthd->nhd", attention, shares)
        found: Tensor = self.head(pooled.flatten(1))
        return found

    def _encode(self, day: Tensor) -> Tensor:
        """(N, T, width) sines and cosines of the day, periods up to 1,000 days."""
        half = torch.arange(self.width // 2, device=day.device)
        angle = day[..., None].clamp(min=0) / 1000 ** (half / half.numel())
        return torch.cat([angle.sin(), angle.cos()], -1)


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


def _candidates(task: Task) -> Sequence[Choice]:
    return [
        {"pixels": view, "learning_rate": rate}
        for view in task.train.views[-1:]
        for rate in task.settings.learning_rates
    ]


def _fit(build: Callable[[Task, int, int], nn.Module], regular: bool) -> Callable[..., Predict]:
    def fit(task: Task, choice: Choice) -> Predict:
        view = choice["pixels"]
        sample = task.unlabelled.values(view)
        bands = sample.shape[2]
        flat = sample.reshape(-1, bands)
        batches = _Batches(
            regular, np.nanmean(flat, axis=0), np.nanstd(flat, axis=0), task.train.grid
        )
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

    return fit


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


BASELINES = {
    "temporal_cnn": Baseline(
        _candidates, _fit(lambda task, bands, days: TemporalCNN(bands, days, task.classes), True)
    ),
    "ltae": Baseline(_candidates, _fit(lambda task, bands, _: LTAE(bands, task.classes), False)),
}
