"""The probe and what starts from it; one budget for every network of a sweep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import phenology
from sitsformer import config, fewshot, finetune
from sitsformer.baselines.fitting import run
from sitsformer.baselines.networks import training as baseline_training
from sitsformer.fewshot import NETWORK, TRAIN, Learner, draw_shots
from sitsformer.fewshot.adaptations import adaptations
from sitsformer.fewshot.adaptations.auto import AUTO
from sitsformer.fewshot.adaptations.blend import BLEND
from sitsformer.fewshot.adaptations.lp_ft import LP_FT, tuned
from sitsformer.fewshot.adaptations.probe import PROBE, STRENGTHS, UNSEEN, probed
from sitsformer.fewshot.moments import Moments
from sitsformer.fewshot.space import whitening
from sitsformer.finetune import Job, run_cells
from sitsformer.model.prediction import batch_of, embeddings, probabilities
from sitsformer.sampleseries import series_of
from sitsformer.training.augment import draw_changes
from sitsformer.training.classification import ClassifyTask

SHAPE = config.Model(embedding="linear", hidden=16, layers=1, heads=2)
SWEEP = config.FewShot(set="made", steps=30, batch_size=8, validation=5, learning_rates=(1e-2,))


def job(samples=None, **sweep) -> Job:
    samples = samples or phenology.make(240)
    settings = SWEEP.model_copy(update=sweep)
    return Job(samples, series_of(samples, None), None, SHAPE, settings)


def drawn(j: Job, shots: int = 5) -> fewshot.Draw:
    return draw_shots(j.samples.label, j.samples.split, shots, 0, 5)


def test_a_probe_is_a_regression_on_whitened_seasons() -> None:
    j = job()
    draw = drawn(j)
    model = probed(j, draw, 0, 0.03)
    everything = np.arange(len(j.samples))
    found = probabilities(model, j.series, everything, 64)
    plain = j.start(0)
    plain.new_classifier(4, (), "seasons")
    training = np.flatnonzero(j.samples.split == TRAIN)
    encodings = embeddings(plain, j.series, everything, 64).astype(np.float64)
    scaler = StandardScaler().fit(encodings[training])
    # The whole training split is less than `MOST` samples.
    rng = np.random.default_rng(0)
    rng.permutation(training)
    change = draw_changes(
        j.series.lengths[training], j.series.doy.shape[1], 10, SWEEP.augment.strength(), rng
    )
    copies = batch_of(plain, j.series, training, plain.pool, change=change)
    scaled = scaler.transform(encodings)
    features = scaled @ whitening(scaled[training], scaler.transform(copies))
    regression = LogisticRegression(C=0.03, max_iter=1000, tol=1e-6)
    regression.fit(features[draw.train], j.samples.label[draw.train])
    np.testing.assert_allclose(found, regression.predict_proba(features), atol=5e-3)


def test_a_probe_of_two_classes_is_the_same_regression() -> None:
    samples = phenology.make(240)
    samples = samples.take(samples.label < 2)
    j = job(samples)
    draw = drawn(j)
    model = probed(j, draw, 0, 0.03)
    found = probabilities(model, j.series, np.arange(len(samples)), 64)
    assert (found[:, 2:] < 1e-6).all()
    regression = LogisticRegression(C=0.03, max_iter=1000, tol=1e-6)
    scaled = j.features(model, 0, np.arange(len(samples)))
    regression.fit(scaled[draw.train], samples.label[draw.train])
    np.testing.assert_allclose(found[:, :2], regression.predict_proba(scaled), atol=5e-3)
    assert model.classifier is not None
    assert float(model.classifier.bias.detach()[3]) == UNSEEN


def test_a_probe_moves_the_classifier_alone() -> None:
    j = job()
    start, model = j.start(0).state_dict(), probed(j, drawn(j), 0, 0.03).state_dict()
    changed = {name for name in start if not torch.equal(start[name], model[name])}
    assert changed <= {"classifier.weight", "classifier.bias"}


@pytest.mark.parametrize("seed", [0, 1])
def test_shared_features_are_those_of_the_encoder(seed: int) -> None:
    j = job()
    rows = np.flatnonzero(j.samples.split == 2)[::-1]
    j.features(j.start(1 - seed), 1 - seed, rows)
    model = j.start(seed)
    found = j.features(model, seed, rows)
    assert j.features(j.start(seed), seed, rows) is found
    space = j.space(model, seed)
    training = np.flatnonzero(j.samples.split == TRAIN)
    plain = embeddings(model, j.series, training, 512).astype(np.float64)
    np.testing.assert_allclose((space.mean, space.std), (plain.mean(0), plain.std(0)), rtol=1e-11)
    encodings = embeddings(model, j.series, rows, 512).astype(np.float64)
    expected = (encodings - space.mean) / space.std @ space.turn
    np.testing.assert_allclose(found, expected, atol=1e-4)


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 60), st.just(3)),
        elements=st.floats(-1000, 1000, width=32),
    ),
    st.lists(st.integers(0, 60), max_size=5),
)
def test_moments_of_batches_are_those_of_all(rows: np.ndarray, cuts: list[int]) -> None:
    moments = Moments(3)
    for part in np.split(rows, sorted(min(cut, len(rows)) for cut in cuts)):
        moments.add(part)
    mean, std = moments.scale(1e-6)
    plain = rows.astype(np.float64)
    np.testing.assert_allclose(mean, plain.mean(0), rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(std, np.maximum(plain.std(0), 1e-6), rtol=1e-6, atol=1e-6)


def test_a_blend_lies_half_way() -> None:
    j = job()
    draw, (choice,) = drawn(j), BLEND.candidates(SWEEP)
    assert choice == LP_FT.candidates(SWEEP)[0] == {"learning_rate": pytest.approx(1e-3)}
    ends = [
        probed(j, draw, 0, STRENGTHS[0]).state_dict(),
        tuned(j, draw, 0, choice["learning_rate"]).state_dict(),
    ]
    middle = BLEND.fit(j, draw, 0, choice).state_dict()
    for name, weight in middle.items():
        torch.testing.assert_close(weight, (ends[0][name] + ends[1][name]) / 2)


def test_auto_tries_every_one() -> None:
    tried = [choice["adaptation"] for choice in AUTO.candidates(SWEEP)]
    assert tried == ["probe"] * 3 + ["blend", "lp_ft"]
    shipped = {"probe", "full", "lp_ft", "blend", "auto", "linear", "bias", "sits_former"}
    assert set(adaptations()) == shipped
    assert [PROBE.gradient, LP_FT.gradient, AUTO.gradient] == [False, True, True]


def test_probes_learn(tmp_path: Path) -> None:
    for refine in ((), ("smoothing",)):
        sweep = SWEEP.model_copy(update={"refine": refine})
        cells, model = run_cells(
            phenology.make(400), None, Learner(NETWORK, "none", "probe"), 10, [0, 1], SHAPE, sweep
        )
        right = np.mean([(fewshot.predicted(c) == c.truth).mean() for c in cells])
        assert right > 0.6
        assert model.frozen
        assert ("refined" in cells[0].choice) == bool(refine)


def test_every_network_has_one_budget_batches_and_augmentation(monkeypatch) -> None:
    """The network of the method and the baselines that are trained in steps."""
    seen = []

    class Watched(ClassifyTask):
        def __init__(self, series, label, train, settings, validation=None, **more):
            seen.append((series, train.copy(), settings))
            super().__init__(series, label, train, settings, validation, **more)

    monkeypatch.setattr(finetune, "ClassifyTask", Watched)
    monkeypatch.setattr(baseline_training, "ClassifyTask", Watched)
    samples = phenology.make(240)
    run_cells(samples, None, Learner(NETWORK, "none", "full"), 5, [3], SHAPE, SWEEP)
    for name in ("temporal_cnn", "ltae"):
        run(samples, Learner(name), 5, [3], SWEEP)
    assert len(seen) == 3
    for series, train, settings in seen[1:]:
        assert settings == seen[0][2]
        np.testing.assert_array_equal(train, seen[0][1])
        assert torch.equal(series.values, seen[0][0].values)
        assert torch.equal(series.mean, seen[0][0].mean)
        assert torch.equal(series.std, seen[0][0].std)


def test_a_control_is_given_land_cover(tmp_path: Path) -> None:
    """Land cover that tells the crops makes the forest of one label much better."""
    samples = phenology.make(400)
    known = np.eye(4)[samples.label] * 0.9 + 0.025
    sweep = SWEEP.model_copy(update={"refine": ("land_cover",)})
    learner = Learner("random_forest", "dual", "-", 2)
    assert learner.name == "random_forest-dual-p2"
    assert fewshot.parse_learner(learner.name) == learner
    scores = []
    for cover in (None, known.astype(np.float32)):
        cells = run(samples, learner, 1, range(3), sweep, cover)
        scores.append(np.mean([(fewshot.predicted(c) == c.truth).mean() for c in cells]))
    assert scores[1] > scores[0] + 0.05
    assert {c.choice["refined"] for c in cells} <= {"none", "land_cover"}
