"""Who learns from embeddings of others: against scikit-learn, and what they may see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors

import phenology
from sitsformer import fewshot
from sitsformer.baselines import embedded as learners
from sitsformer.baselines import series
from sitsformer.baselines.embedded import Embedded, baseline
from sitsformer.baselines.fitting import run
from sitsformer.baselines.standardised import scaler
from sitsformer.config import FewShot
from sitsformer.embeddings import LEARNERS, learner_name, of_products
from sitsformer.errors import SitsError
from sitsformer.evaluation import claims, differences, evaluate, metrics
from sitsformer.fewshot import Learner
from sitsformer.fewshot.vectors import Vectors
from sitsformer.samples import Samples
from sitsformer.training.objectives import BEST_BASELINE

SETTINGS = FewShot(set="crops", validation=5)


def made(samples: Samples, noise: float = 0.4, missing: int = 0) -> Embedded:
    """Embeddings of 16 axes that know the classes, with noise."""
    rng = np.random.default_rng(5)
    directions = rng.normal(size=(len(phenology.NAMES), 16))
    values = directions[samples.label] + noise * rng.normal(size=(len(samples), 16))
    values[rng.choice(len(samples), missing, replace=False)] = np.nan
    return Embedded(values.astype(np.float32))


def encoded(samples: Samples) -> np.ndarray:
    """What an encoder might say of samples: 40 features that know a little of the classes."""
    rng = np.random.default_rng(6)
    directions = rng.normal(size=(len(phenology.NAMES), 40))
    values = directions[samples.label] + 2.0 * rng.normal(size=(len(samples), 40))
    return (1 + 3 * values).astype(np.float32)


def cells(embedded: Embedded, samples: Samples, kind: str, shots: int = 10) -> list[fewshot.Cell]:
    learner = Learner(learner_name("mine", kind))
    own = baseline(embedded, kind, encoded(samples))
    return run(samples, learner, shots, [0, 1], SETTINGS, baseline=own)


@pytest.mark.parametrize("kind", LEARNERS)
def test_every_learner_learns_repeats_and_is_scored_on_every_test_sample(kind: str) -> None:
    samples = phenology.make(side=3)
    embedded = made(samples, missing=9)
    found = cells(embedded, samples, kind)
    test = np.flatnonzero(samples.split == 2)
    for cell in found:
        np.testing.assert_array_equal(cell.sample, test)
        np.testing.assert_allclose(cell.probabilities.sum(1), 1, atol=1e-5)
        matrix = metrics.confusion(cell.truth, fewshot.predicted(cell), len(phenology.NAMES))
        assert metrics.macro_f1(matrix) > 0.6
        assert cell.choice["without_embedding"] == np.isnan(embedded.values[test]).any(1).sum()
    again = cells(embedded, samples, kind)
    np.testing.assert_array_equal(again[1].probabilities, found[1].probabilities)


@pytest.mark.parametrize("kind", LEARNERS)
def test_learners_see_no_label_but_the_drawn_ones(kind: str) -> None:
    samples = phenology.make()
    embedded = made(samples)
    found = cells(embedded, samples, kind)[0]
    draw = fewshot.draw_shots(samples.label, samples.split, 10, 0, 5)
    hidden = np.ones(len(samples), bool)
    hidden[np.concatenate([draw.train, draw.validation])] = False
    label = np.where(hidden & (samples.split == 2), 0, samples.label)
    own = baseline(embedded, kind, encoded(samples))
    hiding = replace(samples, label=label)
    (other, _) = run(hiding, found.learner, 10, [0, 1], SETTINGS, baseline=own)
    np.testing.assert_array_equal(other.probabilities, found.probabilities)


def test_logistic_regression_is_scikit_learns() -> None:
    samples = phenology.make()
    embedded = made(samples, noise=1.5)
    cell = cells(embedded, samples, "logistic_regression")[0]
    draw = fewshot.draw_shots(samples.label, samples.split, 10, 0, 5)
    values = embedded.values.astype(float)
    training = values[samples.split == 0]
    points = (values - training.mean(0)) / training.std(0)
    tried = []
    for strength in (0.01, 0.1, 1.0):
        model = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
        model.fit(points[draw.train], samples.label[draw.train])
        found = model.predict_proba(points[draw.validation])
        score = fewshot.validation_score(samples.label[draw.validation], found)
        tried.append((score, strength, model.predict_proba(points[samples.split == 2])))
    score, strength, expected = max(tried, key=lambda one: one[0])
    assert cell.choice["chosen"] == {"C": strength}
    np.testing.assert_allclose(cell.probabilities, expected, atol=1e-6)


def test_nearest_neighbour_is_scikit_learns() -> None:
    samples = phenology.make()
    embedded = made(samples, noise=1.0)
    cell = cells(embedded, samples, "nearest_neighbour")[0]
    draw = fewshot.draw_shots(samples.label, samples.split, 10, 0, 5)
    points = embedded.values.astype(float)
    if cell.choice["chosen"]["standardised"]:
        training = points[samples.split == 0]
        points = (points - training.mean(0)) / training.std(0)
    search = NearestNeighbors(n_neighbors=1).fit(points[draw.train])
    nearest = search.kneighbors(points[samples.split == 2], return_distance=False)[:, 0]
    expected = samples.label[draw.train][nearest]
    np.testing.assert_array_equal(fewshot.predicted(cell), expected)


def test_with_series_gives_both_the_same_say() -> None:
    samples = phenology.make()
    embedded = made(samples)
    joined = baseline(embedded, "with_series")
    everything = series.PixelSeries.of(samples)
    assert joined.space is not None
    features = joined.space(everything)[np.arange(len(everything))]
    axes = embedded.values.shape[1]
    assert features.shape[1] == axes + everything.features("centre").shape[1]
    # As it is fitted: standardised columns, half of the sum of variances each.
    columns = features.shape[1]
    weights = np.sqrt(columns / (2 * axes)), np.sqrt(columns / (2 * (columns - axes)))
    parts = (embedded.values.astype(float), everything.features("centre").astype(float))
    training = samples.split == 0
    scaled = [
        weight * (part - part[training].mean(0)) / np.maximum(part[training].std(0), 1e-6)
        for weight, part in zip(weights, parts, strict=True)
    ]
    points = np.concatenate(scaled, axis=1)
    halves = [one[training].var(0).sum() for one in scaled]
    assert halves[0] == pytest.approx(columns / 2)
    assert halves[1] == pytest.approx(columns / 2, rel=0.05)  # but for constant columns
    cell = cells(embedded, samples, "with_series")[0]
    draw = fewshot.draw_shots(samples.label, samples.split, 10, 0, 5)
    model = LogisticRegression(C=cell.choice["chosen"]["C"], max_iter=200, tol=1e-3)
    model.fit(points[draw.train], samples.label[draw.train])
    expected = model.predict_proba(points[samples.split == 2])
    np.testing.assert_allclose(cell.probabilities, expected, atol=2e-3)


def test_with_encoder_is_scikit_learns_on_both_halves() -> None:
    samples = phenology.make()
    embedded = made(samples)
    cell = cells(embedded, samples, "with_encoder")[0]
    training = samples.split == 0
    halves = []
    for values, columns in ((embedded.values, 16), (encoded(samples), 40)):
        plain = values.astype(float)
        scaled = (plain - plain[training].mean(0)) / plain[training].std(0)
        halves.append(scaled * np.sqrt(56 / (2 * columns)))
    points = np.concatenate(halves, axis=1)
    draw = fewshot.draw_shots(samples.label, samples.split, 10, 0, 5)
    model = LogisticRegression(C=cell.choice["chosen"]["C"], max_iter=200, tol=1e-3)
    model.fit(points[draw.train], samples.label[draw.train])
    expected = model.predict_proba(points[samples.split == 2])
    np.testing.assert_allclose(cell.probabilities, expected, atol=2e-3)
    with pytest.raises(SitsError, match="needs the encoder's"):
        baseline(embedded, "with_encoder")


@pytest.mark.parametrize("kind", ["with_encoder", "with_series"])
def test_features_in_a_file_read_in_pieces_give_the_same_bytes(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = phenology.make(600, side=3)
    embedded, held = made(samples, missing=9), encoded(samples)
    vectors = Vectors(*held.shape, tmp_path)
    for part in np.array_split(np.random.default_rng(0).permutation(len(held)), 5):
        vectors.write(part, held[part])
    settings = SETTINGS.model_copy(update={"refine": ("smoothing",)})
    learner = Learner(learner_name("mine", kind))

    def found(features: np.ndarray | Vectors, at_once: int) -> list[fewshot.Cell]:
        monkeypatch.setattr(learners, "AT_ONCE", at_once)
        own = baseline(embedded, kind, features)
        return run(samples, learner, 10, [0, 1], settings, baseline=own)

    for one, other in zip(found(held, 10**9), found(vectors, 100), strict=True):
        assert one.probabilities.tobytes() == other.probabilities.tobytes()
        assert one.choice == other.choice and "smoothing" in one.choice["refinements"]
    # The scale is that of all rows held.
    everything = series.PixelSeries.of(samples).take(np.flatnonzero(samples.split == 0))
    beside = learners.Beside(lambda one, _: vectors[one.index])
    for one, other in zip(
        beside.scale(everything, {}), scaler(held[samples.split == 0]), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_samples_without_an_embedding_get_the_mean_of_the_training_split() -> None:
    samples = phenology.make()
    values = made(samples).values
    gone = np.flatnonzero(samples.split == 2)[:4]
    values[gone] = np.nan
    cell = cells(Embedded(values), samples, "logistic_regression")[0]
    filled = values.copy()
    filled[gone] = values[samples.split == 0].astype(float).mean(0)
    expected = cells(Embedded(filled), samples, "logistic_regression")[0]
    np.testing.assert_allclose(cell.probabilities, expected.probabilities, atol=1e-6)
    nothing = Embedded(np.full_like(values, np.nan))
    with pytest.raises(SitsError, match="no sample of the training split has an embedding"):
        cells(nothing, samples, "logistic_regression")


def test_smoothing_seeks_neighbours_among_embeddings() -> None:
    samples = phenology.make()
    settings = SETTINGS.model_copy(update={"refine": ("smoothing",)})
    learner = baseline(made(samples, noise=0.1), "logistic_regression")
    (cell,) = run(samples, Learner("mine"), 1, [0], settings, baseline=learner)
    assert cell.choice["refined"] in ("none", "smoothing")


def test_embeddings_are_compared_with_as_themselves_and_are_no_baseline() -> None:
    rng = np.random.default_rng(0)

    def result(level: float) -> evaluate.Result:
        names = [*metrics.SCORES, *evaluate.CALIBRATION]
        scores = {name: level + 0.01 * rng.random((1, 5)) for name in names}
        return evaluate.Result(
            scores, {name: level + 0.01 * rng.random(50) for name in evaluate.HEADLINE}
        )

    embedded = of_products()
    arms = {evaluate.Arm("random_forest"): 0.5}
    for name, member in embedded.items():
        arms[evaluate.Arm(name, "dual" if member.kind.encoder else "none")] = 0.9
    arms[evaluate.Arm("encoder+satellite_embedding", "dual")] = 0.95
    results = {arm: {"few": result(level)} for arm, level in arms.items()}
    results[evaluate.Arm("sitsformer", "dual", "full")] = {"few": result(0.7)}
    results[evaluate.Arm("sitsformer", "dual", "probe")] = {"few": result(0.7)}
    table = differences.compare(results, 0.95, embedded)
    first = table[table.adaptation.isin(("full", "-"))].set_index("comparison")
    both = "dual+satellite_embedding"
    assert first.second.to_dict() == {
        f"dual - {BEST_BASELINE}": "random_forest",
        "dual - satellite_embedding": "satellite_embedding",
        f"{both} - dual": "dual-full",
        f"{both} - satellite_embedding": "satellite_embedding",
    }
    assert set(first["first"][f"{both} - dual"]) == {both}
    # Once, however many adaptations there are.
    assert (table.comparison == f"{both} - satellite_embedding").sum() == len(evaluate.HEADLINE)
    assert (table.comparison == f"{both} - dual").sum() == 2 * len(evaluate.HEADLINE)
    found = claims.decide(table, "full", 0.95, embedded=embedded).set_index("claim").verdict
    assert found["With few labels, dual pretraining beats the best baseline"] == "supported"
    assert found["With few labels, dual pretraining beats Satellite Embedding"] == "refuted"
    claim = "With few labels, dual features beside Satellite Embedding beat it alone"
    assert found[claim] == "supported"
