"""What is held beside a store in memory: pieces of it, and never another copy."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import phenology
from sitsformer.baselines.series import PixelSeries
from sitsformer.classes import Classes
from sitsformer.fewshot.refine import scale, standardised
from sitsformer.fewshot.vectors import Vectors, in_order
from sitsformer.model.steps import make_series, pack, packed_series
from sitsformer.samples import Samples, labelled, load_samples, statistics_of
from sitsformer.sampleseries import read_series, series_of
from sitsformer.sensors import BANDS
from sitsformer.stored import MISSING
from sitsformer.training.augment import Strength, draw_changes

COUNT, TIME = 4000, 40
"""160 MB with 10 bands and 5 x 5 px: pieces are small beside it."""


@pytest.fixture(scope="module")
def samples() -> Samples:
    rng = np.random.default_rng(0)
    reflectance = rng.integers(100, 5000, (COUNT, TIME, 10, 5, 5), dtype=np.uint16)
    doy = np.sort(rng.integers(1, 366, (COUNT, TIME)), axis=1).astype(np.int16)
    doy[:, 30:] = 0
    reflectance[:, 30:] = MISSING
    return Samples(
        reflectance=reflectance,
        doy=doy,
        label=rng.integers(-1, 3, COUNT),
        split=rng.integers(0, 3, COUNT).astype(np.uint8),
        block=np.arange(COUNT),
        index=np.arange(COUNT),
        lon=np.zeros(COUNT),
        lat=np.zeros(COUNT),
        bands=BANDS,
        classes=Classes(("a", "b", "c"), ("#000000", "#111111", "#222222"), ((1,), (2,), (3,))),
    )


def peak(work: Callable[[], object]) -> int:
    """Bytes allocated at once while some work is done, its result included."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("work", "share"),
    [
        (statistics_of, 0.4),
        (
            lambda samples: make_series(samples.reflectance, samples.doy, [0.2] * 10, [0.1] * 10),
            0.2,
        ),
        (lambda samples: series_of(samples, None), 0.4),
        (lambda samples: PixelSeries.of(samples).features("mean"), 0.5),
        (lambda samples: PixelSeries.of(samples).features("centre"), 0.5),
    ],
    ids=["statistics", "series", "series of a network", "mean of a patch", "its centre"],
)
def test_beside_a_store_there_are_pieces_of_it(
    samples: Samples, work: Callable[[Samples], object], share: float
) -> None:
    assert peak(lambda: work(samples)) < share * samples.reflectance.nbytes


def test_features_are_standardised_without_a_float64_copy_and_as_with_one() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(3, 2, (20_000, 300)).astype(np.float32)
    training = rng.random(len(features)) < 0.6
    plain = features[training].astype(np.float64)
    mean, std = scale(features, training)
    np.testing.assert_array_equal(mean, plain.mean(0))
    np.testing.assert_array_equal(std, plain.std(0))
    rows = np.flatnonzero(rng.random(len(features)) < 0.9)[::-1].astype(np.int64)
    found = np.full((len(rows), features.shape[1]), np.nan, np.float32)
    for part, batch in standardised(features, training, rows):
        found[part] = batch
    expected = ((features[rows] - mean) / std).astype(np.float32)
    np.testing.assert_array_equal(found, expected)

    def one_after_the_other() -> None:
        for _ in standardised(features, training, rows):
            pass

    assert peak(one_after_the_other) < 1.2 * features.nbytes


def test_chosen_samples_are_those_of_all_and_no_others_are_held(tmp_path: Path) -> None:
    made = phenology.make(3000, side=5)
    made.label[100:] = -1
    store = phenology.write(tmp_path / "made.zarr", made)
    every = load_samples(store)
    expected, found = every.take(every.label >= 0), load_samples(store, choose=labelled)
    for name in ("reflectance", "doy", "label", "split", "block", "index", "lon", "lat"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert peak(lambda: load_samples(store, choose=labelled)) < 0.6 * every.reflectance.nbytes


def test_what_a_network_reads_of_a_store_is_the_same_without_its_padding(tmp_path: Path) -> None:
    made = phenology.make(3000, side=5)
    assert (made.doy == 0).mean() > 0.1
    store = phenology.write(tmp_path / "made.zarr", made)
    samples, small = load_samples(store), load_samples(store, reflectance=False)
    assert small.reflectance.shape == (3000, 0, *samples.reflectance.shape[2:])
    expected, found = series_of(samples, None), read_series(store, small, None)
    for name in ("mean", "std", "gaps", "lengths", "doy"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    rng = np.random.default_rng(0)
    index = rng.permutation(3000)[:500]
    change = draw_changes(found.lengths[index], 40, 10, Strength(drop=0.2, gain=0.1), rng)
    for own in (None, change):
        batches = [pack(series, index, own) for series in (expected, found)]
        for name in ("values", "doy"):
            assert torch.equal(*(getattr(batch, name) for batch in batches))
    valid = (samples.doy > 0).sum() * samples.reflectance[0, 0].nbytes
    assert found.values.nbytes == valid < 0.9 * samples.reflectance.nbytes
    assert peak(lambda: read_series(store, small, None)) < valid + 0.4 * samples.reflectance.nbytes
    with pytest.raises(ValueError, match="steps for"):
        packed_series(samples.reflectance[:, 0], samples.doy, expected.mean, expected.std)


def test_vectors_in_a_file_are_those_that_were_written_and_memory_holds_none(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4000, 300)).astype(np.float32)
    vectors = Vectors(4003, 300, tmp_path / "there")

    def write() -> None:
        for part in np.array_split(rng.permutation(4000), 7):
            vectors.write(part, values[part])

    assert peak(write) < 0.4 * values.nbytes
    rows = rng.permutation(4000)
    np.testing.assert_array_equal(vectors[rows], values[rows])
    np.testing.assert_array_equal(vectors[np.array([7, 7, 3])], values[[7, 7, 3]])
    found = vectors[np.array([4002, 5, 4000])]
    assert np.isnan(found[[0, 2]]).all() and (found[1] == values[5]).all()
    assert vectors[np.arange(0)].shape == (0, 300)
    # No name is left of it, however the process ends.
    assert list((tmp_path / "there").iterdir()) == []


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5000, 2), (777, 64), (3000, 700)])
def test_what_is_added_up_piece_by_piece_is_numpys_to_the_byte(
    shape: tuple[int, int], dtype: type
) -> None:
    values = np.random.default_rng(1).normal(3, 2, shape).astype(dtype)
    mean, std = in_order(lambda: (values[i : i + 256] for i in range(0, len(values), 256)))
    assert mean.dtype == std.dtype == dtype
    np.testing.assert_array_equal(mean, values.mean(0))
    np.testing.assert_array_equal(std, values.std(0))
    training = np.arange(len(values)) % 3 > 0

    class Asked:
        def __getitem__(self, rows: np.ndarray) -> np.ndarray:
            return values[rows]

    for one, other in zip(scale(Asked(), training), scale(values, training), strict=True):
        np.testing.assert_array_equal(one, other)
