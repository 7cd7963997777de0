"""Metrics against scikit-learn and against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from sitsformer.evaluation import metrics


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 7), st.integers(1, 60))
def test_scores_equal_scikit_learn(seed: int, classes: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    truth, guess = rng.integers(0, classes, (2, count))
    matrix = metrics.confusion(truth, guess, classes)
    every = np.arange(classes)
    np.testing.assert_array_equal(matrix, reference.confusion_matrix(truth, guess, labels=every))
    found = metrics.scores(matrix)
    assert found["overall_accuracy"] == pytest.approx(reference.accuracy_score(truth, guess))
    assert found["macro_f1"] == pytest.approx(
        reference.f1_score(truth, guess, average="macro", zero_division=0)
    )
    recall = reference.recall_score(truth, guess, average=None, labels=every, zero_division=0)
    assert found["balanced_accuracy"] == pytest.approx(recall[np.unique(truth)].mean())
    np.testing.assert_allclose(metrics.recall(matrix), recall)
    for ours, theirs in (
        (metrics.f1, reference.f1_score),
        (metrics.precision, reference.precision_score),
    ):
        expected = theirs(truth, guess, average=None, labels=every, zero_division=0)
        np.testing.assert_allclose(ours(matrix), expected)
    if len(np.unique(np.concatenate([truth, guess]))) > 1:
        assert found["kappa"] == pytest.approx(reference.cohen_kappa_score(truth, guess))


def test_kappa_by_hand() -> None:
    # Cohen (1960): p_o = 0.7, p_e = (25 x 30 + 25 x 20) / 50^2 = 0.5, kappa = 0.4.
    assert float(metrics.kappa(np.array([[20, 5], [10, 15]]))) == pytest.approx(0.4)


def test_stacks_are_scored_like_single_matrices() -> None:
    stack = np.random.default_rng(0).integers(0, 9, (5, 3, 4, 4))
    for function in metrics.SCORES.values():
        singly = [[float(function(matrix)) for matrix in row] for row in stack]
        np.testing.assert_allclose(function(stack), singly)


def test_block_matrices_sum_to_the_whole() -> None:
    rng = np.random.default_rng(1)
    truth, guess = rng.integers(0, 4, (2, 90))
    block = rng.integers(0, 6, 90)
    blocks = metrics.block_confusion(truth, guess, block, 4)
    np.testing.assert_array_equal(blocks.sum(0), metrics.confusion(truth, guess, 4))
    one = block == 2
    np.testing.assert_array_equal(blocks[2], metrics.confusion(truth[one], guess[one], 4))


def test_calibration_by_hand() -> None:
    # Four samples: 0.9 right, 0.9 wrong (bin 9); 0.6 right, 0.6 right (bin 6).
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    found = metrics.reliability(np.array([0, 1, 1, 1]), probabilities, 10)
    assert found.count.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 2, 0]
    assert found.accuracy[[5, 8]].tolist() == [1.0, 0.5]
    assert found.error == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)


def test_calibrated_predictions_have_little_error() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), 40_000)
    truth = (probabilities.cumsum(1) > rng.random((40_000, 1))).argmax(1)
    assert metrics.reliability(truth, probabilities, 10).error < 0.01
    assert metrics.log_loss(truth, probabilities) == pytest.approx(
        reference.log_loss(truth, probabilities, labels=range(4)), rel=1e-3
    )


def test_conformal_threshold_by_hand() -> None:
    # Nine scores 0.1 ... 0.9: rank ceil(10 x 0.8) = 8.
    score = np.arange(1, 10) / 10
    probabilities = np.stack([1 - score, score], 1)
    truth = np.zeros(9, np.int64)
    assert metrics.conformal_threshold(truth, probabilities, 0.2) == pytest.approx(0.8)
    assert metrics.conformal_threshold(truth, probabilities, 0.05) == 1.0


@pytest.mark.parametrize("miscoverage", [0.1, 0.3])
def test_conformal_sets_cover_as_promised(miscoverage: float) -> None:
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.full(5, 0.5), 6000)
    truth = (probabilities.cumsum(1) > rng.random((6000, 1))).argmax(1)
    # Overconfident on purpose: coverage must not depend on calibration.
    sharp = probabilities**2 / (probabilities**2).sum(1, keepdims=True)
    found = metrics.conformal_by_block(truth, sharp, rng.integers(0, 300, 6000), miscoverage)
    assert found.coverage == pytest.approx(1 - miscoverage, abs=0.02)
    assert 1 <= found.size <= 5


def test_one_block_cannot_be_halved() -> None:
    found = metrics.conformal_by_block(
        np.array([0, 1]), np.eye(2), np.zeros(2, np.int64), miscoverage=0.1
    )
    assert np.isnan(found.coverage)
