"""Rows of tables: the ways of a GPU give what plain indexing gives, gradients included."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import training_data
from sitsformer.model import SITSFormer, rows
from sitsformer.model.rows import Rows, beside, choose, spread, take
from sitsformer.model.steps import make_series
from sitsformer.training.augment import Strength
from sitsformer.training.pretraining import InMemory, PretrainTask
from training_tasks import MEAN, SHAPE, STD, settings_of

CHOSEN = np.array([True, False, True, True, False, False, True])


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """Take the branches of a GPU; plain ones again where it is called with False."""

    def choose_branch(gpu: bool) -> None:
        monkeypatch.setattr(rows, "plain", lambda device: not gpu)

    return choose_branch


def both() -> tuple[Rows, Rows]:
    found = choose(CHOSEN, "cpu")
    places = torch.tensor([0, 4, 1, 2, 4, 4, 3])
    return found, replace(found, back=places)


def same(work, *tables: torch.Tensor) -> None:
    """Values and gradients of `work(rows, *tables)`, plain and as on a GPU."""
    results = []
    for chosen in both():
        inputs = [table.clone().requires_grad_() for table in tables]
        found = work(chosen, *inputs)
        weight = torch.arange(found.numel(), dtype=found.dtype).view_as(found).sin()
        (found * weight).sum().backward()
        results.append([found.detach(), *(table.grad for table in inputs)])
    for plain, other in zip(*results, strict=True):
        torch.testing.assert_close(plain, other, rtol=0, atol=1e-12)


def table(count: int) -> torch.Tensor:
    return torch.randn(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("more", [0, 5])
def test_taken_rows(more) -> None:
    same(lambda chosen, x: take(x, chosen), table(len(CHOSEN) + more))


def test_rows_put_back() -> None:
    same(lambda chosen, x: spread(x, chosen, 0.0), table(4))
    found = spread(table(4), both()[1], -np.inf)
    assert torch.isinf(found[~torch.from_numpy(CHOSEN)]).all()
    torch.testing.assert_close(found[torch.from_numpy(CHOSEN)], table(4))


def test_rows_beside_one_that_learns() -> None:
    same(lambda chosen, x, token: beside(x, chosen, token), table(4), table(1)[0])


def test_choose_knows_the_places(as_on_a_gpu) -> None:
    as_on_a_gpu(True)
    found = choose(CHOSEN, "cpu")
    assert found.back is not None
    assert found.back.tolist() == [0, 4, 1, 2, 4, 4, 3]
    assert len(rows.fill(table(5))) == rows.FILL
    assert not rows.fill(table(5))[5:].any()


@pytest.mark.parametrize("objective", ["sits_former", "dual_sits_former", "dual"])
@pytest.mark.parametrize(("embedding", "patch"), [("conv3d", 5), ("linear", 1)])
def test_a_step_of_pretraining_is_the_same(objective, embedding, patch, as_on_a_gpu) -> None:
    """Without dropout: its numbers depend on how many rows there are."""
    views = objective == "dual"
    values, doy, label, _ = training_data.arrays(patch=patch)
    # Contrast is computed in float32, whatever the network is.
    kind, close = (torch.float32, 1e-4) if views else (torch.float64, 1e-9)
    results = []
    for gpu in (False, True):
        as_on_a_gpu(gpu)
        shape = replace(
            SHAPE, patch=patch, embedding=embedding, dropout=0.0, attention_dropout=0.0,
            decoder=views, projection=views,
        )  # fmt: skip
        torch.manual_seed(0)
        model = SITSFormer(shape, MEAN, STD).to(kind).train()
        series = make_series(values, doy, MEAN, STD)
        settings = settings_of(objective, decoder=views, augment=Strength(8, 0.2, 0.05, 0.01))
        (batch,) = next(iter(PretrainTask(InMemory(series, label), settings).batches(0, 0)))
        batch = replace(batch, steps=replace(batch.steps, values=batch.steps.values.to(kind)))
        task = PretrainTask(InMemory(series, label), settings)
        sums = task.sums(model, batch)
        sum(sums.values()).backward()
        found = {name: value.detach() for name, value in sums.items()}
        found |= {k: p.grad for k, p in model.named_parameters() if p.grad is not None}
        found |= {k: b for k, b in model.named_buffers() if "running" in k}
        results.append(found)
    assert results[0].keys() == results[1].keys()
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name], rtol=close, atol=close, msg=name)
