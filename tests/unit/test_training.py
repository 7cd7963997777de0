"""The loop, the objectives and the optimiser, in one process."""

import sys
from dataclasses import replace
from functools import partialmethod

import numpy as np
import pytest
import torch

import training_data
from sitsformer import config
from sitsformer.errors import SitsError
from sitsformer.model.steps import make_series
from sitsformer.training import distributed
from sitsformer.training.augment import Strength
from sitsformer.training.loop import fit
from sitsformer.training.observers import observers
from sitsformer.training.pretraining import InMemory, PretrainTask
from sitsformer.training.recipe import Plan, learning_rate, make_optimiser
from training_tasks import (
    MEAN,
    SHAPE,
    STD,
    mask_of,
    network,
    settings_of,
    shape_for,
    task,
    weights,
)


@pytest.mark.parametrize("objective", ["sits_former", "sl", "dual_sits_former", "ssl", "dual"])
@pytest.mark.parametrize("mask", ["steps", "spans", "bands"])
def test_every_objective_learns(objective, mask):
    model = network(shape=shape_for(objective))
    history = fit(model, task(objective, mask=mask), Plan(epochs=12, learning_rate=3e-3))
    assert history[-1]["validation_loss"] < 0.9 * history[0]["validation_loss"]
    assert [row["epoch"] for row in history] == list(range(1, 13))


@pytest.mark.parametrize("objective", ["sits_former", "dual_sits_former"])
@pytest.mark.parametrize("mask", ["steps", "spans"])
def test_a_light_decoder_learns(objective, mask):
    model = network(shape=replace(SHAPE, decoder=True))
    chosen = task(objective, mask=mask, decoder=True)
    history = fit(model, chosen, Plan(epochs=12, learning_rate=3e-3))
    assert history[-1]["validation_loss"] < 0.9 * history[0]["validation_loss"]


@pytest.mark.parametrize("every", [1, 2])
def test_a_series_of_one_step_is_not_hidden_from_an_encoder_with_a_decoder(every):
    """With `every` 1 nothing at all is hidden."""
    values, doy, label, _ = training_data.arrays()
    doy[::every, 1:] = 0
    series = make_series(values, doy, MEAN, STD)
    chosen = PretrainTask(
        InMemory(series, label), settings_of("dual_sits_former", 60, decoder=True)
    )
    model = network(shape=replace(SHAPE, decoder=True))
    batches = [*chosen.batches(0, 0)]
    assert len(batches) == chosen.updates
    for (batch,) in batches:
        single = np.repeat(batch.steps.layout.lengths == 1, batch.steps.layout.lengths)
        assert single.any()
        assert not mask_of(batch)[single].any()
        losses = chosen.sums(model, batch)
        sum(losses.values()).backward()
        assert all(torch.isfinite(value) for value in losses.values())
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    found = []
    for seed in (0, 0, 1):
        model = network()
        fit(model, task(augment=Strength(8, 0.2, 0.05, 0.01)), Plan(epochs=2, seed=seed))
        found.append(weights(model))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_validation_is_deterministic():
    model, chosen = network(), task(augment=Strength(8, 0.5, 0.1, 0.1))
    assert chosen.validate(model) == chosen.validate(model)


def test_samples_without_land_cover_take_part_in_reconstruction_alone():
    mixed = task("dual_sits_former", unlabelled=0.5)
    (batch,) = next(mixed.batches(0, 0))
    assert 0 < batch.counts["landcover"] < 24
    assert batch.counts["landcover"] == int((batch.label >= 0).sum())
    sums = mixed.sums(network(), batch)
    expected = torch.nn.functional.cross_entropy(
        network()
        .eval()
        .classify(network().encode(batch.steps, batch.hidden), batch.steps.layout, batch.steps.doy),
        batch.label,
        ignore_index=-1,
        reduction="sum",
    )
    assert sums["landcover"].shape == expected.shape
    only = task("sl", unlabelled=0.5)
    (batch,) = next(only.batches(0, 0))
    assert (batch.label >= 0).all() and len(batch.label) < 24
    assert len(next(task("sits_former", unlabelled=0.5).batches(0, 0))[0].label) == 24


def test_a_batch_without_labels_does_no_harm():
    nothing = task("dual_sits_former", unlabelled=1.0, validation=False)
    model = network()
    history = fit(model, nothing, Plan(epochs=1))
    assert np.isfinite(history[0]["train_reconstruct"])
    assert history[0]["train_landcover"] == 0.0
    assert torch.isfinite(weights(model)).all()


@pytest.mark.parametrize("embedding", ["linear", "conv3d"])
def test_micro_batches_without_a_label_do_no_harm_to_land_cover_alone(embedding):
    patch = 5 if embedding == "conv3d" else 1
    values, doy, label, _ = training_data.arrays(patch=patch)
    label = np.where(np.arange(len(label)) < 3, label, -1)
    series = make_series(values, doy, MEAN, STD)
    model = network(shape=replace(SHAPE, embedding=embedding, patch=patch))
    chosen = PretrainTask(InMemory(series, label), settings_of("sl"))
    sizes = [len(micro[0].label) for micro in chosen.batches(0, 0)]
    assert 0 in sizes
    assert sum(sizes) > 0
    fit(model, chosen, Plan(epochs=1))
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


def test_a_gpu_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SitsError, match="device cuda was asked for"):
        distributed.start("cuda")


def test_class_balanced_weights_follow_the_frequencies():
    from sitsformer.pretrain import class_weights

    weight = class_weights(np.array([0, 0, 0, 1, -1]), 2)
    assert weight.tolist() == pytest.approx([4 / 6, 2.0])


def test_accumulated_batches_equal_one_batch():
    """Same samples, masks of the same rate: with sl alone the gradients are the same."""
    values, doy, label, _ = training_data.arrays()
    series = make_series(values, doy, MEAN, STD)
    shape = replace(SHAPE, dropout=0.0, attention_dropout=0.0)
    found = []
    for accumulate in (1, 4):
        chosen = settings_of("sl", 48 // accumulate, accumulate=accumulate)
        model = network(shape=shape)
        fit(model, PretrainTask(InMemory(series, label), chosen), Plan(epochs=1, optimiser="adam"))
        found.append(weights(model))
    assert (found[0] - found[1]).abs().max() < 1e-4


@pytest.mark.parametrize(("size", "steps", "full"), [(24, 6, 24), (50, 2, 50), (999, 1, 144)])
def test_batches_are_full(size, steps, full):
    values, doy, label, _ = training_data.arrays()
    series = make_series(values[:144], doy[:144], MEAN, STD)
    chosen = PretrainTask(InMemory(series, label[:144]), settings_of("sl", size))
    assert chosen.updates == steps
    assert [len(micro[0].label) for micro in chosen.batches(0, 0)] == [full] * steps
    later = [micro[0].label for micro in chosen.batches(0, steps - 1)]
    assert torch.equal(later[0], list(chosen.batches(0, 0))[-1][0].label)


def test_learning_rates_of_the_recipes():
    plan = Plan(learning_rate=1.0, warmup=0.1)
    rates = [learning_rate(plan, step, 100, 0) for step in range(100)]
    assert rates[:11] == sorted(rates[:11])
    assert max(rates) == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.001
    paper = Plan(learning_rate=1e-3, warmup=0.0, schedule="exponential", decay=0.99)
    assert learning_rate(paper, 70, 100, 7) == pytest.approx(1e-3 * 0.99**7)
    assert learning_rate(Plan(warmup=0.0, schedule="constant"), 99, 100, 0) == 1e-3


def test_only_matrices_decay():
    groups = make_optimiser(network(), Plan(weight_decay=0.1)).param_groups
    assert {p.ndim for p in groups[0]["params"]} == {2}
    assert {p.ndim for p in groups[1]["params"]} == {1}
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    plain = make_optimiser(network(), Plan(weight_decay=0.1, optimiser="adam")).param_groups
    assert [group["weight_decay"] for group in plain] == [0.0, 0.0]


def test_a_step_is_that_of_the_papers():
    """Adam (Kingma and Ba 2015) with decoupled decay (Loshchilov and Hutter 2019), written out."""
    model = network()
    optimiser = make_optimiser(model, Plan(learning_rate=0.01, weight_decay=0.1))
    weight = model.transformer_encoder.layers[0].linear1.weight
    expected, first, second = weight.detach().double().clone(), 0.0, 0.0
    for step in range(1, 6):
        gradient = torch.randn(weight.shape)
        weight.grad = gradient.clone()
        optimiser.step()
        first = 0.9 * first + 0.1 * gradient.double()
        second = 0.999 * second + 0.001 * gradient.double() ** 2
        expected *= 1 - 0.01 * 0.1
        root = (second / (1 - 0.999**step)).sqrt() + 1e-8
        expected -= 0.01 * first / (1 - 0.9**step) / root
    assert (weight - expected).abs().max() < 1e-6


def test_early_stopping_keeps_the_best_weights():
    chosen = task("sl")
    losses = iter([1.0, 0.5, 0.7, 0.6, 0.9, 0.9])
    snapshots = []

    def validate(model):
        snapshots.append(weights(model).clone())
        return {"loss": next(losses)}

    chosen.validate = validate
    model = network()
    history = fit(model, chosen, Plan(epochs=6, patience=3))
    assert len(history) == 5
    assert torch.equal(weights(model), snapshots[1])


def test_hidden_bands_and_a_decoder_do_not_go_together():
    with pytest.raises(ValueError, match="mask: steps or spans"):
        config.Pretrain(set="made", mask="bands", decoder="light")


def test_tensorboard_gets_every_epoch(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    watchers = observers(tmp_path, None, {})
    fit(network(), task("sits_former"), Plan(epochs=3), observers=watchers)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert "loss/validation" in events.Tags()["scalars"]
    assert [event.step for event in events.Scalars("reconstruct/train")] == [6, 12, 18]


def test_mlflow_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(SitsError, match=r"pip install mlflow-skinny"):
        observers(None, "file:runs", {})


@pytest.mark.long
def test_compiled_layers_train_the_same(monkeypatch):
    """Traced as for any compiler; what comes out runs as it is, so that none is needed here."""
    traced = partialmethod(torch.nn.Module.compile, backend="eager")
    monkeypatch.setattr(torch.nn.Module, "compile", traced)
    found = []
    for compiled in (False, True):
        plan = Plan(epochs=2, compile=compiled)
        found.append(fit(network(), task("dual_sits_former"), plan)[-1]["validation_loss"])
    assert found[1] == pytest.approx(found[0], rel=1e-3)


def test_bf16_reaches_about_the_same_loss():
    found = []
    for precision in ("float32", "bf16"):
        model = network()
        plan = Plan(epochs=6, learning_rate=3e-3, precision=precision)
        found.append(fit(model, task("dual_sits_former"), plan)[-1]["validation_loss"])
    assert found[1] == pytest.approx(found[0], rel=0.1)
