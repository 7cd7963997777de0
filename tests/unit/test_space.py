"""The space of a probe: what varies within a class is made small, and nothing else is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitsformer.fewshot.space import NEIGHBOURS, RIDGE, Space, whitening


def made(seed: int, n: int = 60, width: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    plain = rng.standard_normal((n, width)) * rng.uniform(0.5, 2, width)
    return plain, plain + rng.standard_normal((n, width)) * rng.uniform(0.05, 1, width)


def within(plain: np.ndarray, altered: np.ndarray | None) -> np.ndarray:
    """The covariance as one would write it down, pair by pair."""
    parts = []
    if altered is not None:
        parts.append([b - a for a, b in zip(plain, altered, strict=True)])
    pairs = []
    for i, one in enumerate(plain):
        away = ((plain - one) ** 2).sum(1)
        away[i] = np.inf
        pairs += [plain[j] - one for j in np.argsort(away)[:NEIGHBOURS]]
    found = np.zeros((plain.shape[1],) * 2)
    for differences in [*parts, pairs]:
        own = sum(np.outer(d, d) for d in differences)
        found += own / np.trace(own)
    return found + RIDGE * np.trace(found) / len(found) * np.eye(len(found))


@pytest.mark.parametrize("copies", [True, False])
def test_differences_within_a_class_come_out_alike(copies: bool) -> None:
    plain, altered = made(1)
    turn = whitening(plain, altered if copies else None)
    whitened = turn.T @ within(plain, altered if copies else None) @ turn
    np.testing.assert_allclose(whitened, whitened[0, 0] * np.eye(7), atol=1e-9)
    assert (plain @ turn).var(0).mean() == pytest.approx(1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_what_augmentation_moves_counts_less(seed: int) -> None:
    plain, _ = made(seed)
    rng = np.random.default_rng(seed)
    altered = plain.copy()
    altered[:, 0] += 5 * rng.standard_normal(len(plain))
    before = np.eye(7) / plain.std(0).mean()
    after = whitening(plain, altered)
    assert np.linalg.norm(after[0]) / np.linalg.norm(after[1:]) < np.linalg.norm(
        before[0]
    ) / np.linalg.norm(before[1:])


@pytest.mark.parametrize("n", [1, 2])
def test_few_or_equal_samples_have_a_space(n: int) -> None:
    plain = np.zeros((n, 4))
    np.testing.assert_array_equal(whitening(plain, plain), np.eye(4))
    plain[0] = 1
    assert np.isfinite(whitening(plain, None)).all()


def test_samples_that_come_many_times_have_a_space() -> None:
    repeated = np.repeat(np.eye(3, 4), NEIGHBOURS + 2, axis=0)
    np.testing.assert_array_equal(whitening(repeated, None), np.eye(4))


def test_a_function_of_features_is_one_of_encodings() -> None:
    rng = np.random.default_rng(3)
    encodings = rng.standard_normal((20, 5)) * 3 + 1
    space = Space(encodings.mean(0), encodings.std(0), rng.standard_normal((5, 5)))
    weight, bias = rng.standard_normal((3, 5)), rng.standard_normal(3)
    raw, moved = space.raw(weight, bias)
    np.testing.assert_allclose(
        encodings @ raw.T + moved, space.features(encodings) @ weight.T + bias, atol=1e-12
    )
    single = space.features(encodings.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, space.features(encodings), atol=1e-4)
