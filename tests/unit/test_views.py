"""Two halves of each series: what they show, and the loss that tells them apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sitsformer.model import masking
from sitsformer.training.classification import balanced_round
from sitsformer.training.objectives.contrast import TEMPERATURE, info_nce
from training_tasks import mask_of, network, shape_for, task


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(0, 99))
def test_halves_are_halves(lengths: list[int], seed: int) -> None:
    hidden = masking.halves(np.array(lengths), 4, 0.3, np.random.default_rng(seed))
    for length, part in zip(lengths, np.split(hidden, np.cumsum(lengths)[:-1]), strict=True):
        assert part.sum() == length // 2


def test_both_halves_of_every_series_are_in_a_batch() -> None:
    (batch,) = next(task("dual", unlabelled=0.3).batches(0, 0))
    lengths, hidden = batch.steps.layout.lengths, mask_of(batch)
    count = len(lengths) // 2
    np.testing.assert_array_equal(lengths[:count], lengths[count:])
    first, second = np.split(hidden, 2)
    np.testing.assert_array_equal(first, ~second)
    assert torch.equal(*batch.steps.values.chunk(2))
    assert torch.equal(*batch.label.chunk(2))
    assert batch.counts["contrast"] == len(lengths)
    assert batch.counts["cross_view"] == hidden.sum() * 10
    assert batch.counts["landcover"] == int((batch.label >= 0).sum())


def test_a_half_says_nothing_of_what_it_does_not_show() -> None:
    chosen = task("dual")
    (batch,) = next(chosen.batches(0, 0))
    model = network(shape=shape_for("dual")).eval()
    with torch.no_grad():
        before = chosen.encoded(model, batch).every
        batch.steps.values[torch.from_numpy(mask_of(batch))] = 9.0
        after = chosen.encoded(model, batch).every
    assert torch.equal(before, after)


def test_contrast_equals_the_plain_formula() -> None:
    chosen = task("ssl")
    (batch,) = next(chosen.batches(0, 0))
    model = network(shape=shape_for("ssl")).eval()
    with torch.no_grad():
        encoded = chosen.encoded(model, batch)
        found = float(info_nce(model, encoded))
        pooled = model.pool(encoded.every, encoded.layout, encoded.doy)
        vectors = model.project(pooled).double().numpy()
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = np.split(vectors, 2)
    expected = 0.0
    for one, other in ((first, second), (second, first)):
        for i, vector in enumerate(one):
            likeness = np.array([vector @ candidate for candidate in other]) / TEMPERATURE
            expected -= likeness[i] - np.log(np.exp(likeness).sum())
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_round_has_equal_shares_of_every_class() -> None:
    label = np.array([0] * 50 + [1] * 6 + [2] * 4)
    rng = np.random.default_rng(0)
    round_ = balanced_round(np.arange(60), label, rng)
    np.testing.assert_array_equal(np.bincount(label[round_]), [20, 20, 20])
    # Small classes are gone through evenly.
    _, times = np.unique(round_[label[round_] == 2], return_counts=True)
    np.testing.assert_array_equal(times, [5, 5, 5, 5])


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 99))
def test_a_round_of_equal_classes_is_all_samples(each: int, classes: int, seed: int) -> None:
    label = np.repeat(np.arange(classes), each)
    found = balanced_round(np.arange(len(label)), label, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.sort(found), np.arange(len(label)))
