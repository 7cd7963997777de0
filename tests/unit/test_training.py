"""The loop, the tasks and fine-tuning, in one process."""

import errno
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import training_data
from sitsformer import config, fewshot
from sitsformer.errors import SitsError
from sitsformer.finetune import Standard, freeze, run_cells, run_standard
from sitsformer.model import Architecture, SITSFormer
from sitsformer.model.steps import make_series
from sitsformer.modelstore import load_model, read_history
from sitsformer.pretrain import Where
from sitsformer.pretrain import run as pretrain
from sitsformer.samples import load_samples
from sitsformer.training import Plan, fit, learning_rate, make_optimiser
from sitsformer.training import checkpoint as checkpoints
from sitsformer.training.augment import Strength
from sitsformer.training.ensemble import Ensemble, EnsembleTask, can_stack
from sitsformer.training.observers import observers
from sitsformer.training.optimiser import Adam
from sitsformer.training.tasks import (
    ClassifySettings,
    ClassifyTask,
    InMemory,
    PretrainSettings,
    PretrainTask,
)

MEAN, STD = np.full(10, 0.2), np.full(10, 0.1)
SHAPE = Architecture(10, 1, "linear", 16, 2, 2, norm="pre", pooling="mean_max", classes=3)


def network(seed=0, shape=SHAPE):
    torch.manual_seed(seed)
    return SITSFormer(shape, MEAN, STD)


def task(objective="dual", unlabelled=0.0, validation=True, **settings):
    values, doy, label, split = training_data.arrays(unlabelled=unlabelled)
    train, held = (np.flatnonzero(split == k) for k in (0, 1))
    series = [make_series(values[i], doy[i], MEAN, STD) for i in (train, held)]
    chosen = PretrainSettings(objective, 24, **settings)
    held_out = (series[1], label[held]) if validation else None
    return PretrainTask(InMemory(series[0], label[train]), chosen, validation=held_out)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("objective", ["ssl", "sl", "dual"])
@pytest.mark.parametrize("mask", ["steps", "spans", "bands"])
def test_every_objective_learns(objective, mask):
    model = network()
    history = fit(model, task(objective, mask=mask), Plan(epochs=12, learning_rate=3e-3))
    assert history[-1]["validation_loss"] < 0.9 * history[0]["validation_loss"]
    assert [row["epoch"] for row in history] == list(range(1, 13))


@pytest.mark.parametrize("objective", ["ssl", "dual"])
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
    chosen = PretrainTask(InMemory(series, label), PretrainSettings("dual", 60, decoder=True))
    model = network(shape=replace(SHAPE, decoder=True))
    for (batch,) in chosen.batches(0, 0):
        single = np.repeat(batch.steps.layout.lengths == 1, batch.steps.layout.lengths)
        assert single.any()
        assert not batch.hidden[single].any()
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
    mixed = task("dual", unlabelled=0.5)
    (batch,) = next(mixed.batches(0, 0))
    assert 0 < batch.counts["sl"] < 24
    assert batch.counts["sl"] == int((batch.label >= 0).sum())
    sums = mixed.sums(network(), batch)
    expected = torch.nn.functional.cross_entropy(
        network().eval().classify(network().encode(batch.steps, batch.hidden), batch.steps.layout),
        batch.label,
        ignore_index=-1,
        reduction="sum",
    )
    assert sums["sl"].shape == expected.shape
    only = task("sl", unlabelled=0.5)
    (batch,) = next(only.batches(0, 0))
    assert (batch.label >= 0).all() and len(batch.label) < 24
    assert len(next(task("ssl", unlabelled=0.5).batches(0, 0))[0].label) == 24


def test_a_batch_without_labels_does_no_harm():
    nothing = task("dual", unlabelled=1.0, validation=False)
    model = network()
    history = fit(model, nothing, Plan(epochs=1))
    assert np.isfinite(history[0]["train_ssl"])
    assert history[0]["train_sl"] == 0.0
    assert torch.isfinite(weights(model)).all()


def test_class_balanced_weights_follow_the_frequencies():
    from sitsformer.pretrain import _class_weights

    weight = _class_weights(np.array([0, 0, 0, 1, -1]), 2)
    assert weight.tolist() == pytest.approx([4 / 6, 2.0])


def test_accumulated_batches_equal_one_batch():
    """Same samples, masks of the same rate: with sl alone the gradients are the same."""
    values, doy, label, _ = training_data.arrays()
    series = make_series(values, doy, MEAN, STD)
    shape = replace(SHAPE, dropout=0.0, attention_dropout=0.0)
    found = []
    for accumulate in (1, 4):
        chosen = PretrainSettings("sl", 48 // accumulate, accumulate)
        model = network(shape=shape)
        fit(model, PretrainTask(InMemory(series, label), chosen), Plan(epochs=1, optimiser="adam"))
        found.append(weights(model))
    assert (found[0] - found[1]).abs().max() < 1e-4


@pytest.mark.parametrize(("size", "steps", "full"), [(24, 6, 24), (50, 2, 50), (999, 1, 144)])
def test_batches_are_full(size, steps, full):
    values, doy, label, _ = training_data.arrays()
    series = make_series(values[:144], doy[:144], MEAN, STD)
    chosen = PretrainTask(InMemory(series, label[:144]), PretrainSettings("sl", size))
    assert chosen.steps == steps
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
    groups = make_optimiser(network(), Plan(weight_decay=0.1)).groups
    assert {p.ndim for p in groups[0].parameters} == {2}
    assert {p.ndim for p in groups[1].parameters} == {1}
    assert [group.weight_decay for group in groups] == [0.1, 0.0]
    plain = make_optimiser(network(), Plan(weight_decay=0.1, optimiser="adam")).groups
    assert [group.weight_decay for group in plain] == [0.0, 0.0]


def test_the_optimiser_equals_the_librarys():
    """AdamW of torch, parameters without a gradient included; state survives a round trip."""
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(4, 3)) for _ in range(3)]
    theirs = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    library = torch.optim.AdamW(theirs, lr=0.01, weight_decay=0.1)
    optimiser = Adam([(ours, 0.1)])
    for step in range(6):
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            gradient = None if i == step % 3 else torch.randn(4, 3)
            a.grad, b.grad = gradient, None if gradient is None else gradient.clone()
        if step == 3:
            state = {name: value.clone() for name, value in optimiser.tensors().items()}
            optimiser = Adam([(ours, 0.1)])
            optimiser.load(state)
        optimiser.step(0.01)
        library.step()
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-6)


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


def test_a_broken_loss_stops_and_keeps_the_checkpoint(tmp_path):
    chosen = task("ssl")
    plain = chosen.sums

    def sums(model, batch):
        sums.calls += 1
        found = plain(model, batch)
        return {"ssl": found["ssl"] * (float("nan") if sums.calls == 9 else 1.0)}

    sums.calls = 0
    chosen.sums = sums
    with pytest.raises(SitsError, match=r"not finite .* last good checkpoint is kept"):
        fit(network(), chosen, Plan(epochs=3, checkpoint_every=4), checkpoint=tmp_path)
    state, tensors = checkpoints.load(tmp_path)
    assert all(torch.isfinite(value).all() for value in tensors.values())
    assert state["epoch"] + state["step"] > 0


def test_a_diverging_loss_stops():
    chosen = task("ssl")
    plain = chosen.sums
    chosen.sums = lambda model, batch: {"ssl": plain(model, batch)["ssl"] * 1.6 ** chosen.grow()}
    calls = iter(range(10_000))
    chosen.grow = lambda: next(calls)
    with pytest.raises(SitsError, match="diverges"):
        fit(network(), chosen, Plan(epochs=20))


@pytest.mark.parametrize("embedding", ["linear", "conv3d"])
def test_going_on_from_every_checkpoint_gives_the_same_bits(tmp_path, embedding):
    shape = replace(SHAPE, embedding=embedding)
    values, doy, label, split = training_data.arrays(patch=1)
    series = make_series(values[split == 0], doy[split == 0], MEAN, STD)
    held = (make_series(values[split == 1], doy[split == 1], MEAN, STD), label[split == 1])
    settings = PretrainSettings("dual", 24, augment=Strength(8, 0.2, 0.05, 0.01))
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


def test_a_checkpoint_of_other_settings_is_not_gone_on_from(tmp_path):
    first = network()
    fit(first, task(), Plan(epochs=1), checkpoint=tmp_path, settings={"seed": 0})
    model = network()
    fit(model, task(), Plan(epochs=1), checkpoint=tmp_path, settings={"seed": 1})
    untouched = network()
    fit(untouched, task(), Plan(epochs=1))
    assert torch.equal(weights(model), weights(untouched))


@pytest.mark.parametrize("package", ["sitsformer", "torch"])
def test_a_checkpoint_of_another_version_is_not_gone_on_from(tmp_path, monkeypatch, package):
    def first_step():
        steps = []
        fit(
            network(), task(), Plan(epochs=1), checkpoint=tmp_path,
            progress=lambda done, *_: steps.append(done),
        )  # fmt: skip
        return steps[0] if steps else None

    real = checkpoints.metadata.version
    assert first_step() == 1
    assert first_step() is None  # finished: nothing is left to do
    monkeypatch.setattr(
        checkpoints.metadata, "version", lambda name: "0.0" if name == package else real(name)
    )
    assert first_step() == 1


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


def classify(seed, steps=8, size=12):
    values, doy, label, _ = training_data.arrays()
    series = make_series(values, doy, MEAN, STD)
    chosen = np.random.default_rng(seed).permutation(240)[:36]
    settings = ClassifySettings(steps, size, seed, 0.1, Strength(8, 0.2, 0.05, 0.01))
    return ClassifyTask(series, label, chosen, settings)


@pytest.mark.parametrize("way", ["full", "linear", "bias"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_stacked_networks_learn_what_they_learn_alone(way, norm):
    shape = replace(SHAPE, norm=norm, dropout=0.0, attention_dropout=0.0)
    alone, together = ([network(s, shape) for s in range(3)] for _ in range(2))
    for model in [*alone, *together]:
        freeze(model, way)
    plan = Plan(clip=0.5)  # low enough to bind, and each network by itself
    for seed, model in enumerate(alone):
        fit(model, classify(seed), plan)
    assert can_stack(together)
    ensemble = Ensemble(together)
    fit(ensemble, EnsembleTask([classify(seed) for seed in range(3)]), plan)
    ensemble.unstack()
    for seed, (a, b) in enumerate(zip(alone, together, strict=True)):
        assert (weights(a) - weights(b)).abs().max() < 1e-4
        moved = (weights(a) - weights(network(seed, shape))).abs().max()
        assert moved > 1e-3


def test_ways_of_fine_tuning_train_what_they_say():
    model = network()
    sizes = {}
    for way in ("full", "bias", "linear"):
        freeze(model, way)
        sizes[way] = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert sizes["linear"] == sum(p.numel() for p in model.classifier.parameters())
    assert sizes["linear"] < sizes["bias"] < sizes["full"] / 4
    freeze(model, "linear")
    model.train()
    assert not model.transformer_encoder.training
    assert model.classifier.training


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return training_data.store(tmp_path_factory.mktemp("store") / "made.zarr")


def test_cells_are_right_and_the_same_again(store):
    samples = load_samples(store)
    model = config.Model(embedding="linear", hidden=16, layers=1, heads=2, pooling="mean_max")
    settings = config.FewShot(set="made", steps=60, validation=5, learning_rates=(1e-4, 3e-3))
    learner = fewshot.Learner(fewshot.NETWORK, "none", "full")
    cells, first = run_cells(samples, None, learner, 10, range(2), model, settings)
    again, _ = run_cells(samples, None, learner, 10, range(2), model, settings)
    assert [cell.seed for cell in cells] == [0, 1]
    for cell, same in zip(cells, again, strict=True):
        assert np.array_equal(cell.probabilities, same.probabilities)
        assert np.array_equal(cell.sample, np.flatnonzero(samples.split == 2))
        assert (fewshot.predicted(cell) == cell.truth).mean() > 0.8
        assert cell.choice["learning_rate"] == 3e-3
    assert first.class_names == training_data.CLASSES
    alone = first.predict(samples.reflectance, samples.doy)[samples.split == 2]
    assert np.abs(alone - cells[0].probabilities).max() < 1e-5


def test_shuffled_labels_give_chance(store):
    samples = load_samples(store)
    label = np.random.default_rng(0).permutation(samples.label)
    shuffled = replace(samples, label=label)
    model = config.Model(embedding="linear", hidden=16, layers=1, heads=2)
    settings = config.FewShot(set="made", steps=30, validation=5)
    learner = fewshot.Learner(fewshot.NETWORK, "none", "full")
    cells, _ = run_cells(shuffled, None, learner, 10, range(3), model, settings)
    right = np.mean([(fewshot.predicted(c) == c.truth).mean() for c in cells])
    assert abs(right - 1 / 3) < 0.15


def test_a_model_pretrained_with_a_decoder_is_fine_tuned(store, tmp_path):
    shape = config.Model(embedding="linear", hidden=16, layers=1, heads=2)
    settings = config.Pretrain(set="made", epochs=2, batch_size=24, decoder="light")
    where = Where(store, tmp_path / "checkpoint", tmp_path / "model")
    pretrain(where, "dual", 0, shape, settings, "cpu")
    model = load_model(tmp_path / "model")
    assert model.architecture.decoder
    assert model.decoder is not None
    sweep = config.FewShot(set="made", steps=60, validation=5, learning_rates=(3e-3,))
    learner = fewshot.Learner(fewshot.NETWORK, "dual", "full", 0)
    samples = load_samples(store)
    cells, tuned = run_cells(samples, tmp_path / "model", learner, 10, range(2), shape, sweep)
    assert (fewshot.predicted(cells[0]) == cells[0].truth).mean() > 0.8
    assert all(not p.requires_grad for p in tuned.decoder.parameters())


def test_hidden_bands_and_a_decoder_do_not_go_together():
    with pytest.raises(ValueError, match="mask: steps or spans"):
        config.Pretrain(set="made", mask="bands", decoder="light")


def test_standard_fine_tuning_writes_a_model_that_predicts(store, tmp_path):
    model = config.Model(embedding="linear", hidden=16, layers=1, heads=2)
    settings = Standard(epochs=10, batch_size=16, recipe=config.Optimiser(learning_rate=3e-3))
    out = tmp_path / "model"
    metrics = run_standard(store, None, out, tmp_path / "checkpoint", model, settings)
    assert metrics["test_accuracy"] > 0.8
    samples = load_samples(store)
    found = load_model(out).predict(samples.reflectance, samples.doy).argmax(1)
    test = samples.split == 2
    assert (found == samples.label)[test].mean() == pytest.approx(metrics["test_accuracy"])
    assert len(read_history(out)) == 10


def test_tensorboard_gets_every_epoch(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    watchers = observers(tmp_path, None, {})
    fit(network(), task("ssl"), Plan(epochs=3), observers=watchers)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert "loss/validation" in events.Tags()["scalars"]
    assert [event.step for event in events.Scalars("ssl/train")] == [6, 12, 18]


def test_mlflow_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(SitsError, match=r"pip install sitsformer\[mlflow\]"):
        observers(None, "file:runs", {})


def test_bf16_reaches_about_the_same_loss():
    found = []
    for precision in ("float32", "bf16"):
        model = network()
        plan = Plan(epochs=6, learning_rate=3e-3, precision=precision)
        found.append(fit(model, task("dual"), plan)[-1]["validation_loss"])
    assert found[1] == pytest.approx(found[0], rel=0.1)
