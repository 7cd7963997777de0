"""Training that stops, breaks or is stopped, and how it is resumed."""

import errno
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import training_data
from sitsformer.errors import SitsError
from sitsformer.model.steps import make_series
from sitsformer.training import checkpoint as checkpoints
from sitsformer.training import fingerprints
from sitsformer.training.augment import Strength
from sitsformer.training.loop import fit
from sitsformer.training.pretraining import Held, InMemory, PretrainTask
from sitsformer.training.recipe import Plan
from training_tasks import MEAN, SHAPE, STD, network, settings_of, task, weights


def test_a_broken_loss_stops_and_keeps_the_checkpoint(tmp_path):
    chosen = task("sits_former")
    plain = chosen.sums

    def sums(model, batch):
        sums.calls += 1
        found = plain(model, batch)
        return {"reconstruct": found["reconstruct"] * (float("nan") if sums.calls == 9 else 1.0)}

    sums.calls = 0
    chosen.sums = sums
    with pytest.raises(SitsError, match=r"not finite .* last good checkpoint is kept"):
        fit(network(), chosen, Plan(epochs=3, checkpoint_every=4), checkpoint=tmp_path)
    state, tensors = checkpoints.load(tmp_path)
    assert all(torch.isfinite(value).all() for value in tensors.values())
    assert state["epoch"] + state["step"] > 0


def test_a_diverging_loss_stops():
    chosen = task("sits_former")
    plain = chosen.sums
    chosen.sums = lambda model, batch: {
        "reconstruct": plain(model, batch)["reconstruct"] * 1.6 ** chosen.grow()
    }
    calls = iter(range(10_000))
    chosen.grow = lambda: next(calls)
    with pytest.raises(SitsError, match="diverges"):
        fit(network(), chosen, Plan(epochs=20))


@pytest.mark.parametrize("embedding", ["linear", "conv3d"])
def test_resuming_from_every_checkpoint_gives_the_same_bits(tmp_path, embedding):
    shape = replace(SHAPE, embedding=embedding)
    values, doy, label, split = training_data.arrays(patch=1)
    series = make_series(values[split == 0], doy[split == 0], MEAN, STD)
    held = Held(make_series(values[split == 1], doy[split == 1], MEAN, STD), label[split == 1])
    settings = settings_of("dual_sits_former", augment=Strength(8, 0.2, 0.05, 0.01))
    plan = Plan(epochs=2, checkpoint_every=1)

    def start():
        return network(shape=shape), PretrainTask(
            InMemory(series, label[split == 0]), settings, None, held
        )

    model, whole = start()
    expected_history = fit(model, whole, plan)
    expected = weights(model)
    for stop_after in (1, 5, 6, 7, 11):
        folder = tmp_path / str(stop_after)

        def interrupt(done, _steps, _loss, stop_after=stop_after):
            if done == stop_after + 1:
                raise KeyboardInterrupt

        model, part = start()
        with pytest.raises(KeyboardInterrupt):
            fit(model, part, plan, checkpoint=folder, progress=interrupt)
        model, part = start()
        history = fit(model, part, plan, checkpoint=folder)
        assert torch.equal(weights(model), expected), stop_after
        assert history == expected_history


def test_an_epoch_that_was_interrupted_as_it_was_validated_is_told_of_the_same(tmp_path):
    """All its steps are in the checkpoint, so that none is done again."""
    plan = Plan(epochs=2, checkpoint_every=1)
    expected = fit(network(), task(), plan)
    interrupted = task()

    def validate(_model):
        raise KeyboardInterrupt

    interrupted.validate = validate
    with pytest.raises(KeyboardInterrupt):
        fit(network(), interrupted, plan, checkpoint=tmp_path)
    assert checkpoints.load(tmp_path)[0]["step"] == interrupted.updates
    assert fit(network(), task(), plan, checkpoint=tmp_path) == expected


def test_a_checkpoint_of_other_settings_is_not_resumed(tmp_path):
    first = network()
    fit(first, task(), Plan(epochs=1), checkpoint=tmp_path, settings={"seed": 0})
    model = network()
    fit(model, task(), Plan(epochs=1), checkpoint=tmp_path, settings={"seed": 1})
    untouched = network()
    fit(untouched, task(), Plan(epochs=1))
    assert torch.equal(weights(model), weights(untouched))


@pytest.mark.parametrize("package", ["sitsformer", "torch"])
def test_a_checkpoint_of_another_version_is_not_resumed(tmp_path, monkeypatch, package):
    def first_step():
        steps = []
        fit(
            network(), task(), Plan(epochs=1), checkpoint=tmp_path,
            progress=lambda done, *_: steps.append(done),
        )  # fmt: skip
        return steps[0] if steps else None

    real = fingerprints.metadata.version
    assert first_step() == 1
    assert first_step() is None  # finished: nothing is left to do
    monkeypatch.setattr(
        fingerprints.metadata, "version", lambda name: "0.0" if name == package else real(name)
    )
    assert first_step() == 1


def test_a_checkpoint_of_another_layout_is_not_resumed(tmp_path, monkeypatch):
    fit(network(), task(), Plan(epochs=1), checkpoint=tmp_path)
    monkeypatch.setattr(fingerprints, "LAYOUT", fingerprints.LAYOUT + 1)
    model, untouched = network(), network()
    model.load_state_dict({k: v + 1 if v.ndim else v for k, v in model.state_dict().items()})
    untouched.load_state_dict(model.state_dict())
    fit(model, task(), Plan(epochs=1), checkpoint=tmp_path)
    fit(untouched, task(), Plan(epochs=1))
    assert torch.equal(weights(model), weights(untouched))


def test_a_damaged_checkpoint_is_named(tmp_path):
    fit(network(), task(), Plan(epochs=1), checkpoint=tmp_path)
    path = tmp_path / checkpoints.FILE
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(SitsError, match="damaged"):
        fit(network(), task(), Plan(epochs=2), checkpoint=tmp_path)


def test_a_failed_write_leaves_the_last_checkpoint_whole(tmp_path, monkeypatch):
    fit(network(), task(), Plan(epochs=1), checkpoint=tmp_path)
    before = (tmp_path / checkpoints.FILE).read_bytes()
    import safetensors.torch

    def full(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(SitsError, match="disk is full"):
        fit(network(), task(), Plan(epochs=2, seed=1), checkpoint=tmp_path, settings={"b": 1})
    assert (tmp_path / checkpoints.FILE).read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == [checkpoints.FILE]
