"""Rows of tables: the ways of a GPU give what plain indexing gives, gradients included."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import training_data
from sitsformer.model import SITSFormer
from sitsformer.model.rows import LEAST, SIZES, Rows, beside, choose, filled, spread, take
from sitsformer.model.steps import make_series, pack
from sitsformer.training.augment import Strength
from sitsformer.training.pretraining import InMemory, PretrainTask
from training_tasks import MEAN, SHAPE, STD, as_on_a_gpu, settings_of

CHOSEN = np.array([True, False, True, True, False, False, True])


def both() -> tuple[Rows, Rows]:
    """As on a CPU and as on a GPU, there with two rows more that are nobody's."""
    found = choose(CHOSEN, "cpu")
    back = torch.tensor([0, 6, 1, 2, 6, 6, 3])
    index, real = torch.cat([found.index, torch.zeros(2, dtype=torch.int64)]), torch.arange(6) < 4
    return found, Rows(index, back, real, found.count)


def table(count: int) -> torch.Tensor:
    made = torch.randn(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return made.requires_grad_()


def grads(found: torch.Tensor, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
    weight = torch.arange(found.numel(), dtype=found.dtype).view_as(found).sin()
    return torch.autograd.grad((found * weight).sum(), inputs)


def test_taken_rows() -> None:
    """What is nobody's gets values, which nobody reads, and gives no gradient."""
    plain, other = both()
    whole = table(len(CHOSEN))
    expected, found = take(whole, plain), take(whole, other)
    assert torch.equal(expected, found[:4])
    both_grads = grads(expected, whole), grads(found * other.real.unsqueeze(1), whole)
    assert torch.equal(both_grads[0][0], both_grads[1][0])


@pytest.mark.parametrize("learns", [False, True])
def test_rows_put_back(learns) -> None:
    plain, other = both()
    few, more, token = table(4), table(6), table(1)
    with torch.no_grad():
        more[:4] = few
    if learns:
        results = [beside(x, rows, token[0]) for x, rows in ((few, plain), (more, other))]
    else:
        results = [spread(x, rows, -np.inf) for x, rows in ((few, plain), (more, other))]
        assert torch.isinf(results[0][~torch.from_numpy(CHOSEN)]).all()
    assert torch.equal(*results)
    assert torch.equal(results[0][torch.from_numpy(CHOSEN)], few)
    inputs = [token] if learns else []
    results = [found.masked_fill(torch.isinf(found), 0) for found in results]
    expected, found = grads(results[0], few, *inputs), grads(results[1], more, *inputs)
    assert torch.equal(expected[0], found[0][:4])
    assert not found[0][4:].any()
    if learns:
        torch.testing.assert_close(expected[1], found[1], rtol=0, atol=1e-12)


def test_choose_knows_the_places(monkeypatch) -> None:
    as_on_a_gpu(monkeypatch)
    found = choose(CHOSEN, "cpu", 9)
    assert found.back is not None and found.real is not None
    assert found.back.tolist() == [0, 256, 1, 2, 256, 256, 3, 256, 256]
    assert found.index[:4].tolist() == [0, 2, 3, 6]
    assert len(found.index) == len(found.real) == 256
    assert found.real.nonzero().ravel().tolist() == [0, 1, 2, 3]


@settings(max_examples=200, deadline=None)
@given(count=st.integers(0, 10**7))
def test_tables_have_few_sizes(count) -> None:
    """Never too small, seldom an eighth too large, and no more than eight to each doubling."""
    assert filled(count, "cpu") == count
    size = filled(count, "meta")
    assert size >= max(count, LEAST)
    assert size == LEAST or size - count < max(LEAST, size / SIZES)
    assert filled(size, "meta") == size
    if size > 2 * LEAST * SIZES:
        assert (2 * SIZES) * (size / 2 ** int(np.log2(size))) % 1 == 0


CASES = [
    ("sits_former", "steps"), ("dual_sits_former", "steps"), ("dual_sits_former", "bands"),
    ("sl", "steps"), ("dual", "steps"),
]  # fmt: skip


@pytest.mark.parametrize(("objective", "mask"), CASES)
@pytest.mark.parametrize(("embedding", "patch"), [("conv3d", 5), ("linear", 1)])
def test_a_step_of_pretraining_is_the_same(objective, mask, embedding, patch, monkeypatch) -> None:
    """Without dropout: its numbers depend on how many rows there are."""
    views = objective == "dual"
    values, doy, label, _ = training_data.arrays(patch=patch)
    # Contrast is computed in float32, whatever the network is.
    kind, close = (torch.float32, 1e-4) if views else (torch.float64, 1e-9)
    results = []
    for gpu in (False, True):
        as_on_a_gpu(monkeypatch, gpu)
        shape = replace(
            SHAPE, patch=patch, embedding=embedding, dropout=0.0, attention_dropout=0.0,
            decoder=views, projection=views,
        )  # fmt: skip
        torch.manual_seed(0)
        model = SITSFormer(shape, MEAN, STD).to(kind).train()
        series = make_series(values, doy, MEAN, STD)
        chosen = settings_of(
            objective, mask=mask, decoder=views, augment=Strength(8, 0.2, 0.05, 0.01)
        )
        task = PretrainTask(InMemory(series, label), chosen)
        (batch,) = next(iter(task.batches(0, 0)))
        assert (len(batch.steps.doy) > batch.steps.layout.lengths.sum()) == gpu
        batch = replace(batch, steps=replace(batch.steps, values=batch.steps.values.to(kind)))
        sums = task.sums(model, batch)
        sum(sums.values()).backward()
        found = {name: value.detach() for name, value in sums.items()}
        found |= {k: p.grad for k, p in model.named_parameters() if p.grad is not None}
        found |= {k: b for k, b in model.named_buffers() if "running" in k}
        results.append(found)
    assert results[0].keys() == results[1].keys()
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name], rtol=close, atol=close, msg=name)


@pytest.mark.parametrize("pooling", ["max", "seasons"])
def test_a_prediction_is_the_same(pooling, monkeypatch) -> None:
    values, doy, _, _ = training_data.arrays(count=40, patch=5)
    results = []
    for gpu in (False, True):
        as_on_a_gpu(monkeypatch, gpu)
        torch.manual_seed(0)
        shape = replace(SHAPE, patch=5, embedding="conv3d", pooling=pooling)
        model = SITSFormer(shape, MEAN, STD).eval()
        steps = pack(make_series(values, doy, MEAN, STD), np.arange(40))
        with torch.no_grad():
            results.append(model.logits(steps))
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)
