"""Draws of shots and the table of cells."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitsformer import fewshot
from sitsformer.classes import Classes
from sitsformer.config import FewShot
from sitsformer.errors import SitsError
from sitsformer.fewshot import Cell, Learner


def labels(seed: int, count: int = 400, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = rng.integers(-1, classes, count)
    split = rng.integers(0, 3, count)
    label[: 3 * classes] = np.repeat(np.arange(classes), 3)
    split[: 3 * classes] = np.tile([0, 1, 2], classes)
    return label, split


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 30),
    st.integers(0, 30),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 9),
)
def test_draws_are_nested_disjoint_and_within_budget(
    data: int, seed: int, few: int, more: int, cap: int
) -> None:
    label, split = labels(data)
    few, more = sorted((few, more))
    small = fewshot.draw_shots(label, split, few, seed, cap)
    large = fewshot.draw_shots(label, split, more, seed, cap)
    assert set(small.train) <= set(large.train)
    assert set(small.validation) <= set(large.validation)
    assert not set(large.train) & set(large.validation)
    assert (split[large.train] == fewshot.TRAIN).all()
    assert (split[large.validation] == fewshot.VALIDATION).all()
    for k in range(4):
        there = int(((label == k) & (split == 0)).sum())
        assert (label[small.train] == k).sum() == min(few, there)
        assert (label[small.validation] == k).sum() <= min(few, cap)
    assert (label[large.train] >= 0).all()


def test_nothing_is_drawn_where_nothing_can_be_tested() -> None:
    label, split = labels(1)
    with pytest.raises(SitsError, match="no labelled sample in the test split"):
        fewshot.draw_shots(np.where(split == fewshot.TEST, -1, label), split, 2, 0, 5)


def test_predictions_of_other_samples_are_refused() -> None:
    label = np.array([0, 1, 0, 1])
    sample, odds = np.array([1, 2]), np.full((2, 2), 0.5, np.float32)
    cell = Cell(Learner("sitsformer", "none", "full"), 1, 0, sample, label[sample], odds, {})
    table = fewshot.CellTable((cell,), Classes(("a", "b"), ("#000000", "#ffffff")))
    fewshot.refuse_other_samples(table, label, Path("s.zarr"))
    for other in (label[:2], label[::-1]):
        with pytest.raises(SitsError, match=r"are of other samples than s\.zarr holds"):
            fewshot.refuse_other_samples(table, other, Path("s.zarr"))


def test_all_takes_every_training_sample() -> None:
    label, split = labels(1)
    found = fewshot.draw_shots(label, split, "all", 0, 5)
    assert np.array_equal(found.train, np.flatnonzero((label >= 0) & (split == 0)))
    assert np.bincount(label[found.validation]).max() == 5


def test_seeds_differ_and_repeat() -> None:
    label, split = labels(1)
    first, again, other = (fewshot.draw_shots(label, split, 5, s, 5).train for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_class_without_training_samples_is_named() -> None:
    label, split = labels(1)
    split[label == 2] = 2
    with pytest.raises(SitsError, match="class 2 has no sample in the training split"):
        fewshot.draw_shots(label, split, 5, 0, 5)


def test_validation_score_prefers_accuracy_then_likelihood() -> None:
    truth = np.array([0, 0, 0, 1])
    sure = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    unsure = np.array([[0.6, 0.4], [0.6, 0.4], [0.6, 0.4], [0.6, 0.4]])
    assert fewshot.validation_score(truth, sure)[0] == 0.5
    assert fewshot.validation_score(truth, sure) > fewshot.validation_score(truth, unsure)


@pytest.mark.parametrize(
    ("learner", "name"),
    [
        (Learner("sitsformer", "dual", "full", 0), "dual-p0-full"),
        (Learner("sitsformer", "none", "full"), "none-full"),
        (Learner("sitsformer", "ssl", "linear", 12), "ssl-p12-linear"),
        (Learner("sitsformer", "none", "p0"), "none-p0"),
        (Learner("sitsformer", "dual", "lp_ft2", 0), "dual-p0-lp_ft2"),
        (Learner("random_forest"), "random_forest"),
    ],
)
def test_learner_names(learner: Learner, name: str) -> None:
    assert learner.name == name
    assert fewshot.parse_learner(name) == learner


def test_a_further_seed_adds_a_job_and_changes_none() -> None:
    assert fewshot.seed_jobs(5, 5) == ["0-4"]
    assert fewshot.seed_jobs(6, 5) == ["0-4", "5-5"]
    assert [s for job in fewshot.seed_jobs(7, 3) for s in fewshot.parse_seeds(job)] == [*range(7)]
    for wrong in ("", "a", "4-0", "1-2-3"):
        with pytest.raises(SitsError, match="give one number or a range"):
            fewshot.parse_seeds(wrong)


def cell(learner: str, seed: int, shots: int | str = 5, samples: int = 6) -> Cell:
    rng = np.random.default_rng(seed)
    return Cell(
        fewshot.parse_learner(learner),
        fewshot.parse_shots(str(shots)),
        seed,
        np.arange(10, 10 + samples),
        rng.integers(0, 3, samples),
        rng.dirichlet(np.ones(3), samples).astype(np.float32),
        {"learning_rate": 1e-3, "score": [0.5, -1.0]},
    )


CLASSES = Classes(("wheat", "maize", "soy"), ("#a00000", "#00a000", "#0000a0"))


def test_cells_come_back_as_written_and_bytes_repeat(tmp_path: Path) -> None:
    cells = [cell("dual-p1-full", 1), cell("dual-p1-full", 0)]
    for name in ("a", "b"):
        fewshot.write_cells(tmp_path / f"{name}.parquet", cells, CLASSES, {"seed": 0})
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    table = fewshot.read_cells(tmp_path / "a.parquet")
    assert table.classes == CLASSES
    assert table.provenance == {"seed": 0}
    assert [c.seed for c in table.cells] == [0, 1]
    for written, found in zip(reversed(cells), table.cells, strict=True):
        assert found.learner == written.learner
        assert found.shots == 5
        assert found.choice == written.choice
        for name in ("sample", "truth", "probabilities"):
            np.testing.assert_array_equal(getattr(found, name), getattr(written, name))
    assert [item.name for item in tmp_path.glob(".*")] == [".provenance"]


def test_tables_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """They call the adaptation `way`."""
    path, old = tmp_path / "new.parquet", tmp_path / "old.parquet"
    cells = [cell("dual-p1-full", 0), cell("dual-p1-full", 1)]
    fewshot.write_cells(path, cells, CLASSES)
    table = pq.read_table(path)
    assert "adaptation" in table.column_names
    names = ["way" if name == "adaptation" else name for name in table.column_names]
    renamed = table.rename_columns(names).replace_schema_metadata(table.schema.metadata)
    pq.write_table(renamed, old)
    written, found = fewshot.read_cells(path), fewshot.read_cells(old)
    assert [c.learner for c in found.cells] == [c.learner for c in written.cells]
    assert found.cells[0].learner.adaptation == "full"


def test_a_flipped_byte_in_the_pages_is_found(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    fewshot.write_cells(path, [cell("none-full", 0, samples=400)], CLASSES)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(SitsError, match="is damaged: altered"):
        fewshot.read_cells(path)
    shutil.rmtree(tmp_path / ".provenance")  # as after a copy of the file alone
    with pytest.raises(SitsError, match="cannot be read as a table of cells"):
        fewshot.read_cells(path)


def test_a_sweep_must_agree(tmp_path: Path) -> None:
    one, two = tmp_path / "1.parquet", tmp_path / "2.parquet"
    fewshot.write_cells(one, [cell("none-full", 0)], CLASSES)
    fewshot.write_cells(two, [cell("random_forest", 0, "all")], CLASSES)
    both = fewshot.read_all([two, one])
    assert [c.learner.name for c in both.cells] == ["none-full", "random_forest"]
    fewshot.write_cells(two, [cell("none-full", 0)], CLASSES)
    with pytest.raises(SitsError, match="hold the same cell"):
        fewshot.read_all([one, two])
    fewshot.write_cells(two, [cell("random_forest", 0, samples=5)], CLASSES)
    with pytest.raises(SitsError, match="other samples"):
        fewshot.read_all([one, two])
    with pytest.raises(SitsError, match="no table of cells"):
        fewshot.read_all([])


@pytest.mark.parametrize(("drawn", "steps"), [(6, 300), (1_920, 300), (1_921, 301), (4_800, 750)])
def test_large_draws_are_passed_through_as_often_as_asked(drawn: int, steps: int) -> None:
    assert FewShot(set="crops", steps=300, passes=10, batch_size=64).steps_for(drawn) == steps
