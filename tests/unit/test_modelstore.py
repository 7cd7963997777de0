import json

import numpy as np
import pytest
import torch

import sitsformer
from sitsformer import artefacts
from sitsformer.artefacts import record as records
from sitsformer.errors import SitsError
from sitsformer.model import Architecture, SITSFormer
from sitsformer.modelstore import Origin, describe, read_history, refuse_other_start, save_model
from sitsformer.sensors import BANDS


@pytest.fixture
def stored(tmp_path):
    torch.manual_seed(0)
    shape = Architecture(patch=3, hidden=16, layers=1, heads=2, classes=3)
    names = ("wheat", "maize", "soy")
    model = SITSFormer(shape, np.linspace(0.1, 0.4, 10), np.full(10, 0.2), BANDS, names).eval()
    origin = Origin("dual", {"areas": "somewhere"}, {"a": 1}, seed=3, metrics={"loss": 0.5})
    path = tmp_path / "model"
    save_model(path, model, origin, [{"epoch": 1, "train_ssl": 0.25}])
    return path, model


def raw():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 9000, (4, 6, 10, 3, 3)).astype(np.uint16)
    return values, np.tile(np.arange(10, 70, 10), (4, 1))


def test_two_lines_give_a_ready_model(stored):
    path, model = stored
    loaded = sitsformer.load_model(path)
    assert np.array_equal(loaded.predict(*raw()), model.predict(*raw()))
    assert loaded.class_names == ("wheat", "maize", "soy")
    assert loaded.bands == BANDS
    assert not loaded.training


def test_the_same_model_gives_the_same_bytes(stored, tmp_path):
    path, model = stored
    again = tmp_path / "again"
    origin = Origin("dual", {"areas": "somewhere"}, {"a": 1}, seed=3, metrics={"loss": 0.5})
    save_model(again, model, origin, [{"epoch": 1, "train_ssl": 0.25}])
    assert artefacts.digest(path) == artefacts.digest(again)


def test_the_card_and_history_say_what_it_is(stored):
    path, _ = stored
    card = (path / "README.md").read_text()
    assert "somewhere" in card and "wheat, maize, soy" in card and "loss: 0.5" in card
    assert read_history(path) == [{"epoch": 1.0, "train_ssl": 0.25}]
    assert describe(path)["task"] == "dual"


def test_a_model_of_another_pretraining_is_refused(stored, tmp_path):
    path, model = stored
    refuse_other_start(path, "dual", 3)  # what says nothing of its pretraining passes
    save_model(path, model, Origin("dual", {}, {"objective": "ssl", "seed": 3}, seed=3))
    refuse_other_start(path, "ssl", 3)
    for objective, seed in (("dual", 3), ("ssl", 0)):
        with pytest.raises(SitsError, match="the objective ssl and the seed 3; asked for are"):
            refuse_other_start(path, objective, seed)
    save_model(path, model, Origin("classification", {}, {"fewshot": {}, "model": {}}, seed=3))
    with pytest.raises(SitsError, match="is a fine-tuned model"):
        refuse_other_start(path, "ssl", 3)


def test_other_bands_and_patches_are_refused(stored):
    path, _ = stored
    with pytest.raises(SitsError, match="patches of 3 x 3 pixels; found 5 x 5"):
        sitsformer.load_model(path, patch=5)
    with pytest.raises(SitsError, match="reads the bands"):
        sitsformer.load_model(path, bands=BANDS[:8])


def test_a_flipped_byte_is_refused(stored):
    path, _ = stored
    weights = path / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-10] ^= 1
    weights.write_bytes(data)
    with pytest.raises(SitsError, match="damaged"):
        sitsformer.load_model(path)


def record_again(path):
    """Make the record of a model agree with its altered config."""
    record = json.loads((path / "provenance.json").read_text())
    record["files"] |= records.file_records(path, ["config.json"])
    (path / "provenance.json").write_text(records.sealed(record))


def test_what_is_no_model_is_refused(tmp_path, stored):
    with pytest.raises(SitsError, match="no model of sitsformer"):
        sitsformer.load_model(tmp_path / "nothing")
    path, _ = stored
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "format": 99}))
    record_again(path)
    with pytest.raises(SitsError, match="format 99"):
        sitsformer.load_model(path)


def test_weights_that_do_not_fit_the_config_are_named(stored):
    """A record that was made to agree with swapped files still does not load."""
    path, _model = stored
    config = json.loads((path / "config.json").read_text())
    config["architecture"]["hidden"] = 32
    (path / "config.json").write_text(json.dumps(config))
    record_again(path)
    with pytest.raises(SitsError, match=r"classifier.weight is \(3, 16\), expected \(3, 32\)"):
        sitsformer.load_model(path)


def test_models_older_than_the_decoder_have_none(stored):
    path, _model = stored
    config = json.loads((path / "config.json").read_text())
    del config["architecture"]["decoder"]
    (path / "config.json").write_text(json.dumps(config))
    record_again(path)
    assert sitsformer.load_model(path).decoder is None


def test_importing_the_package_does_not_import_torch():
    import subprocess
    import sys

    code = "import sitsformer, sys; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
