"""Weights of surveyed features in training: how much a sample counts beside others of its class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import phenology
from sitsformer import decisive, fewshot
from sitsformer.baselines.baseline import Task
from sitsformer.baselines.fitting import run
from sitsformer.baselines.nearest_centroid import NEAREST_CENTROID
from sitsformer.baselines.series import PixelSeries
from sitsformer.config import FewShot, Model, parse
from sitsformer.evaluation import metrics
from sitsformer.fewshot import Learner, training_weights
from sitsformer.finetune import run_cells
from sitsformer.model.steps import pack
from sitsformer.samples import About, Samples, load_samples, write_samples
from sitsformer.sampleseries import series_of
from sitsformer.training.classification import ClassifySettings, ClassifyTask

SETTINGS = FewShot(set="crops", steps=40, batch_size=32, validation=5)


def test_weights_are_relative_within_a_class() -> None:
    label = np.array([0, 0, 0, 1, 1, 2, 2])
    weight = np.array([1.0, 2.0, 3.0, 10.0, 30.0, 0.0, 0.0])
    found = training_weights(weight, label, np.arange(7))
    np.testing.assert_allclose(found, [0.5, 1.0, 1.5, 0.5, 1.5, 1.0, 1.0])
    # Of the draw alone: what was not drawn does not count.
    np.testing.assert_allclose(training_weights(weight, label, np.array([1, 2, 3])), [0.8, 1.2, 1])
    assert training_weights(None, label, np.arange(7)) is None
    assert training_weights(np.full(7, 3.0), label, np.arange(7)) is None
    assert training_weights(weight, label, np.array([0, 3])) is None


def test_weights_come_with_the_samples(tmp_path: Path) -> None:
    samples = phenology.make(40)
    about = About("crops", samples.classes, "visits", (), (), (), "block", 100.0)
    columns = {name: getattr(samples, name) for name in ("doy", "label", "split", "block")}
    surveyed = {name: np.zeros(40, np.int64) for name in ("feature", "group")}
    weight = np.random.default_rng(0).uniform(0.5, 2, 40)
    for name, values in (("some", weight), ("same", np.full(40, 2.0))):
        write_samples(
            tmp_path / name, samples.reflectance, columns | surveyed | {"weight": values}, about
        )
    found = load_samples(tmp_path / "some")
    np.testing.assert_array_equal(found.weight, weight)
    np.testing.assert_array_equal(found.take(np.array([3, 1])).weight, weight[[3, 1]])
    part = load_samples(tmp_path / "some", "test")
    np.testing.assert_array_equal(part.weight, weight[samples.split == 2])
    assert load_samples(tmp_path / "same").weight is None


def weighted() -> Samples:
    """Samples of which most training labels are those of another class, and weigh little."""
    samples = phenology.make(300)
    wrong = (np.random.default_rng(0).random(300) < 0.65) & (samples.split == 0)
    label = np.where(wrong, (samples.label + 1) % 4, samples.label)
    return replace(samples, label=label, weight=np.where(wrong, 0.02, 1.0))


@pytest.mark.parametrize(
    "name",
    ["random_forest", "gradient_boosting", "logistic_regression", "nearest_centroid"],
)
def test_baselines_learn_less_from_what_weighs_little(name: str) -> None:
    samples = weighted()
    alike = replace(samples, weight=None)

    def score(made: Samples) -> float:
        (cell,) = run(made, Learner(name), 40, [0], SETTINGS)
        return float(metrics.macro_f1(metrics.confusion(cell.truth, fewshot.predicted(cell), 4)))

    assert score(samples) > score(alike) + 0.3


def test_the_network_learns_less_from_what_weighs_little() -> None:
    samples = weighted()
    size = Model(embedding="linear", hidden=16, layers=1, heads=2, norm="pre")
    alike = replace(samples, weight=None)
    settings = SETTINGS.model_copy(update={"steps": 100, "learning_rates": (0.01,)})

    def score(made: Samples, adaptation: str) -> float:
        learner = Learner("sitsformer", "none", adaptation)
        (cell,), _ = run_cells(made, None, learner, 40, [0], size, settings)
        return float(metrics.macro_f1(metrics.confusion(cell.truth, fewshot.predicted(cell), 4)))

    for adaptation in ("full", "probe"):
        assert score(samples, adaptation) > score(alike, adaptation) + 0.2


def test_logistic_regression_is_scikit_learns_with_weights() -> None:
    samples = weighted()
    (cell,) = run(samples, Learner("logistic_regression"), 20, [0], SETTINGS)
    draw = fewshot.draw_shots(samples.label, samples.split, 20, 0, 5)
    every = PixelSeries.of(samples).features("centre")
    training = every[samples.split == 0]
    points = (every - training.mean(0)) / np.maximum(training.std(0), 1e-6)
    model = LogisticRegression(C=cell.choice["chosen"]["C"], max_iter=200, tol=1e-3)
    weight = training_weights(samples.weight, samples.label, draw.train)
    model.fit(points[draw.train], samples.label[draw.train], sample_weight=weight)
    expected = model.predict_proba(points[samples.split == 2])
    np.testing.assert_allclose(cell.probabilities, expected, atol=1e-5)


def test_a_whole_number_is_as_many_samples_to_a_centroid() -> None:
    samples = phenology.make(80)
    every = PixelSeries.of(samples)
    rows = np.arange(20)
    times = np.random.default_rng(0).integers(1, 4, 20)

    def predicted(train: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        task = Task(every.take(train), samples.label[train], every, 4, 0, SETTINGS, weight=weight)
        fit = NEAREST_CENTROID.fit(task, {"pixels": "centre", "sharpness": 1.0})
        return np.asarray(fit(every))

    np.testing.assert_allclose(
        predicted(rows, times.astype(float)), predicted(np.repeat(rows, times), None), atol=1e-5
    )


def test_the_loss_of_a_batch_is_weighed() -> None:
    samples = phenology.make(60)
    series = series_of(samples, None)
    train = np.arange(12)
    weight = np.random.default_rng(0).uniform(0.2, 2, 12)
    settings = ClassifySettings(updates=1, batch_size=12, seed=0, label_smoothing=0.1)
    plain, own = (
        ClassifyTask(series, samples.label, train, settings, weight=w) for w in (None, weight)
    )
    logits = torch.randn(len(samples), 4, generator=torch.Generator().manual_seed(1))
    (batch,) = next(plain.batches(0, 0))
    (weighed,) = next(own.batches(0, 0))
    assert torch.equal(batch.label, weighed.label)
    assert batch.counts == weighed.counts == {"classes": 12.0}

    class Fixed:
        def logits(self, steps: object) -> torch.Tensor:
            return logits[:12]

    assert weighed.weight is not None
    each = torch.nn.functional.cross_entropy(
        logits[:12], batch.label, label_smoothing=0.1, reduction="none"
    )
    assert plain.sums(Fixed(), batch)["classes"].item() == pytest.approx(
        each.sum().item(), rel=1e-5
    )
    expected = (each * weighed.weight).sum().item()
    assert own.sums(Fixed(), weighed)["classes"].item() == pytest.approx(expected)
    assert sorted(weighed.weight.tolist()) == pytest.approx(sorted(_of(own, train)))
    assert len(pack(series, train).doy) > 0


def _of(task: ClassifyTask, train: np.ndarray) -> list[float]:
    """The weights that the samples of the first round have; small classes come again."""
    from sitsformer.training.classification import balanced_round
    from sitsformer.training.pretraining import EPOCH, generator

    order = balanced_round(train, task.label, generator(0, EPOCH, 0))
    assert task.weight is not None
    return [float(value) for value in task.weight[order]]


def test_only_sets_of_surveys_with_weights_run_again(tmp_path: Path) -> None:
    values = {
        "areas": {
            "farm": {
                "source": "synthetic", "bounds": [5, 50, 5.02, 50.01], "start": "2021-03-01",
                "end": "2021-10-01",
            }
        },
        "labels": {"visits": {"kind": "points", "path": "visits.csv", "column": "crop"}},
        "sets": {"crops": {"areas": ["farm"], "label": "visits"}},
        "pretrain": {"set": "crops"},
        "fewshot": {"set": "crops"},
    }  # fmt: skip
    learners = (Learner("random_forest"), Learner("sitsformer", "none", "full"))
    for learner in learners:
        of = decisive.baseline if learner.method == "random_forest" else decisive.finetune
        plain = decisive.leaves(of(parse(values), learner))
        assert not any("weight" in leaf and "decay" not in leaf for leaf in plain)
        survey = values["labels"]["visits"] | {"weight": "sure"}
        changed = decisive.leaves(of(parse(values | {"labels": {"visits": survey}}), learner))
        assert set(changed) - set(plain) == {"fewshot.weighted=True"}
