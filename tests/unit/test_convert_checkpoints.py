"""Checkpoints of SITS-Former's own code."""

import numpy as np
import pytest
import torch

from reference_model import Reference
from sitsformer.convert.checkpoint import checkpoint
from sitsformer.errors import SitsError
from sitsformer.model.steps import MISSING, make_series, pack
from sitsformer.modelstore import load_model

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
