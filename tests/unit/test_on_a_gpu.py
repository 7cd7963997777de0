"""What a GPU computes is what the CPU does; skipped where there is none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import training_data
from sitsformer.fewshot.adaptations.probe import put_into
from sitsformer.fewshot.space import Space
from sitsformer.training.loop import fit
from sitsformer.training.recipe import Plan
from sitsformer.windows import Images, Windows
from training_tasks import network, shape_for, task, weights

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

CASES = [
    ("dual", "linear", 1, 0.0),
    ("dual_sits_former", "conv3d", 1, 0.0),
    ("dual_sits_former", "linear", 2, 0.3),
    ("dual_sits_former", "linear", 1, 0.9),
]
"""Objective, embedding, micro-batches, share of the samples that have no label."""


def trained(case, device, dropout=0.0, **plan):
    objective, embedding, accumulate, unlabelled = case
    shape = replace(
        shape_for(objective), embedding=embedding, dropout=dropout, attention_dropout=dropout
    )
    model = network(shape=replace(shape, patch=1 if embedding == "linear" else 5)).to(device)
    chosen = task(
        objective, unlabelled=unlabelled, accumulate=accumulate, batch_size=12,
        patch=model.architecture.patch, device=device,
    )  # fmt: skip
    history = fit(model, chosen, Plan(epochs=3, warmup=0.3, **plan))
    assert len(history) == 3
    return weights(model)


def near(first, second, tolerance):
    norm = torch.linalg.vector_norm
    difference = float(norm(first.cpu() - second.cpu()) / norm(second.cpu()))
    assert difference < tolerance


@pytest.mark.parametrize("case", CASES)
def test_training_on_a_gpu_is_training_on_a_cpu(case):
    near(trained(case, "cuda"), trained(case, "cpu"), 1e-3)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("case", CASES)
def test_recorded_steps_train_the_same(case, dropout):
    plain = trained(case, "cuda", dropout)
    again = trained(case, "cuda", dropout)
    recorded = trained(case, "cuda", dropout, graphs=True)
    assert torch.equal(plain, again)
    near(recorded, plain, 1e-5)


def test_recorded_steps_in_bf16_are_near():
    plain = trained(CASES[0], "cuda", precision="bf16")
    recorded = trained(CASES[0], "cuda", precision="bf16", graphs=True)
    near(recorded, plain, 1e-3)
    near(recorded, trained(CASES[0], "cpu"), 5e-2)


@pytest.mark.parametrize("embedding", ["linear", "conv3d"])
def test_predictions_are_those_of_the_cpu(embedding):
    model = network(shape=replace(shape_for("dual"), embedding=embedding,
                                  patch=1 if embedding == "linear" else 5)).eval()  # fmt: skip
    values, doy, _, _ = training_data.arrays(patch=model.architecture.patch)
    expected = model.predict(values, doy, 32, check=False)
    found = model.to("cuda").predict(values, doy, 32, check=False)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("patch", [1, 3])
def test_patches_cut_out_on_a_gpu_are_those_of_the_cpu(patch):
    rng = np.random.default_rng(0)
    images = Images(rng.integers(0, 5000, (20, 10, 30, 40)).astype(np.uint16))
    doy = np.sort(rng.integers(1, 366, (500, 12)), axis=1)
    doy[np.arange(12) >= rng.integers(1, 13, 500)[:, None]] = 0
    step, row = rng.integers(0, 20, (500, 12)), rng.integers(0, 30 - patch, 500)
    windows = Windows(images, step, row, rng.integers(0, 40 - patch, 500), doy, patch)
    shape = replace(shape_for("dual"), embedding="linear" if patch == 1 else "conv3d", patch=patch)
    model = network(shape=shape).eval()
    expected = model.predict(np.asarray(windows), doy, 64, check=False)
    found = model.to("cuda").predict(windows, doy, 64, check=False)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_regression_is_put_into_a_network_on_a_gpu():
    shape = replace(shape_for("dual"), embedding="linear", patch=1)
    values, doy, label, _ = training_data.arrays()
    found = {}
    for device in ("cpu", "cuda"):
        model = network(shape=shape).to(device)
        model.new_classifier(3, ("a", "b", "c"), "seasons")
        features = model.embed(values, doy, 64, check=False)
        regression = LogisticRegression(max_iter=300).fit(features, label)
        put_into(model, regression, Space(*identity(features.shape[1])))
        found[device] = model.predict(values, doy, 64, check=False)
    np.testing.assert_allclose(found["cuda"], found["cpu"], atol=1e-3)


def identity(width):
    return np.zeros(width), np.ones(width), np.eye(width)
