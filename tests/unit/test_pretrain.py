"""Where pretraining keeps its samples; a GPU is stood in for by a number of free bytes."""

import numpy as np
import pytest
import torch

import phenology
import training_data
from sitsformer import config, pretrain
from sitsformer.errors import SitsError
from sitsformer.model.steps import make_series
from sitsformer.modelstore import load_model
from sitsformer.samples import load_samples, statistics
from sitsformer.training.pretraining import InMemory

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made = phenology.make(400, side=3)
    return phenology.write(tmp_path_factory.mktemp("store") / "s.zarr", made)


def source(store, loader, monkeypatch, gpu):
    """The source of a run whose GPU has so many free bytes (None: there is no GPU)."""
    monkeypatch.setattr(pretrain.distributed, "free_memory", lambda device: gpu)
    settings = config.Pretrain(set="land", batch_size=32, loader=loader)
    stats = statistics(store)

    def series(batch):
        return make_series(batch["reflectance"], batch["doy"], stats.mean, stats.std, CPU)

    return pretrain.samples_of(store, settings, 3, CPU, series)


def values(found):
    """What the samples of an epoch's batches are, in order."""
    seen = []
    for series, label, index in found.batches(32, 1, 2):
        steps = series.values.reshape(len(label), -1)[torch.from_numpy(index)]
        seen.append((steps.numpy(), label[index], series.doy[index]))
    return seen


@pytest.mark.parametrize(
    ("loader", "gpu", "kind"),
    [
        ("auto", None, InMemory),
        ("auto", 10**12, InMemory),
        ("auto", 1000, pretrain.Streamed),
        ("device", 1000, InMemory),
        ("memory", 10**12, pretrain.Streamed),
        ("memory", None, InMemory),
        ("stream", 10**12, pretrain.Streamed),
    ],
)
def test_samples_are_the_same_wherever_they_are_kept(store, monkeypatch, loader, gpu, kind):
    found = source(store, loader, monkeypatch, gpu)
    assert type(found) is kind
    expected = values(source(store, "stream", monkeypatch, None))
    got = values(found)
    assert len(got) == len(expected) > 3
    for a, b in zip(got, expected, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_too_little_room_on_the_gpu_is_said(store, monkeypatch):
    def full(batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    settings = config.Pretrain(set="land", batch_size=32, loader="device")
    with pytest.raises(SitsError, match=r"does not fit on cpu: set pretrain.loader to memory"):
        pretrain.samples_of(store, settings, 0, CPU, full)


@pytest.mark.parametrize("count", [5, 6, 12])
def test_stores_of_other_bands_are_learnt_from(tmp_path, caplog, count):
    caplog.set_level("INFO", logger="sitsformer")
    names = tuple(f"B{number}" for number in range(count))
    store = training_data.store(tmp_path / "s.zarr", names, count=60, time=6, patch=3)
    where = pretrain.Where(store, tmp_path / "checkpoint", tmp_path / "model")
    shape = config.Model(embedding="conv3d", hidden=16, layers=1, heads=2)
    settings = config.Pretrain(set="made", epochs=1, batch_size=12)
    history = pretrain.run(where, "dual", 0, shape, settings, "cpu")
    best = f"lowest validation loss {history[0]['validation_loss']:.4g}, in epoch 1 of 1"
    assert caplog.messages[-1] == f"{where.out}: {history[0]['step']} updates; {best}"
    model = load_model(tmp_path / "model", bands=names, patch=3)
    samples = load_samples(store)
    assert model.predict(samples.reflectance, samples.doy).shape == (60, 3)


def test_too_few_bands_for_convolutions_are_refused_with_a_way_out(tmp_path):
    store = training_data.store(tmp_path / "s.zarr", ("VV", "VH"), count=60, time=6)
    where = pretrain.Where(store, tmp_path / "checkpoint", tmp_path / "model")
    settings = config.Pretrain(set="made", epochs=1, batch_size=12)
    with pytest.raises(SitsError, match=r"2 bands.*use model\.embedding: linear"):
        pretrain.run(where, "ssl", 0, config.Model(embedding="conv3d"), settings, "cpu")
