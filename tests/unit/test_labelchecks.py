"""Checks of labels: confident errors by hand and by planting them, water, spread over blocks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sample_world import sitsformer
from sitsformer.classes import Classes
from sitsformer.labelchecks import check, confident_errors
from sitsformer.samples import About
from sitsformer.samples.store import write_samples
from sitsformer.sensors import BANDS

NAMES = ("maize", "rye")


def test_confident_errors_by_hand() -> None:
    # Means of the own class: (0.8 + 0.6 + 0.1) / 3 = 0.5 and (0.9 + 0.5) / 2 = 0.7.
    probability = np.array([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9], [0.1, 0.9], [0.5, 0.5]])
    label = np.array([0, 0, 0, 1, 1])
    assert confident_errors(probability, label).tolist() == [-1, -1, 1, -1, 0]


def made(path: Path, groups: int = 20) -> Path:
    """80 samples in 20 blocks of two classes a tenth apart in NIR; three labels are swapped.

    Sample 7 is open water.
    """
    rng = np.random.default_rng(3)
    count, dates = 80, 6
    label = np.repeat([0, 1], count // 2)
    values = rng.normal(2000, 60, (count, dates, len(BANDS), 1, 1))
    values[:, :, BANDS.index("B08")] += 1000 * (1 + label[:, None, None, None])
    values[7, :, BANDS.index("B08")] = 300
    said = label.copy()
    said[[3, 20, 60]] = 1 - said[[3, 20, 60]]
    columns = {
        "doy": np.tile(np.arange(100, 100 + 20 * dates, 20), (count, 1)),
        "label": said,
        "split": np.arange(count) % 3,
        "block": np.arange(count) // 4,
        "lon": 5 + np.arange(count) / 1000,
        "lat": np.full(count, 50.0),
        "feature": np.arange(count) + 1,
        "group": np.arange(count) * groups // count,
        "weight": np.ones(count),
    }
    classes = Classes(NAMES, ("#ffd300", "#a57000"), ((1,), (2,)))
    about = About("set", classes, "survey", ("a/b",), ("a",), (2021,), "group", 0.0)
    write_samples(path, values.astype(np.uint16), columns, about)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return made(tmp_path / "set.zarr")


def test_planted_errors_come_first_with_their_place(store: Path) -> None:
    found = check(store)
    suspicious = found.samples[found.samples.finding == "suspicious"]
    assert set(suspicious["sample"].head(3)) == {3, 20, 60}
    first = suspicious.set_index("sample").loc[20]
    assert (first["class"], first.other_class, first.feature) == ("rye", "maize", 21)
    assert first.lon == pytest.approx(5.02) and first.lat == 50
    assert (suspicious.margin.diff().dropna() >= 0).all()
    water = found.samples[found.samples.finding == "water"]
    assert water["sample"].tolist() == [7]
    assert any("1 of 80 samples lie in water" in line for line in found.summary)


def test_classes_are_counted_by_block_and_split(store: Path) -> None:
    table = check(store).classes.set_index("class")
    assert table.samples.tolist() == [39, 41] and table.features.tolist() == [39, 41]
    assert table.blocks.tolist() == [11, 12]
    assert table[["train", "validation", "test"]].sum(axis=1).tolist() == [39, 41]

    blocks = check(store).blocks.set_index("block")
    assert blocks.samples.tolist() == [4] * 20 and blocks.index.tolist() == list(range(20))
    # Sample 3 is one of the swapped ones, in the first block of the first class.
    assert blocks.loc[0, list(NAMES)].tolist() == [3, 1]
    assert blocks[list(NAMES)].sum().tolist() == [39, 41]
    assert blocks.loc[0, "lon"] == pytest.approx(5.0015)


def test_the_command_writes_the_whole_table(store: Path, tmp_path: Path) -> None:
    out, blocks = tmp_path / "found.csv", tmp_path / "blocks.csv"
    said = sitsformer("labels", "check", str(store), "--out", str(out), "--blocks", str(blocks))
    assert pd.read_csv(blocks).columns.tolist() == [
        "block", "split", "lon", "lat", "samples", *NAMES,
    ]  # fmt: skip
    assert "are suspicious" in said and "largest_block" in said
    table = pd.read_csv(out)
    assert {3, 20, 60} <= set(table["sample"]) and {"lon", "lat", "split"} <= set(table.columns)


def test_a_set_without_labels_is_refused(tmp_path: Path) -> None:
    classes = Classes(NAMES, ("#ffd300", "#a57000"), ((1,), (2,)))
    about = About("set", classes, "survey", ("a/b",), ("a",), (2021,), "group", 0.0)
    columns = {"doy": np.full((3, 2), 100), "label": np.full(3, -1)}
    path = tmp_path / "none.zarr"
    write_samples(path, np.ones((3, 2, len(BANDS), 1, 1), np.uint16), columns, about)
    said = sitsformer("labels", "check", str(path), status=3)
    assert "has no labelled samples" in said


def test_few_groups_are_said_instead_of_guessed(tmp_path: Path) -> None:
    found = check(made(tmp_path / "set.zarr", groups=4))
    assert any("errors were not looked for" in line for line in found.summary)
    assert found.samples.finding.tolist() == ["water"]
