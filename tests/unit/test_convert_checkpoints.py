"""Checkpoints of SITS-Former's own code."""

import numpy as np
import pytest
import torch

from reference_model import Reference
from sitsformer.convert.checkpoint import checkpoint
from sitsformer.errors import SitsError
from sitsformer.model.steps import make_series, pack
from sitsformer.modelstore import load_model
from sitsformer.stored import MISSING

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
    steps = pack(make_series(values, doy, MEAN, STD), np.arange(3))
    x = (values * 1e-4 - MEAN[:, None, None]) / STD[:, None, None]
    x[doy == 0] = 0
    with torch.no_grad():
        expected = reference.encode(torch.from_numpy(x).float(), torch.from_numpy(doy))
        found = model.encode(steps)
    wanted = torch.cat([expected[i, : int((doy[i] > 0).sum())] for i in range(3)])
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
    path.write_bytes(b"hello\n")
    with pytest.raises(SitsError, match="damaged, or none"):
        checkpoint(path, tmp_path / "model", MEAN, STD)


def whole_network(path, head, classes=4):
    """What SITS-Former's trainers write: the network around the encoder, and the optimiser."""
    torch.manual_seed(0)
    reference = Reference(classes=classes)
    theirs = {"classifier.": "classification.linear.", "reconstruction.": "linear."}
    state = {}
    for name, value in reference.state_dict().items():
        ours = next((prefix for prefix in theirs if name.startswith(prefix)), None)
        if ours is None:
            state[f"bert.{name}"] = value
        elif theirs[ours] == head:
            state[head + name.removeprefix(ours)] = value
    optimiser = torch.optim.Adam(reference.parameters()).state_dict()
    torch.save({"epoch": 3, "model_state_dict": state, "optimizer_state_dict": optimiser}, path)
    return reference.eval()


def test_a_fine_tuned_checkpoint_keeps_its_classifier(tmp_path):
    reference = whole_network(tmp_path / "checkpoint.tar", "classification.linear.")
    checkpoint(tmp_path, tmp_path / "model", MEAN, STD)
    model = load_model(tmp_path / "model")
    assert model.class_names == ("class_0", "class_1", "class_2", "class_3")
    values = np.random.default_rng(0).integers(0, 9000, (3, 7, 10, 5, 5)).astype(np.uint16)
    doy = np.tile(np.arange(20, 160, 20), (3, 1))
    x = (values * 1e-4 - MEAN[:, None, None]) / STD[:, None, None]
    with torch.no_grad():
        logits = reference.classify(torch.from_numpy(x).float(), torch.from_numpy(doy))
    assert np.abs(model.predict(values, doy) - logits.softmax(1).numpy()).max() < 1e-5


def test_a_pretraining_checkpoint_keeps_its_reconstruction(tmp_path):
    reference = whole_network(tmp_path / "checkpoint.tar", "linear.")
    checkpoint(tmp_path / "checkpoint.tar", tmp_path / "model", MEAN, STD)
    model = load_model(tmp_path / "model")
    assert torch.equal(model.reconstruction.weight, reference.reconstruction.weight)
    assert model.class_names == ()


def test_the_number_of_heads_is_said(tmp_path):
    torch.manual_seed(0)
    reference = Reference(heads=4)
    state = {k: v for k, v in reference.state_dict().items() if "reconstruction" not in k}
    torch.save(state, tmp_path / "c.tar")
    checkpoint(tmp_path / "c.tar", tmp_path / "model", MEAN, STD, heads=4)
    assert load_model(tmp_path / "model").architecture.heads == 4
    with pytest.raises(SitsError, match="3 attention heads do not divide"):
        checkpoint(tmp_path / "c.tar", tmp_path / "model", MEAN, STD, heads=3)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        (MEAN[:9], STD, "--mean needs 10 numbers"),
        (MEAN * np.nan, STD, "--mean needs 10 numbers"),
        (MEAN * 1e4, STD, "give reflectance"),
        (MEAN, STD * 0, "--std must be above 0"),
        (MEAN, np.append(STD, 1), "--std needs 10 numbers"),
    ],
)
def test_statistics_that_do_not_fit_are_refused(tmp_path, mean, std, message):
    published(tmp_path / "c.tar")
    with pytest.raises(SitsError, match=message):
        checkpoint(tmp_path / "c.tar", tmp_path / "model", mean, std)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("embedding.linear.bias", torch.full((256,), torch.nan), "no finite numbers"),
        ("embedding.conv1.2.running_var", torch.full((32,), -1.0), "variances below 0"),
        ("embedding.linear.weight", torch.zeros(256), "no SITS-Former"),
        ("embedding.linear.weight", torch.zeros(256, 64), r"expected \(256, 128\)"),
        ("embedding.conv1.0.weight", torch.zeros(32, 1, 3, 3, 3), "the first kernel"),
        ("embedding.position.pe", torch.zeros(400, 256), r"expected \(367, 256\)"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(tmp_path, name, value, message):
    published(tmp_path / "c.tar")
    state = torch.load(tmp_path / "c.tar", weights_only=True)
    torch.save({**state, name: value}, tmp_path / "c.tar")
    with pytest.raises(SitsError, match=message):
        checkpoint(tmp_path / "c.tar", tmp_path / "model", MEAN, STD)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (lambda w: w.to_sparse(), "sparse, quantised or without data"),
        (lambda w: w.to("meta"), "sparse, quantised or without data"),
        (lambda w: torch.quantize_per_tensor(w, 0.1, 0, torch.qint8), "sparse, quantised"),
        (lambda w: w.int(), "is torch.int32, expected plain torch.float32"),
    ],
)
def test_tensors_stored_otherwise_are_refused(tmp_path, stored, message):
    path = tmp_path / "c.tar"
    published(path)
    state = torch.load(path, weights_only=True)
    name = "embedding.linear.weight"
    torch.save(state | {name: stored(state[name])}, path)
    with pytest.raises(SitsError, match=message):
        checkpoint(path, tmp_path / "model", MEAN, STD)
    assert not (tmp_path / "model").exists()


def test_places_that_hold_no_checkpoint_or_something_else(tmp_path):
    with pytest.raises(SitsError, match="nor a checkpoint"):
        checkpoint(tmp_path, tmp_path / "model", MEAN, STD)
    published(tmp_path / "c.tar")
    with pytest.raises(SitsError, match="is there and is no model"):
        checkpoint(tmp_path / "c.tar", tmp_path / "c.tar", MEAN, STD)
    assert (tmp_path / "c.tar").exists()
