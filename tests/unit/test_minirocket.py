"""MiniRocket against a loop written plainly from the paper, weight by weight."""

import numpy as np
import pytest

import phenology
from sitsformer.baselines.fitting import run
from sitsformer.baselines.rocket import KERNELS, Rocket, dilations, fitted, padded
from sitsformer.config import FewShot
from sitsformer.errors import SitsError
from sitsformer.fewshot import Learner

SERIES = np.random.default_rng(0).normal(size=(7, 41, 3)).astype(np.float32)


def plain(series: np.ndarray, rocket: Rocket) -> np.ndarray:
    """Every feature of every series by its definition."""
    length = series.shape[1]
    found = [[] for _ in series]
    at = 0
    for place, (dilation, count) in enumerate(zip(rocket.dilations, rocket.counts, strict=True)):
        for kernel, twos in enumerate(KERNELS):
            weights = np.where(np.isin(np.arange(9), twos), 2.0, -1.0)
            channels = rocket.channels[place * 84 + kernel]
            for row, one in zip(found, series, strict=True):
                values = []
                for middle in range(length):
                    dates = middle + (np.arange(9) - 4) * int(dilation)
                    inside = (dates >= 0) & (dates < length)
                    if not padded(place * 84 + kernel) and not inside.all():
                        continue
                    seen = one[dates[inside]][:, channels].astype(np.float64)
                    values.append((weights[inside][:, None] * seen).sum())
                for threshold in rocket.thresholds[at : at + count]:
                    row.append(np.mean(np.array(values) > threshold))
            at += count
    return np.array(found)


def test_features_are_those_of_the_definition() -> None:
    rocket = fitted(SERIES, 84 * 4, seed=1)
    # Thresholds are values of some series: a little off, so that sums of both kinds fall alike.
    rocket = Rocket(rocket.dilations, rocket.counts, rocket.channels, rocket.thresholds + 1e-3)
    found = rocket.transform(SERIES)
    assert found.shape == (7, 84 * 4)
    np.testing.assert_allclose(found, plain(SERIES, rocket), atol=1e-6)


def test_kernels_and_dilations_are_the_published_ones() -> None:
    assert len(KERNELS) == 84 and len({tuple(row) for row in KERNELS}) == 84
    steps, counts = dilations(42, 9996)
    # Up to a kernel as long as the series, 119 thresholds a kernel in all; computed by hand:
    # 32 exponents from 0 to log2(41 / 8), of which those below 1 round down to a dilation of 1.
    assert steps.tolist() == [1, 2, 3, 4, 5] and counts.sum() == 119
    assert dilations(9, 9996)[0].tolist() == [1]
    assert dilations(42, 84)[1].tolist() == [1]
    rocket = fitted(SERIES, 9996, seed=0)
    assert rocket.transform(SERIES).shape == (7, 9996)
    assert {len(channels) for channels in rocket.channels} <= {1, 2, 3}


def test_thresholds_are_quantiles_of_what_the_kernels_find() -> None:
    """So features of the series they come from are spread over 0 to 1."""
    one = SERIES[:1]
    found = fitted(one, 9996, seed=0).transform(one)
    assert np.histogram(found, 10, (0, 1))[0].min() > 500
    again = fitted(one, 9996, seed=0).transform(one)
    assert np.array_equal(found, again)
    assert not np.array_equal(found, fitted(one, 9996, seed=1).transform(one))


def test_the_baseline_does_not_look_at_other_labels_than_the_drawn() -> None:
    samples = phenology.make()
    settings = FewShot(set="made", validation=5, options={"minirocket": {"kernels": 840}})
    (cell,) = run(samples, Learner("minirocket"), 10, [0], settings)
    others = phenology.make()
    drawn = np.isin(np.arange(len(samples)), cell.sample)
    others.label[(others.split == 2) & drawn] = 0
    (again,) = run(others, Learner("minirocket"), 10, [0], settings)
    assert np.array_equal(cell.probabilities, again.probabilities)


def test_series_shorter_than_a_kernel_are_refused() -> None:
    samples = phenology.make()
    samples.doy[samples.doy > 0] = np.clip(samples.doy[samples.doy > 0], 100, 150)
    with pytest.raises(SitsError, match=r"minirocket: series are \d+ dates .* kernels are 9"):
        run(samples, Learner("minirocket"), 5, [0], FewShot(set="made", validation=5))
