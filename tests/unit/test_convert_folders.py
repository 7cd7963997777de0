"""Folders with one .npz a sample."""

import numpy as np
import pytest
from click.testing import CliRunner

from sitsformer.commands.convert import convert
from sitsformer.convert.samples import folder
from sitsformer.errors import SitsError
from sitsformer.samples import load_samples


def write_npz(path, length, label=None, seed=0):
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    values = rng.integers(0, 9000, (length, 10, 5, 5)).astype(np.int16)
    doy = np.sort(rng.choice(366, length, replace=False) + 1)
    more = {} if label is None else {"class_label": np.int64(label)}
    np.savez(path, ts=values, doy=doy, **more)
    return values, doy


def test_labelled_folders_become_splits(tmp_path):
    made = {
        name: write_npz(tmp_path / "set" / name / f"{i}.npz", 4 + i, label=10 * (i % 2), seed=i)
        for i, name in enumerate(("TRAIN", "VALIDATE", "TEST"))
    }
    assert folder(tmp_path / "set", tmp_path / "set.zarr") == 3
    samples = load_samples(tmp_path / "set.zarr")
    assert samples.split.tolist() == [0, 1, 2]
    assert samples.label.tolist() == [0, 1, 0]
    assert samples.class_names == ("class_0", "class_10")
    assert samples.reflectance.shape == (3, 6, 10, 5, 5)
    for i, (values, doy) in enumerate(made.values()):
        assert np.array_equal(samples.reflectance[i, : len(doy)], values)
        assert samples.doy[i, : len(doy)].tolist() == doy.tolist()
        assert (samples.doy[i, len(doy) :] == 0).all()


def test_unlabelled_folders_are_for_training(tmp_path):
    for i in range(3):
        write_npz(tmp_path / "set" / f"{i}.npz", 5, seed=i)
    result = CliRunner().invoke(
        convert, ["samples", str(tmp_path / "set"), str(tmp_path / "set.zarr")]
    )
    assert result.exit_code == 0, result.output
    samples = load_samples(tmp_path / "set.zarr")
    assert samples.split.tolist() == [0, 0, 0]
    assert samples.label.tolist() == [-1, -1, -1]


def test_folders_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(SitsError, match=r"no \.npz files"):
        folder(tmp_path, tmp_path / "o.zarr")
    write_npz(tmp_path / "set" / "a.npz", 5)
    np.savez(tmp_path / "set" / "b.npz", ts=np.zeros((4, 10, 3, 3), np.int16), doy=np.arange(1, 5))
    with pytest.raises(SitsError, match=r"b\.npz"):
        folder(tmp_path / "set", tmp_path / "o.zarr")
    np.savez(tmp_path / "set" / "b.npz", other=np.zeros(3))
    with pytest.raises(SitsError, match="lacks the array 'ts'"):
        folder(tmp_path / "set", tmp_path / "o.zarr")
