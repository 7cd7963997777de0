"""The fast network against the published one, written plainly in reference_model.py."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model_data import flops
from model_pairs import MEAN, STD, padded, pair, samples
from sitsformer.model import Architecture, SITSFormer
from sitsformer.model.encoder import attend
from sitsformer.model.hiding import hide
from sitsformer.model.steps import Steps, make_layout, make_series, pack, subset
from sitsformer.stored import MISSING
from sitsformer.training.determinism import seed


@pytest.mark.parametrize("norm_first", [False, True])
def test_training_without_padding_equals_the_reference(norm_first):
    """Loss, every gradient and the BatchNorm statistics; float64, so that a tie stays a tie."""
    reference, model = pair(torch.float64, norm_first)
    values, doy = samples(12, 10, least=10)
    x, days = padded(values, doy)
    label = torch.arange(12) % 5
    series = make_series(values, doy, MEAN, STD)
    steps = pack(series, np.arange(12))
    # The packed values are float32: both sides get exactly those.
    x = steps.values.view(12, 10, 10, 5, 5).double()
    days = steps.doy.view(12, 10)
    expected = torch.nn.functional.cross_entropy(reference.train().classify(x, days), label)
    expected.backward()
    steps = Steps(steps.values.double(), steps.doy, steps.layout)
    logits = model.train().logits(steps)
    found = torch.nn.functional.cross_entropy(logits, label)
    found.backward()
    assert abs(float((found - expected).detach())) < 1e-10
    gradients = dict(model.named_parameters())
    checked = 0
    for name, parameter in reference.named_parameters():
        if parameter.grad is not None:
            scale = float(parameter.grad.abs().max()) + 1e-12
            assert float((gradients[name].grad - parameter.grad).abs().max()) / scale < 1e-6, name
            checked += 1
    assert checked > 30
    buffers = dict(model.named_buffers())
    for name, value in reference.named_buffers():
        assert torch.allclose(buffers[name].double(), value.double(), atol=1e-6), name


def test_padding_changes_nothing_in_training():
    """The reference's BatchNorm statistics depend on the padding; ours must not."""
    _, model = pair()
    values, doy = samples(9, 12)
    longer = np.pad(values, ((0, 0), (0, 30), (0, 0), (0, 0), (0, 0)), constant_values=MISSING)
    days = np.pad(doy, ((0, 0), (0, 30)))
    outputs, statistics = [], []
    for v, d in ((values, doy), (longer, days)):
        _, model = pair()
        steps = pack(make_series(v, d, MEAN, STD), np.arange(9))
        outputs.append(model.train().logits(steps))
        statistics.append({k: v.clone() for k, v in model.named_buffers()})
    assert torch.equal(*outputs)
    assert all(torch.equal(statistics[0][k], statistics[1][k]) for k in statistics[0])
    reference, _ = pair()
    few = reference.train().classify(*padded(values, doy))
    reference, _ = pair()
    many = reference.train().classify(*padded(longer, days))
    assert (few - many).abs().max() > 1e-2  # the flaw is real


@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=60))
def test_each_sample_is_as_if_it_were_alone(lengths):
    torch.manual_seed(0)
    shape = Architecture(bands=3, patch=1, embedding="linear", hidden=8, layers=2, heads=2)
    model = SITSFormer(shape).eval()
    order = np.array(lengths)
    values = torch.randn(int(order.sum()), 3, 1)
    doy = torch.randint(1, 367, (int(order.sum()),))
    with torch.no_grad():
        together = model.encode(Steps(values, doy, make_layout(order)))
        ends = np.cumsum(order)
        for end, length in list(zip(ends, order, strict=True))[:5]:
            part = slice(int(end - length), int(end))
            alone = Steps(values[part], doy[part], make_layout(np.array([length])))
            assert torch.allclose(together[part], model.encode(alone), atol=1e-5)


def test_the_lean_last_layer_equals_the_whole_one():
    _, model = pair()
    values, doy = samples(20, 16)
    steps = pack(make_series(values, doy, MEAN, STD), np.arange(20))
    hidden = np.random.default_rng(0).random(steps.layout.steps) < 0.3
    results = []
    for lean in (False, True):
        model.zero_grad()
        model.eval()
        encoded = model.encode(steps, hide(steps.layout, hidden, "cpu"), only_hidden=lean)
        encoded = encoded if lean else encoded[torch.from_numpy(hidden)]
        encoded.square().sum().backward()
        results.append((encoded.detach(), model.mask_token.grad.clone()))
    assert torch.allclose(results[0][0], results[1][0], atol=1e-5)
    assert torch.allclose(results[0][1], results[1][1], rtol=1e-3, atol=1e-4)


def test_what_is_hidden_has_no_influence():
    _, model = pair()
    values, doy = samples(6, 8)
    index = np.arange(6)
    steps = pack(make_series(values, doy, MEAN, STD), index)
    hidden = np.zeros(steps.layout.steps, bool)
    hidden[::3] = True
    other = steps.values.clone()
    other[torch.from_numpy(hidden)] = 99.0
    for mode in (True, False):
        model.train(mode)
        with torch.no_grad():
            known = hide(steps.layout, hidden, "cpu")
            first = model.encode(steps, known)
            second = model.encode(Steps(other, steps.doy, steps.layout), known)
        assert torch.equal(first, second)


def with_decoder():
    torch.manual_seed(2)
    shape = Architecture(hidden=32, layers=2, heads=4, classes=5, decoder=True)
    model = SITSFormer(shape, MEAN, STD)
    values, doy = samples(6, 8)
    steps = pack(make_series(values, doy, MEAN, STD), np.arange(6))
    hidden = np.zeros(steps.layout.steps, bool)
    hidden[::3] = True
    return model, steps, hidden


def test_with_a_decoder_the_encoder_sees_visible_steps_alone():
    model, steps, hidden = with_decoder()
    other = steps.values.clone()
    other[torch.from_numpy(hidden)] = 99.0
    changed = Steps(other, steps.doy, steps.layout)
    rows = torch.from_numpy(np.flatnonzero(~hidden))
    known, inverse = (hide(steps.layout, mask, "cpu") for mask in (hidden, ~hidden))
    for mode in (True, False):
        model.train(mode)
        with torch.no_grad():
            found = []
            for batch in (steps, changed):
                seed([1])
                found.append(model.encode_hidden(batch, known))
        assert torch.equal(found[0][0], found[1][0])
        assert torch.equal(found[0][-1], found[1][-1])
    # As if the hidden steps had never been there.
    seen, layout, _, decoded = found[0]
    shorter = Steps(steps.values[rows], steps.doy[rows], make_layout(layout.lengths))
    with torch.no_grad():
        assert torch.allclose(seen, model.encode(shorter), atol=1e-5)
        filled = model.fill(steps, known)[torch.from_numpy(hidden)]
        assert torch.allclose(model.reconstruct(decoded), filled, atol=1e-5)
        assert not torch.allclose(model.fill(steps, inverse), model.fill(steps, known), atol=1e-3)


def test_a_decoder_learns_with_its_token():
    model, steps, hidden = with_decoder()
    known = hide(steps.layout, hidden, "cpu")
    model.reconstruct(model.encode_hidden(steps, known, whole=False)[-1]).square().sum().backward()
    for name in ("mask_token", "decoder.layers.0.linear1.weight", "embedding.linear.weight"):
        assert float(dict(model.named_parameters())[name].grad.abs().max()) > 0, name


def test_the_mask_token_is_learned_and_saved():
    _, model = pair()
    assert "mask_token" in model.state_dict()
    values, doy = samples(6, 8)
    steps = pack(make_series(values, doy, MEAN, STD), np.arange(6))
    hidden = hide(steps.layout, np.arange(steps.layout.steps) % 2 == 0, "cpu")
    model.reconstruct(model.encode(steps, hidden)).sum().backward()
    assert float(model.mask_token.grad.abs().max()) > 0
    bands = np.zeros((steps.layout.steps, 10), bool)
    bands[:, 3] = True
    model.reconstruct(model.encode(steps, hide(steps.layout, bands, "cpu"))).sum().backward()
    assert float(model.band_token.grad[3].abs()) > 0


def test_layers_start_with_different_weights():
    model = SITSFormer(Architecture(hidden=16, heads=2))
    first, second = (layer.linear1.weight for layer in model.transformer_encoder.layers[:2])
    assert not torch.equal(first, second)


def around_days(part, doy):
    """Plain loop over the ten days: Gaussian weights, around New Year where that is nearer."""
    found = []
    for day in (np.arange(10) + 0.5) * 36.6:
        apart = np.minimum(np.abs(doy - day), 366 - np.abs(doy - day))
        weight = np.exp(-0.5 * (apart / 18) ** 2 + 0.5 * (apart.min() / 18) ** 2)
        found.append((weight[:, None] * part.double().numpy()).sum(0) / weight.sum())
    return torch.from_numpy(np.concatenate(found)).float()


@pytest.mark.parametrize("pooling", ["max", "mean", "mean_max", "seasons"])
def test_pooling_sees_valid_steps_alone(pooling):
    shape = Architecture(3, 1, "linear", 8, 1, 2, pooling=pooling, classes=2)
    model = SITSFormer(shape)
    lengths = np.array([5, 3, 1])
    encoded = torch.randn(9, 8) - 5  # a pooled 0 would be a padding that leaked
    doy = torch.tensor([1, 90, 91, 240, 366, 10, 200, 350, 5])
    found = model.pool(encoded, make_layout(lengths), doy)
    parts = encoded.split([5, 3, 1])
    mean = torch.stack([part.mean(0) for part in parts])
    most = torch.stack([part.max(0).values for part in parts])
    expected = {"max": most, "mean": mean, "mean_max": torch.cat([mean, most], 1)}
    days = doy.numpy()
    around = [around_days(*pair) for pair in zip(parts, np.split(days, [5, 8]), strict=True)]
    expected["seasons"] = torch.cat([mean, most, torch.stack(around)], 1)
    expected = expected[pooling]
    assert torch.allclose(found, expected, atol=1e-6)


def test_dropout_is_a_function_of_the_numbers_it_starts_from():
    _, model = pair(dropout=0.2)
    values, doy = samples(6, 8)
    steps = pack(make_series(values, doy, MEAN, STD), np.arange(6))

    def encoded(*numbers):
        torch.rand(7)  # what was drawn before must not count
        seed(numbers)
        with torch.no_grad():
            return model.train().encode(steps)

    first = encoded(0, 3, 1, 0)
    assert torch.equal(first, encoded(0, 3, 1, 0))
    for other in [(1, 3, 1, 0), (0, 4, 1, 0), (0, 3, 0, 0), (0, 3, 1, 1)]:
        assert not torch.equal(first, encoded(*other)), other


def test_dropout_changes_training_and_not_evaluation():
    _, model = pair(dropout=0.2)
    values, doy = samples(6, 8)
    steps = pack(make_series(values, doy, MEAN, STD), np.arange(6))
    with torch.no_grad():
        model.train()
        assert not torch.equal(model.encode(steps), model.encode(steps))
        model.eval()
        assert torch.equal(model.encode(steps), model.encode(steps))


def test_saturated_values_are_not_negative():
    """Stored values above 32767 share their bits with negative int16."""
    values, doy = samples(2, 3, least=3)
    values[0, 0] = 60000
    steps = pack(make_series(values, doy, MEAN, STD), np.arange(2))
    assert float(steps.values[0].min()) == pytest.approx((6.0 - 0.3) / 0.2, rel=1e-5)


def test_subset_of_a_layout_keeps_samples():
    layout = make_layout(np.array([6, 5, 2, 2]))
    chosen = np.zeros(15, bool)
    chosen[[0, 1, 12]] = True
    part = subset(layout, chosen, torch.device("cpu"))
    assert part.lengths.tolist() == [2, 0, 1, 0]
    assert part.longest == 2
    assert part.slot.index.tolist() == [0, 1, 4]


def test_flops_of_a_case_counted_by_hand():
    shape = Architecture(bands=2, patch=1, embedding="linear", hidden=4, layers=1, heads=1)
    lengths = np.array([3, 1])
    embedding = 2 * 4 * (2 * 4)
    layer = 2 * 4 * (4 * 16 + 2 * 4 * 16)
    attention = 2 * 2 * (9 + 1) * 4
    assert flops(shape, lengths) == embedding + layer + attention


def test_bf16_runs_forward_and_backward():
    _, model = pair(dropout=0.1)
    values, doy = samples(20, 8)
    steps = pack(make_series(values, doy, MEAN, STD), np.arange(20))
    exact = model.eval().logits(steps)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model.logits(steps).float()
        assert (rough - exact).abs().max() < 0.2
        model.train().logits(steps).float().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("lengths", [[7, 5, 4], [5, 5, 5]])
def test_attention_equals_the_librarys_a_sample_at_a_time(lengths):
    """Values and gradients of queries, keys and values, for some of the steps as queries."""
    torch.manual_seed(0)
    layout = make_layout(np.array(lengths))
    steps, heads = layout.steps, 2
    wanted = np.arange(steps) % 3 > 0
    queries = subset(layout, wanted, "cpu")
    query = torch.randn(queries.steps, 8, requires_grad=True)
    pair_of = torch.randn(steps, 16, requires_grad=True)
    out = attend(query, pair_of, queries, layout, heads, 0.0)
    found = torch.autograd.grad(out.square().sum(), [query, pair_of])

    def by_head(rows):
        return rows.view(len(rows), heads, -1).transpose(0, 1)

    sizes = queries.lengths.tolist(), layout.lengths.tolist()
    parts = []
    for q, kv in zip(query.split(sizes[0]), pair_of.split(sizes[1]), strict=True):
        k, v = (by_head(part) for part in kv.chunk(2, 1))
        mixed = torch.nn.functional.scaled_dot_product_attention(by_head(q), k, v)
        parts.append(mixed.transpose(0, 1).flatten(1))
    expected = torch.cat(parts)
    assert torch.allclose(out, expected, atol=1e-6)
    slow = torch.autograd.grad(expected.square().sum(), [query, pair_of])
    for ours, theirs in zip(found, slow, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_dropout_of_attention_keeps_the_expectation():
    torch.manual_seed(0)
    layout = make_layout(np.array([6, 4]))
    query, pair_of = torch.randn(10, 8), torch.randn(10, 16)
    exact = attend(query, pair_of, layout, layout, 2, 0.0)
    many = [attend(query, pair_of, layout, layout, 2, 0.3) for _ in range(4000)]
    assert not torch.equal(many[0], many[1])
    assert (torch.stack(many).mean(0) - exact).abs().max() < 0.05


def test_flops_of_a_last_layer_for_some_steps():
    shape = Architecture(bands=2, patch=1, embedding="linear", hidden=4, layers=1, heads=1)
    lengths = np.array([3, 1])
    whole, none = flops(shape, lengths), flops(shape, lengths, last_share=0.0)
    keys = 2 * 4 * (2 * 16)  # keys and values alone
    assert none == 2 * 4 * (2 * 4) + keys
    assert flops(shape, lengths, last_share=0.5) == (whole + none) / 2
