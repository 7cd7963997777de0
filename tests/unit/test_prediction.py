"""Prediction against the published network; packed weights; batches."""

import numpy as np
import pytest
import torch

from model_pairs import MEAN, STD, padded, pair, samples
from reference_model import Reference
from sitsformer.errors import SitsError
from sitsformer.model import Architecture, SITSFormer, packed, prediction
from sitsformer.model.embedding import kernels
from sitsformer.model.packed import LEAST_STEPS, ROWS, PackedModel, rounded
from sitsformer.model.prediction import LARGEST_BYTES, portions, predict_batch
from sitsformer.model.steps import make_series, pack
from sitsformer.stored import MISSING


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("count", [40, 200])
def test_evaluation_equals_the_reference(norm_first, full, count):
    """Few samples are predicted with the weights as they are, many with packed ones."""
    reference, model = pair(norm_first=norm_first)
    values, doy = samples(count, 30, least=30 if full else 4)
    assert (int((doy > 0).sum()) >= LEAST_STEPS) == (count == 200)
    reference.eval()
    with torch.no_grad():
        expected = torch.softmax(reference.classify(*padded(values, doy)), 1)
    assert np.abs(model.eval().predict(values, doy) - expected.numpy()).max() < 1e-5


def test_the_default_size_equals_the_reference():
    torch.manual_seed(0)
    reference = Reference(classes=3).eval()
    model = SITSFormer(Architecture(classes=3), MEAN, STD).eval()
    model.load_state_dict(reference.state_dict(), strict=False)
    values, doy = samples(6, 24)
    with torch.no_grad():
        expected = torch.softmax(reference.classify(*padded(values, doy)), 1)
    assert np.abs(model.predict(values, doy) - expected.numpy()).max() < 1e-5


@pytest.mark.parametrize(("bands", "patch"), [(10, 5), (5, 1), (8, 3), (13, 7), (9, 9)])
def test_every_patch_size_equals_nn_conv3d(bands, patch):
    reference, model = pair(bands=bands, patch=patch)
    values, doy = samples(5, 9, bands=bands, patch=patch)
    reference.eval()
    with torch.no_grad():
        expected = torch.softmax(reference.classify(*padded(values, doy)), 1)
    series = make_series(values, doy, np.full(bands, 0.3), np.full(bands, 0.2))
    for weights in (None, PackedModel(model.eval())):
        found = predict_batch(model, series, np.arange(5), weights)
        assert np.abs(found - expected.numpy()).max() < 1e-5


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("count", [1, 4, 9])
def test_rows_that_fill_a_batch_up_have_no_influence(norm_first, count):
    _, model = pair(norm_first=norm_first)
    values, doy = samples(count, 12, least=12 if count == 4 else 4)
    series = make_series(values, doy, MEAN, STD)
    exact = predict_batch(model, series, np.arange(count))
    steps = pack(series, np.arange(count))
    filled = len(rounded(steps).values)
    assert filled % ROWS == 0
    assert (filled == len(steps.values)) == (count == 4)
    found = predict_batch(model, series, np.arange(count), PackedModel(model))
    assert np.abs(found - exact).max() < 1e-6


def test_patches_are_embedded_in_pieces_that_leave_no_trace(monkeypatch):
    _, model = pair()
    values, doy = samples(20, 12)
    series = make_series(values, doy, MEAN, STD)
    whole = predict_batch(model, series, np.arange(20), PackedModel(model))
    monkeypatch.setattr(packed, "PATCHES", 7)
    found = predict_batch(model, series, np.arange(20), PackedModel(model))
    assert np.abs(found - whole).max() < 1e-6


def test_packed_linear_embeddings_equal_the_others():
    torch.manual_seed(0)
    shape = Architecture(embedding="linear", hidden=32, layers=2, heads=4, classes=3)
    model = SITSFormer(shape, MEAN, STD).eval()
    values, doy = samples(150, 30)
    parts = [model.predict(values[i : i + 10], doy[i : i + 10]) for i in range(0, 150, 10)]
    assert int((doy > 0).sum()) >= LEAST_STEPS
    assert np.abs(model.predict(values, doy) - np.concatenate(parts)).max() < 1e-6


def missing(*_):
    raise AttributeError("no such operation")


def fails(*_):
    raise RuntimeError("could not create a primitive")


def other_numbers(x, bias):
    return torch.zeros(len(x), len(bias))


@pytest.mark.parametrize("product", [missing, fails, other_numbers])
def test_without_packed_products_prediction_is_the_same(monkeypatch, product):
    """Whatever a version of torch or a processor makes of them."""
    _, model = pair()
    values, doy = samples(200, 30)
    usual = model.predict(values, doy)
    monkeypatch.setattr(
        packed.PackedLinear, "__call__", lambda self, x, relu=False: product(x, self.bias)
    )
    packed.products_are_right.cache_clear()
    try:
        assert not packed.can_pack(model)
        found = model.predict(values, doy)
    finally:
        packed.products_are_right.cache_clear()
    assert np.abs(found - usual).max() < 1e-6


def test_packed_products_are_only_for_what_they_were_made_for():
    _, model = pair(torch.float64)
    assert not packed.can_pack(model)


def test_prediction_follows_the_weights_and_leaves_the_model_alone():
    _, model = pair()
    values, doy = samples(200, 30)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    first = model.train().predict(values, doy)
    assert model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.requires_grad for p in model.parameters())
    with torch.no_grad():
        for parameter in model.transformer_encoder.parameters():
            parameter.add_(0.05)
    second = model.predict(values, doy)
    few = model.predict(values[:5], doy[:5])
    assert np.abs(first - second).max() > 1e-3
    assert np.abs(second[:5] - few).max() < 1e-5


def test_missing_pixels_become_the_mean():
    values, doy = samples(3, 4, least=4)
    values[1, 2, 5, 0, 0] = MISSING
    series = make_series(values, doy, MEAN, STD)
    assert series.gaps
    steps = pack(series, np.arange(3))
    assert float(steps.values.view(3, 4, 10, 25)[1, 2, 5, 0]) == 0.0


def test_day_366_works_and_367_is_refused():
    values, doy = samples(2, 3, least=3)
    doy[:, -1] = 366
    assert np.isfinite(pair()[1].eval().predict(values, doy)).all()
    doy[0, -1] = 367
    with pytest.raises(SitsError, match="367"):
        pair()[1].predict(values, doy)


def test_one_sample_and_long_series_work():
    values, doy = samples(1, 200)
    found = pair()[1].eval().predict(values, doy)
    assert found.shape == (1, 5)
    assert float(found.sum()) == pytest.approx(1)


def test_prediction_keeps_the_order_of_samples():
    model = pair()[1].eval()
    values, doy = samples(30, 20)
    together = model.predict(values, doy, batch_size=7)
    alone = np.concatenate([model.predict(values[i : i + 1], doy[i : i + 1]) for i in range(30)])
    assert np.abs(together - alone).max() < 1e-5


def test_samples_that_do_not_fit_are_refused():
    model = pair()[1]
    values, doy = samples(2, 3, least=3)
    with pytest.raises(SitsError, match=r"10, 5, 5"):
        model.predict(values[:, :, :8], doy)
    with pytest.raises(SitsError, match="floats are reflectance"):
        model.predict(values.astype(np.float32), doy)
    with pytest.raises(SitsError, match="days of year"):
        model.predict(values, doy[:, :2])
    with pytest.raises(SitsError, match="no classifier"):
        SITSFormer(Architecture(hidden=16, heads=2)).predict(values, doy)
    with pytest.raises(SitsError, match="5 or more"):
        kernels(4, 5)


def test_portions_cover_every_sample_once():
    model = pair()[1]
    lengths = np.random.default_rng(0).integers(1, 60, 500)
    found = portions(model, lengths, 64)
    assert sorted(np.concatenate(found)) == list(range(500))
    assert max(map(len, found)) <= 64


def test_equal_series_fill_batches_to_the_last_row():
    model = SITSFormer(Architecture(classes=3))
    steps = LARGEST_BYTES // (4 * 1024)
    found = portions(model, np.full(steps // 32 * 3, 32), 10**6)
    assert [32 * len(part) for part in found] == [steps] * 3


@pytest.fixture
def with_units(monkeypatch):
    """Products in bfloat16 are the same numbers where a processor emulates them."""
    monkeypatch.setattr(prediction, "has_bf16_units", lambda: True)


@pytest.mark.parametrize("shape", [{}, {"norm_first": True}, {"patch": 1, "bands": 5}])
def test_bf16_is_close_and_the_same_for_few_and_many(shape, with_units):
    _, model = pair(**shape)
    bands, patch = model.architecture.bands, model.architecture.patch
    values, doy = samples(200, 30, bands=bands, patch=patch)
    exact, found = model.predict(values, doy), model.predict(values, doy, precision="bf16")
    assert 1e-6 < np.abs(found - exact).max() < 0.02
    few = model.predict(values[:5], doy[:5], precision="bf16")
    assert np.abs(few - exact[:5]).max() > 1e-6
    assert np.abs(few - found[:5]).max() < 0.01
    vectors = [model.embed(values, doy, precision=name) for name in ("float32", "bf16")]
    assert 1e-6 < np.abs(np.subtract(*vectors)).max() < 0.1
    assert np.abs(model.predict(values, doy) - exact).max() == 0


def test_bf16_is_refused_where_nothing_multiplies_it(monkeypatch):
    _, model = pair()
    values, doy = samples(3, 4)
    monkeypatch.setattr(prediction, "has_bf16_units", lambda: False)
    with pytest.raises(SitsError, match=r"AVX512-BF16.*use float32"):
        model.predict(values, doy, precision="bf16")
    model.predict(values, doy)
