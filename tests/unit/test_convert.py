"""Checkpoints and samples made by others."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from reference_model import Reference
from sitsformer.commands.convert import convert
from sitsformer.convert.checkpoint import checkpoint
from sitsformer.convert.samples import folder
from sitsformer.convert.table import table
from sitsformer.errors import SitsError
from sitsformer.model.steps import MISSING, make_series, pack
from sitsformer.modelstore import load_model
from sitsformer.samples import load_samples, open_samples

MEAN, STD = np.linspace(0.05, 0.3, 10), np.linspace(0.05, 0.15, 10)


def published(path, wrap=None, hidden=256):
    """A checkpoint under the published names, as the reference writes them."""
    torch.manual_seed(0)
    reference = Reference(hidden=hidden)
    state = {k: v for k, v in reference.state_dict().items() if not k.startswith("reconstruction")}
    torch.save({wrap: state, "epoch": 3} if wrap else state, path)
    return reference.eval()


@pytest.mark.parametrize("wrap", [None, "model_state_dict"])
def test_a_checkpoint_gives_the_same_outputs(tmp_path, wrap):
    reference = published(tmp_path / "checkpoint.bert.tar", wrap)
    checkpoint(tmp_path / "checkpoint.bert.tar", tmp_path / "model", MEAN, STD)
    model = load_model(tmp_path / "model")
    rng = np.random.default_rng(0)
    values = rng.integers(0, 9000, (3, 7, 10, 5, 5)).astype(np.uint16)
    doy = np.sort(rng.integers(1, 367, (3, 7)), 1)
    doy[1, 4:] = 0
    values[doy == 0] = MISSING
    steps, order = pack(make_series(values, doy, MEAN, STD), np.arange(3))
    x = (values * 1e-4 - MEAN[:, None, None]) / STD[:, None, None]
    x[doy == 0] = 0
    with torch.no_grad():
        expected = reference.encode(torch.from_numpy(x).float(), torch.from_numpy(doy))
        found = model.encode(steps)
    wanted = torch.cat([expected[i, : int((doy[i] > 0).sum())] for i in order])
    assert (found - wanted).abs().max() < 1e-5


class Harmful:
    def __reduce__(self):
        return (print, ("unpickled",))


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path, capsys):
    path = tmp_path / "c.tar"
    torch.save({"embedding.conv1.0.weight": Harmful()}, path)
    with pytest.raises(SitsError, match="more than tensors"):
        checkpoint(path, tmp_path / "model", MEAN, STD)
    assert "unpickled" not in capsys.readouterr().out
    assert not (tmp_path / "model").exists()


def test_checkpoints_that_do_not_fit_are_named(tmp_path):
    path = tmp_path / "c.tar"
    published(path)
    state = torch.load(path, weights_only=True)
    torch.save({k: v for k, v in state.items() if "layers.1.norm1.bias" not in k}, path)
    with pytest.raises(SitsError, match=r"lacks tensor 'transformer_encoder.layers.1.norm1.bias'"):
        checkpoint(path, tmp_path / "model", MEAN, STD)
    torch.save({**state, "extra": torch.zeros(1)}, path)
    with pytest.raises(SitsError, match="unknown tensor 'extra'"):
        checkpoint(path, tmp_path / "model", MEAN, STD)
    path.write_bytes(b"nothing")
    with pytest.raises(SitsError):
        checkpoint(path, tmp_path / "model", MEAN, STD)


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


def write_table(path, samples=60, **changes):
    rng = np.random.default_rng(0)
    valid = (rng.random((samples, 6)) < 0.8).astype(np.uint8)
    valid[3] = 0
    values = rng.integers(100, 9000, (samples, 6, 10)).astype(np.uint16)
    values[valid == 0] = 0
    arrays = {
        "x": values,
        "valid": valid,
        "label": rng.integers(0, 2, samples).astype(np.uint8),
        "label_names": np.array(["a", "b"]),
        "lon": rng.uniform(-121, -118, samples),
        "lat": rng.uniform(36, 39, samples),
        "dates": np.array([f"2021-0{m}-11" for m in range(1, 7)]),
    }
    arrays |= changes
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return arrays


def test_a_table_becomes_a_store(tmp_path):
    arrays = write_table(tmp_path / "t.npz")
    assert table(tmp_path / "t.npz", tmp_path / "t.zarr") == 59
    samples = load_samples(tmp_path / "t.zarr")
    kept = np.delete(np.arange(60), 3)
    assert samples.reflectance.shape == (59, 6, 10, 1, 1)
    assert samples.class_names == ("a", "b")
    days = np.array([11, 42, 70, 101, 131, 162])
    for i, row in enumerate(kept):
        valid = arrays["valid"][row] > 0
        n = valid.sum()
        assert np.array_equal(samples.reflectance[i, :n, :, 0, 0], arrays["x"][row][valid])
        assert (samples.reflectance[i, n:] == MISSING).all()
        assert samples.doy[i, :n].tolist() == days[valid].tolist()
    assert open_samples(tmp_path / "t.zarr").date.values.max() == 18789  # 2021-06-11


def test_no_square_is_in_two_splits(tmp_path):
    write_table(tmp_path / "t.npz", samples=400)
    table(tmp_path / "t.npz", tmp_path / "t.zarr", fractions=(0.4, 0.3, 0.3))
    samples = load_samples(tmp_path / "t.zarr")
    squares = np.stack([np.floor(samples.lon / 0.5), np.floor(samples.lat / 0.5)], 1)
    for square in np.unique(squares, axis=0):
        inside = (squares == square).all(1)
        assert len(np.unique(samples.split[inside])) == 1
        assert len(np.unique(samples.block[inside])) == 1
    assert set(np.unique(samples.split)) == {0, 1, 2}


def test_tables_that_do_not_fit_are_named(tmp_path):
    write_table(tmp_path / "t.npz", lon=None)
    with pytest.raises(SitsError, match="lacks the array 'lon'"):
        table(tmp_path / "t.npz", tmp_path / "t.zarr")
    write_table(tmp_path / "t.npz", lat=np.zeros(7))
    with pytest.raises(SitsError, match=r"lat is \(7,\), expected \(60,\)"):
        table(tmp_path / "t.npz", tmp_path / "t.zarr")
    write_table(tmp_path / "t.npz")
    with pytest.raises(SitsError, match="must sum to 1"):
        table(tmp_path / "t.npz", tmp_path / "t.zarr", fractions=(0.9, 0.3, 0.3))
