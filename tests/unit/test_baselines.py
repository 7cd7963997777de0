"""Baselines: the series they see, what they learn, and that they learn nothing from nonsense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import phenology
from sitsformer import baselines, fewshot
from sitsformer.baselines import series
from sitsformer.config import FewShot
from sitsformer.errors import SitsError
from sitsformer.evaluation import metrics

SETTINGS = FewShot(set="crops", steps=60, batch_size=32, validation=5)


def macro_f1(cell: fewshot.Cell) -> float:
    guess = fewshot.predicted(cell)
    return float(metrics.macro_f1(metrics.confusion(cell.truth, guess, len(phenology.NAMES))))


def test_interpolation_equals_numpy() -> None:
    samples = phenology.make(12)
    made = series.Series.of(samples)
    regular = made.regular("centre")
    for i in range(len(samples)):
        valid = samples.doy[i] > 0
        for band in range(3):
            expected = np.interp(
                made.grid, made.day[i][valid], samples.reflectance[i, valid, band, 0, 0] * 1e-4
            )
            np.testing.assert_allclose(regular[i, :, band], expected, atol=1e-6)


def test_seasons_across_new_year_run_on() -> None:
    doy = np.array([[300, 340, 5, 90, 0], [310, 360, 20, 100, 110], [10, 60, 110, 0, 0]])
    days = series.calendar_days(doy)
    np.testing.assert_array_equal(days[0], [300, 340, 370, 455, -1])
    # The sample whose clear dates all lie after New Year stands beside the others.
    np.testing.assert_array_equal(days[2], [375, 425, 475, -1, -1])
    plain = np.array([[100, 200, 300], [120, 0, 0]])
    np.testing.assert_array_equal(series.calendar_days(plain), [[100, 200, 300], [120, -1, -1]])


def test_phenology_finds_the_season() -> None:
    grid = np.arange(0, 365, 10)
    curve = np.exp(-(((grid - 180) / 40) ** 2))[None].astype(np.float32)
    least, greatest, _, _, peak, first, last, length, _ = series.phenology(curve, grid)[0]
    assert (round(float(least), 3), greatest, peak) == (0.0, 1.0, 180)
    # exp(-(d / 40)^2) is above a half for |d| < 33 days.
    assert (first, last, length) == (150, 210, 70)


def test_patch_means_leave_missing_pixels_out() -> None:
    samples = phenology.make(8, side=3)
    samples.reflectance[0, 0, :, 1, 1] = 65535
    made = series.Series.of(samples)
    expected = np.delete(samples.reflectance[0, 0].reshape(10, 9), 4, axis=1).mean(1) * 1e-4
    np.testing.assert_allclose(made.values("mean")[0, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(made.values("centre")[0, 0], expected, rtol=1e-5)
    assert np.isfinite(made.features("centre")).all()


@pytest.mark.parametrize("name", sorted(baselines.MODULES))
def test_every_baseline_learns_and_repeats(name: str) -> None:
    samples = phenology.make()
    cells = baselines.run(samples, name, 10, [0, 1], SETTINGS)
    assert [cell.seed for cell in cells] == [0, 1]
    for cell in cells:
        np.testing.assert_allclose(cell.probabilities.sum(1), 1, atol=1e-5)
        np.testing.assert_array_equal(cell.sample, np.flatnonzero(samples.split == 2))
        assert macro_f1(cell) > 0.6
        assert cell.choice["train"] == 40
        assert cell.choice["chosen"]
    again = baselines.run(samples, name, 10, [1], SETTINGS)
    np.testing.assert_array_equal(again[0].probabilities, cells[1].probabilities)


@pytest.mark.parametrize("name", sorted(baselines.MODULES))
def test_shuffled_labels_give_chance(name: str) -> None:
    samples = phenology.shuffled(phenology.make(600))
    found = [macro_f1(cell) for cell in baselines.run(samples, name, 10, range(3), SETTINGS)]
    # Four classes: 0.25 by chance; the mean over 3 draws x 150 samples is this close.
    assert np.mean(found) == pytest.approx(0.25, abs=0.1)


def test_one_shot_works_for_all() -> None:
    samples = phenology.make(side=3)
    for name in ("random_forest", "gradient_boosting", "nearest_centroid"):
        (cell,) = baselines.run(samples, name, 1, [0], SETTINGS)
        assert cell.choice["train"] == 4


def test_test_labels_change_nothing_but_the_truth() -> None:
    samples = phenology.make()
    (cell,) = baselines.run(samples, "random_forest", 5, [0], SETTINGS)
    samples.label[samples.split == 2] = 0
    (other,) = baselines.run(samples, "random_forest", 5, [0], SETTINGS)
    np.testing.assert_array_equal(cell.probabilities, other.probabilities)


USERS = """
import numpy as np
from sitsformer.baselines import Baseline

def fit(task, choice):
    share = np.bincount(task.label, minlength=task.classes) / len(task.label)
    return lambda series: np.tile(share, (len(series), 1))

BASELINES = {"prior": Baseline(lambda task: [{}], fit)}
"""


def test_a_user_adds_one_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(USERS)
    settings = SETTINGS.model_copy(update={"options": {"prior": {"file": str(file)}}})
    (cell,) = baselines.run(phenology.make(), "prior", 5, [0], settings)
    np.testing.assert_allclose(cell.probabilities, 0.25)
    with pytest.raises(SitsError, match="unknown baseline 'prior'"):
        baselines.run(phenology.make(), "prior", 5, [0], SETTINGS)
    settings = SETTINGS.model_copy(update={"options": {"other": {"file": str(file)}}})
    with pytest.raises(SitsError, match="has no baseline 'other'"):
        baselines.run(phenology.make(), "other", 5, [0], settings)


def peer(features: Path) -> FewShot:
    return SETTINGS.model_copy(update={"options": {"peer": {"features": str(features)}}})


def test_a_peer_joins_by_its_features(tmp_path: Path) -> None:
    """Rows belong to samples of the store, not to positions among those that have labels."""
    samples = phenology.make()
    store = np.random.default_rng(0).normal(size=(len(samples) + 50, 6)).astype(np.float32)
    samples.index[:] += 50
    np.save(tmp_path / "peer.npy", store)
    (chance,) = baselines.run(samples, "peer", 10, [0], peer(tmp_path / "peer.npy"))
    store[samples.index, samples.label] += 5
    np.save(tmp_path / "peer.npy", store)
    (cell,) = baselines.run(samples, "peer", 10, [0], peer(tmp_path / "peer.npy"))
    assert macro_f1(cell) > 0.95 > 0.5 > macro_f1(chance)
    assert cell.choice["chosen"]["C"] in (0.01, 0.1, 1.0)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (None, "cannot be read"),
        (np.zeros(5), r"found float64 \(5,\)"),
        (np.zeros((500, 3), np.int32), r"found int32 \(500, 3\)"),
        (np.zeros((7, 3)), "has 7 rows, the store has a sample"),
        (np.full((500, 3), np.nan), "not finite, the first one in row"),
        (np.array([[{}]], dtype=object), "cannot be read"),
    ],
)
def test_features_that_cannot_be_used(tmp_path: Path, features, message: str) -> None:
    path = tmp_path / "peer.npy"
    if features is not None:
        np.save(path, features)
    with pytest.raises(SitsError, match=message):
        baselines.run(phenology.make(), "peer", 5, [0], peer(path))
