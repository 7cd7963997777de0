"""A small network and its pretraining tasks."""

from dataclasses import replace

import numpy as np
import torch

import training_data
from sitsformer.model import Architecture, SITSFormer, rows, steps
from sitsformer.model.hiding import HiddenBands
from sitsformer.model.steps import make_series
from sitsformer.training.objectives import objectives
from sitsformer.training.pretraining import Held, InMemory, PretrainSettings, PretrainTask

MEAN, STD = np.full(10, 0.2), np.full(10, 0.1)

SHAPE = Architecture(10, 1, "linear", 16, 2, 2, norm="pre", pooling="mean_max", classes=3)


def network(seed=0, shape=SHAPE):
    torch.manual_seed(seed)
    return SITSFormer(shape, MEAN, STD)


def settings_of(objective, batch_size=24, **others):
    """Settings with the weights that the objective has by itself."""
    weights = objectives()[objective].losses
    others.setdefault("decoder", objectives()[objective].views)
    return PretrainSettings(weights=weights, batch_size=batch_size, **others)


def task(
    objective="dual_sits_former",
    unlabelled=0.0,
    validation=True,
    patch=1,
    device="cpu",
    **settings,
):
    values, doy, label, split = training_data.arrays(unlabelled=unlabelled, patch=patch)
    train, held = (np.flatnonzero(split == k) for k in (0, 1))
    series = [make_series(values[i], doy[i], MEAN, STD, device) for i in (train, held)]
    chosen = settings_of(objective, **settings)
    held_out = Held(series[1], label[held]) if validation else None
    return PretrainTask(InMemory(series[0], label[train]), chosen, validation=held_out)


def shape_for(objective):
    """What the objective's losses ask of a network."""
    chosen = objectives()[objective]
    return replace(SHAPE, decoder=chosen.views, projection=chosen.projects)


def as_on_a_gpu(monkeypatch, gpu=True):
    """Take the branches of a GPU on a CPU, where their values can be seen; or plain ones again."""
    for module in (rows, steps):
        monkeypatch.setattr(module, "plain", lambda device: not gpu)


def mask_of(batch):
    """What is hidden of a batch, (N,) or (N, C), on the host."""
    if isinstance(batch.hidden, HiddenBands):
        return batch.hidden.values.numpy()
    mask = np.zeros(batch.steps.layout.steps, bool)
    mask[batch.hidden.rows.index.numpy()] = True
    return mask


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])
