"""A model as an ONNX file answers as the model does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import made_run
import phenology
from sitsformer import exportonnx
from sitsformer.commands.export_onnx import export_onnx
from sitsformer.errors import SitsError
from sitsformer.model import Architecture, SITSFormer
from sitsformer.modelstore import Origin, load_model, save_model

SHAPES = {
    "published": {},
    "linear, pre-norm, seasons": {
        "embedding": "linear", "pooling": "seasons", "norm": "pre", "hidden": 32, "heads": 4,
    },
    "nine bands, mean and max": {
        "bands": 9, "patch": 3, "pooling": "mean_max", "hidden": 32, "heads": 2, "layers": 1,
    },
    "mean": {"pooling": "mean", "hidden": 32, "heads": 2, "layers": 1},
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _needed() -> None:
    for name in (*exportonnx.NEEDED, "onnxruntime"):
        pytest.importorskip(name)


def samples(bands: int, patch: int, count: int, time: int) -> tuple[np.ndarray, np.ndarray]:
    """Series of one to `time` steps that stand anywhere, with missing pixels and a lost step."""
    rng = np.random.default_rng(count * time)
    values = rng.integers(0, 9000, (count, time, bands, patch, patch)) * np.float32(1e-4)
    values[rng.random(values.shape) < 0.05] = np.nan
    doy = np.zeros((count, time), np.int64)
    for row in doy:
        steps = int(rng.integers(1, time + 1))
        row[rng.choice(time, steps, replace=False)] = rng.choice(366, steps, replace=False) + 1
    if time > 3:
        doy[0] = np.arange(1, time + 1)
        values[0, 1] = np.nan
    return values.astype(np.float32), doy


@pytest.mark.parametrize("name", SHAPES)
def test_it_gives_the_same_for_any_number_of_samples_and_steps(name: str, tmp_path: Path) -> None:
    import onnxruntime

    torch.manual_seed(1)
    shape = Architecture(classes=4, **SHAPES[name])
    statistics = np.linspace(0.1, 0.4, shape.bands), np.full(shape.bands, 0.15)
    model = SITSFormer(shape, *statistics, [f"B{k}" for k in range(shape.bands)], "abcd")
    # A classifier that tells classes apart: small differences would pass unseen.
    torch.nn.init.normal_(model.classifier.weight, std=1.0)
    save_model(tmp_path / "model", model, Origin("classification"))
    made_run.run(export_onnx, tmp_path / "model", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert [item.name for item in session.get_outputs()] == ["probabilities", "embedding"]
    for count, time in ((1, 1), (2, 3), (16, 41)):
        values, doy = samples(shape.bands, shape.patch, count, time)
        found = session.run(None, {"reflectance": values, "doy": doy})
        expected = model.predict(values, doy, check=False), model.embed(values, doy, check=False)
        for one, other in zip(found, expected, strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, atol=2e-5)
    padding = {
        "reflectance": np.pad(values, [(0, 0), (0, 5), *3 * [(0, 0)]]),
        "doy": np.pad(doy, [(0, 0), (0, 5)]),
    }
    np.testing.assert_allclose(session.run(None, padding)[0], found[0], atol=2e-5)


def test_a_pretrained_model_embeds_and_classes_are_named(tmp_path: Path) -> None:
    import onnxruntime

    made_run.make_model(tmp_path / "crop", "classification", phenology.NAMES)
    made_run.make_model(tmp_path / "ssl-p0", "ssl")
    assert exportonnx.export(tmp_path / "ssl-p0", tmp_path / "ssl.onnx") == ("embedding",)
    exportonnx.export(tmp_path / "crop", tmp_path / "crop.onnx")
    about = onnxruntime.InferenceSession(tmp_path / "crop.onnx").get_modelmeta()
    found = about.custom_metadata_map
    assert json.loads(found["classes"]) == list(phenology.NAMES)
    assert json.loads(found["bands"]) == list(load_model(tmp_path / "crop").bands)
    assert found["patch"] == "3" and json.loads(found["codes"]) == [[1], [2], [3], [4]]


def test_the_page_of_reuse_runs(tmp_path: Path, monkeypatch, capsys) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reuse.md").read_text()
    (code,) = re.findall(r"```python\n(import json\n.*?)```", page, re.S)
    made_run.make_model(tmp_path / "crop", "classification", phenology.NAMES)
    exportonnx.export(tmp_path / "crop", tmp_path / "crop.onnx")
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert capsys.readouterr().out.strip() in phenology.NAMES


def test_what_cannot_be_exported_is_refused(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(SitsError, match=r"ends in \.onnx"):
        exportonnx.export(tmp_path / "crop", tmp_path / "crop.pt")
    with pytest.raises(SitsError, match="is no model of sitsformer"):
        exportonnx.export(tmp_path / "crop", tmp_path / "crop.onnx")
    monkeypatch.setattr(exportonnx, "NEEDED", ("onnx", "no_such_package"))
    with pytest.raises(SitsError, match=r"needs no_such_package: pip install no_such_package"):
        exportonnx.export(tmp_path / "crop", tmp_path / "crop.onnx")
    assert not list(tmp_path.iterdir())
