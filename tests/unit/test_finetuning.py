"""Fine-tuning: adaptations, cells, and the model that is written."""

from dataclasses import replace

import numpy as np
import pytest

import training_data
from sitsformer import config, fewshot
from sitsformer.errors import SitsError
from sitsformer.fewshot.adaptations import Adaptation
from sitsformer.fewshot.adaptations.bias import vectors
from sitsformer.fewshot.adaptations.full import all_weights
from sitsformer.fewshot.adaptations.linear import classifier_alone
from sitsformer.finetune import run_cells
from sitsformer.modelstore import Origin, load_model, read_history, save_model
from sitsformer.pretrain import Where
from sitsformer.pretrain import run as pretrain
from sitsformer.samples import load_samples
from sitsformer.sampleseries import read_series
from sitsformer.standardtuning import Standard, run_standard
from training_tasks import network


def test_adaptations_train_what_they_say():
    models = {name: network() for name in ("full", "bias", "linear")}
    all_weights(models["full"])
    vectors(models["bias"])
    classifier_alone(models["linear"])
    sizes = {
        name: sum(p.numel() for p in model.parameters() if p.requires_grad)
        for name, model in models.items()
    }
    assert sizes["linear"] == sum(p.numel() for p in models["linear"].classifier.parameters())
    assert sizes["linear"] < sizes["bias"] < sizes["full"] / 4
    for model in models.values():
        named = dict(model.named_parameters())
        assert not named["mask_token"].requires_grad
        assert not named["reconstruction.weight"].requires_grad
    models["linear"].train()
    assert not models["linear"].transformer_encoder.training
    assert models["linear"].classifier.training


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "LP-FT"}, "a name is a small letter"),
        ({"title": ""}, "it needs a title"),
        ({"line": "dashed"}, "its line 'dashed' is none of"),
        ({"line": (0, (4,))}, r"its line \(0, \(4,\)\) is none of"),
        ({"line": (0, (4, -1))}, "is none of"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(change, message):
    values = {
        "name": "lp_ft", "title": "head first, then all", "line": "--", "gradient": True,
        "candidates": lambda settings: [{}], "fit": lambda job, draw, seed, choice: None,
    }  # fmt: skip
    assert Adaptation(**values).name == "lp_ft"
    with pytest.raises(SitsError, match=message):
        Adaptation(**{**values, **change})


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
        beside = set(fewshot.BESIDE_SETTINGS) - {"refinements", "refined_shares"}
        assert set(cell.choice) - {"learning_rate"} == beside
    assert first.class_names == training_data.CLASSES
    alone = first.predict(samples.reflectance, samples.doy)[samples.split == 2]
    assert np.abs(alone - cells[0].probabilities).max() < 1e-5


@pytest.mark.parametrize("adaptation", ["probe", "full"])
def test_cells_are_the_same_bytes_where_padding_is_not_read(store, adaptation):
    samples, small = load_samples(store), load_samples(store, reflectance=False)
    shape = config.Model(embedding="linear", hidden=16, layers=1, heads=2)
    settings = config.FewShot(
        set="made", steps=5, validation=5, learning_rates=(1e-3,), refine=("smoothing",)
    )
    learner = fewshot.Learner(fewshot.NETWORK, "none", adaptation)
    (held,), _ = run_cells(samples, None, learner, 5, [0], shape, settings)
    series = read_series(store, small, None)
    assert len(series.values) < samples.doy.size
    (read,), _ = run_cells(small, None, learner, 5, [0], shape, settings, series=series)
    np.testing.assert_array_equal(read.probabilities, held.probabilities)
    assert read.choice == held.choice


def test_an_adaptation_that_nobody_knows_is_refused(store):
    learner = fewshot.Learner(fewshot.NETWORK, "none", "ful")
    settings = config.FewShot(set="made")
    with pytest.raises(SitsError, match=r"unknown adaptation 'ful'; known are .*; did you mean"):
        run_cells(load_samples(store), None, learner, 5, [0], config.Model(), settings)


def test_a_cell_does_not_depend_on_its_neighbours_in_the_job(store):
    samples = load_samples(store)
    shape = config.Model(embedding="linear", hidden=16, layers=1, heads=2)
    settings = config.FewShot(set="made", steps=5, validation=5, learning_rates=(1e-3,))
    learner = fewshot.Learner(fewshot.NETWORK, "none", "full")
    together, _ = run_cells(samples, None, learner, 5, [0, 1], shape, settings)
    (alone,), _ = run_cells(samples, None, learner, 5, [1], shape, settings)
    assert np.array_equal(together[1].probabilities, alone.probabilities)
    assert not np.array_equal(together[0].probabilities, alone.probabilities)


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


def test_a_model_pretrained_on_two_views_is_fine_tuned(store, tmp_path):
    shape = config.Model(embedding="linear", hidden=16, layers=1, heads=2)
    settings = config.Pretrain(set="made", epochs=2, batch_size=24)
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


def test_a_probe_of_a_pretrained_model_is_stored_and_read(store, tmp_path):
    """What the maps are drawn by: its pooling is another than pretraining's."""
    shape = config.Model(embedding="linear", hidden=16, layers=1, heads=2, pooling="mean_max")
    settings = config.Pretrain(set="made", epochs=1, batch_size=24)
    pretrain(Where(store, tmp_path / "checkpoint", tmp_path / "dual"), "dual", 0, shape, settings)
    sweep = config.FewShot(set="made", steps=20, validation=5)
    samples = load_samples(store)
    for adaptation in ("probe", "lp_ft", "blend", "linear"):
        learner = fewshot.Learner(fewshot.NETWORK, "dual", adaptation, 0)
        _, model = run_cells(samples, tmp_path / "dual", learner, 5, [0], shape, sweep)
        save_model(tmp_path / adaptation, model, Origin("classification", classes=samples.classes))
        again = load_model(tmp_path / adaptation)
        assert again.architecture == model.architecture
        values = samples.reflectance[:20], samples.doy[:20]
        np.testing.assert_array_equal(model.predict(*values), again.predict(*values))


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
