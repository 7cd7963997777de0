"""Baselines that need more than the dependencies: named when missing, fed as the others."""

import sys
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest

import phenology
from sitsformer.baselines import by_default, file_options, shipped
from sitsformer.baselines.fitting import run
from sitsformer.checks.foresight import baseline_problems
from sitsformer.config import ConfigError, FewShot, parse
from sitsformer.errors import SitsError
from sitsformer.fewshot import Learner

VALUES = {"sets": {"crops": {"store": "crops.zarr"}}, "pretrain": {"set": "crops"}}


class Recorder:
    """A classifier that remembers how it was made, and knows the class of the nearest series."""

    made: ClassVar[dict[str, object]] = {}

    def __init__(self, **settings):
        type(self).made = settings

    def fit(self, features, label):
        self.features, self.label = features, label
        self.classes_ = np.unique(label)

    def predict_proba(self, features):
        apart = np.linalg.norm(features[:, None] - self.features, axis=2)
        return np.eye(len(self.classes_))[self.label[apart.argmin(1)]]


@pytest.fixture
def library(monkeypatch):
    """Stand-ins for both libraries."""
    for name, classifier in (("catboost", "CatBoostClassifier"), ("tabpfn", "TabPFNClassifier")):
        module = ModuleType(name)
        setattr(module, classifier, Recorder)
        monkeypatch.setitem(sys.modules, name, module)


def cells(name, **options):
    settings = FewShot(set="made", validation=5, options={name: options})
    return run(phenology.make(), Learner(name), 10, [3], settings)


def test_they_are_in_no_sweep_that_does_not_name_them():
    extras = {name for name, item in shipped().items() if item.extra}
    assert extras == {"catboost", "tabpfn"} and not extras & set(by_default())
    assert parse({**VALUES, "fewshot": {"set": "crops"}}).fewshot.baselines == by_default()
    chosen = {"set": "crops", "baselines": ["catboost"], "options": {"catboost": {"iterations": 9}}}
    assert parse({**VALUES, "fewshot": chosen}).fewshot.baselines == ("catboost",)


@pytest.mark.parametrize("name", ["catboost", "tabpfn"])
def test_a_library_that_is_missing_is_named(name, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "w.ckpt").write_bytes(b"weights")
    options = {"weights": str(tmp_path / "w.ckpt")} if name == "tabpfn" else {}
    with pytest.raises(SitsError, match=rf"'{name}' needs the package {name}.*pip install {name}"):
        cells(name, **options)


def test_catboost_is_fitted_on_the_draw(library):
    (cell,) = cells("catboost", iterations=17)
    assert (Recorder.made["iterations"], Recorder.made["random_seed"]) == (17, 3)
    assert Recorder.made["thread_count"] == 1 and not Recorder.made["allow_writing_files"]
    assert cell.choice["train"] == 40 and (cell.probabilities.argmax(1) == cell.truth).mean() > 0.6


def test_weights_of_tabpfn_are_a_file_of_the_users(library, tmp_path):
    (tmp_path / "w.ckpt").write_bytes(b"weights")
    (cell,) = cells("tabpfn", weights=str(tmp_path / "w.ckpt"))
    assert Recorder.made["model_path"] == str(tmp_path / "w.ckpt")
    assert Recorder.made["device"] == "cpu" and Recorder.made["random_state"] == 3
    assert (cell.probabilities.argmax(1) == cell.truth).mean() > 0.6


def test_without_weights_tabpfn_is_refused_before_its_library_is_looked_at(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tabpfn", None)
    with pytest.raises(SitsError, match=r"w\.ckpt is not a file. Weights are not downloaded here"):
        cells("tabpfn", weights=str(tmp_path / "w.ckpt"))
    chosen = {"set": "crops", "baselines": ["tabpfn"]}
    with pytest.raises(ConfigError, match=r"options\.tabpfn\.weights: path of its checkpoint, wh"):
        parse({**VALUES, "fewshot": chosen})
    with pytest.raises(ConfigError, match=r"options\.tabpfn\.weights: 4 is no path of a file"):
        parse({**VALUES, "fewshot": {**chosen, "options": {"tabpfn": {"weights": 4}}}})
    options = {"weights": str(tmp_path / "w.ckpt"), "estimators": 2}
    config = parse({**VALUES, "fewshot": {**chosen, "options": {"tabpfn": options}}})
    assert [found.split(": ")[0] for found in baseline_problems(config)] == [
        "fewshot.options.tabpfn.weights"
    ]
    assert file_options("tabpfn", options) == {"weights": options["weights"]}
    assert file_options("mine", {"file": "a.py", "depth": 3}) == {"file": "a.py"}
