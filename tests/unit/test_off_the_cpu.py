"""What runs on a GPU, followed on tensors without storage: one device, and no waiting.

The `meta` device takes the same branches as a GPU and computes shapes alone. Values are not seen
here; that the branches equal those of the CPU is tested where both can run.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import training_data
from sitsformer.model import SITSFormer
from sitsformer.model.steps import make_series
from sitsformer.training.augment import Strength
from sitsformer.training.classification import ClassifySettings, ClassifyTask
from sitsformer.training.pretraining import InMemory, PretrainTask
from training_tasks import MEAN, SHAPE, STD, settings_of

READS = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default}
"""What makes the host wait until a GPU has done all that was asked of it."""


class OneDevice(TorchDispatchMode):
    """Refuses operations on tensors of several devices, copies included, and reads by the host."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        devices = {x.device.type for x in tensors if x.ndim}
        if isinstance((kwargs or {}).get("device"), torch.device) and devices:
            devices.add(kwargs["device"].type)
        assert len(devices) < 2, (func, devices)
        assert func not in READS or devices == {"cpu"}, func
        return func(*args, **(kwargs or {}))


def network(patch, **changes):
    shape = replace(SHAPE, patch=patch, attention_dropout=0.1, dropout=0.1, **changes)
    return SITSFormer(shape, MEAN, STD).to("meta").train()


def series(patch):
    values, doy, label, _ = training_data.arrays(patch=patch)
    return make_series(values, doy, MEAN, STD, "meta"), label


def one_step(model, task):
    (batch,) = next(iter(task.batches(0, 0)))
    with OneDevice():
        sum(task.sums(model, batch).values()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    assert batch.steps.values.device.type == "meta"


@pytest.mark.parametrize("objective", ["sits_former", "sl", "dual_sits_former"])
@pytest.mark.parametrize("mask", ["steps", "spans", "bands"])
@pytest.mark.parametrize(("embedding", "patch"), [("conv3d", 5), ("linear", 1)])
def test_a_step_of_pretraining(objective, mask, embedding, patch):
    held, label = series(patch)
    weak = Strength(8, 0.2, 0.05, 0.01)
    chosen = settings_of(objective, mask=mask, augment=weak)
    one_step(network(patch, embedding=embedding), PretrainTask(InMemory(held, label), chosen))


@pytest.mark.parametrize("pooling", ["max", "mean", "mean_max"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_step_with_a_decoder(pooling, norm):
    held, label = series(1)
    chosen = settings_of("dual_sits_former", decoder=True)
    model = network(1, pooling=pooling, norm=norm, decoder=True)
    one_step(model, PretrainTask(InMemory(held, label), chosen))


def test_a_step_on_two_views():
    held, label = series(1)
    model = network(1, decoder=True, projection=True)
    one_step(model, PretrainTask(InMemory(held, label), settings_of("dual")))


def test_a_step_of_fine_tuning():
    held, label = series(1)
    chosen = ClassifySettings(updates=2, batch_size=24, seed=0)
    task = ClassifyTask(held, label, np.arange(100), chosen)
    one_step(network(1), task)


def test_a_mixed_operation_is_seen():
    with OneDevice(), pytest.raises(AssertionError, match=r"add.*meta"):
        torch.zeros(2) + torch.zeros(2, device="meta")


def test_a_copy_from_the_host_is_seen():
    for copy in (lambda x: x.to("meta"), lambda x: torch.empty(2, device="meta").copy_(x)):
        with OneDevice(), pytest.raises(AssertionError, match=r"copy.*meta"):
            copy(torch.zeros(2))
