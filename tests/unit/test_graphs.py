"""Recorded steps: what is played is what would have been done.

A record of operations stands in for a CUDA graph. Played, it does them again on the tensors that
they were recorded on, and nothing else: as with a graph, no Python runs, and whatever was a number
of the host stays what it was.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sitsformer.errors import SitsError
from sitsformer.training import update
from sitsformer.training.graphs import Graphs, at_one_place, cuda_recorder, shape_of, tensors
from sitsformer.training.loop import fit
from sitsformer.training.recipe import Plan
from sitsformer.training.update import Updates
from training_tasks import as_on_a_gpu, network, shape_for, task


def places(value):
    return {x.untyped_storage().data_ptr() for x in tree_leaves(value) if torch.is_tensor(x)}


class Tape(TorchDispatchMode):
    """Operations as they were asked for, those of a backward pass included."""

    def __init__(self):
        super().__init__()
        self.done = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.done.append((func, args, kwargs or {}, out))
        return out

    @torch.no_grad()
    def play(self):
        for func, args, kwargs, before in self.done:
            known = places((args, kwargs))
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(before), tree_leaves(again), strict=True):
                if torch.is_tensor(old) and not places(old) & known:
                    old.copy_(new)


class TapeRecorder:
    """Records without doing, as a CUDA graph does: what the work changed is put back."""

    def __init__(self, changed):
        self.changed, self.records, self.plays = changed, 0, 0

    def __call__(self, work):
        state, tape = torch.get_rng_state(), Tape()
        held = [(x, x.detach().clone()) for x in self.changed()]
        with tape:
            work()
        with torch.no_grad():
            for x, before in held:
                x.copy_(before)
        torch.set_rng_state(state)
        self.records += 1

        def play():
            self.plays += 1
            tape.play()

        return play


def changed_by(updates):
    """All that a step changes."""

    def found():
        yield from updates.model.state_dict(keep_vars=True).values()
        yield from (p.grad for p in updates.model.parameters() if p.grad is not None)
        for moments in updates.optimiser.state.values():
            yield from moments.values()
        yield updates.pending

    return found


@pytest.fixture
def recorded(monkeypatch):
    """Train by records, at most so many; the recorder is in the list that comes back."""
    made = []

    def arrange(most):
        def graphs(updates):
            for group in updates.optimiser.param_groups:
                # As exact as the number of a step that is not recorded (CUDA takes float32).
                group["lr"] = torch.tensor(updates.rate, dtype=torch.float64)
            made.append(TapeRecorder(changed_by(updates)))
            return Graphs(made[-1], most)

        monkeypatch.setattr(update, "recorder_of", graphs)
        return made

    return arrange


def trained(objective, embedding, accumulate, unlabelled, graphs):
    shape = replace(shape_for(objective), embedding=embedding, dropout=0.1, attention_dropout=0.1)
    model = network(shape=replace(shape, patch=1 if embedding == "linear" else 5))
    chosen = task(
        objective, unlabelled=unlabelled, accumulate=accumulate, batch_size=12,
        patch=model.architecture.patch,
    )  # fmt: skip
    history = fit(model, chosen, Plan(epochs=2, graphs=graphs, warmup=0.3))
    return history, model.state_dict()


CASES = [
    ("dual", "linear", 1, 0.0),
    ("dual_sits_former", "conv3d", 1, 0.0),
    ("dual_sits_former", "linear", 2, 0.3),
    ("dual_sits_former", "linear", 1, 0.9),
]
"""The last: batches without a label, whose classifier does not move, between others."""


@pytest.mark.parametrize(("objective", "embedding", "accumulate", "unlabelled"), CASES)
def test_playing_records_trains_the_same(
    objective, embedding, accumulate, unlabelled, recorded, monkeypatch
):
    as_on_a_gpu(monkeypatch)
    history, weights = trained(objective, embedding, accumulate, unlabelled, False)
    made = recorded(24)
    again, others = trained(objective, embedding, accumulate, unlabelled, True)
    assert made[0].records < 12 and made[0].plays > made[0].records
    assert [row["step"] for row in history] == [row["step"] for row in again]
    for name, value in history[-1].items():
        assert again[-1][name] == pytest.approx(value, rel=1e-5), name
    for name, value in weights.items():
        assert torch.equal(value, others[name]), name


def test_shapes_beyond_those_recorded_are_trained_on_as_they_are(recorded, monkeypatch, caplog):
    as_on_a_gpu(monkeypatch)
    _, weights = trained("dual", "linear", 1, 0.0, False)
    made = recorded(1)
    with caplog.at_level(logging.INFO, "sitsformer"):
        _, others = trained("dual", "linear", 1, 0.0, True)
    assert made[0].records == 1
    assert [r.message for r in caplog.records if "shapes of batches" in r.message] == [
        "1 shapes of batches are recorded: batches of other shapes are trained on without a CUDA "
        "graph"
    ]
    for name, value in weights.items():
        assert torch.equal(value, others[name]), name


def test_on_a_cpu_nothing_is_recorded():
    assert Updates(network(), task("sl"), Plan(graphs=True)).graphs is None


def test_a_gpu_that_cannot_record_says_what_to_do(monkeypatch):
    def graph(*_, **__):
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 0))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    with pytest.raises(SitsError, match=r"not permitted(.|\n)*pretrain\.graphs to false"):
        cuda_recorder()(lambda: None)


@dataclass(frozen=True)
class Given:
    table: torch.Tensor
    host: np.ndarray
    counts: dict
    rows: int


def test_a_batch_is_known_by_its_shapes_and_its_terms():
    one = Given(torch.zeros(3, 2), np.zeros(3), {"a": 2.0, "b": 0.0}, 3)
    other = Given(torch.ones(3, 2), np.ones(9), {"a": 5.0, "b": 0.0}, 3)
    assert shape_of(one) == shape_of(other)
    for changed in (
        replace(one, table=torch.zeros(4, 2)), replace(one, table=torch.zeros(3, 2).double()),
        replace(one, counts={"a": 2.0, "b": 1.0}), replace(one, rows=4),
    ):  # fmt: skip
        assert shape_of(changed) != shape_of(one)
    held = at_one_place(one)
    assert held.table is not one.table and not len(held.host)
    assert [x.shape for x in tensors((held, [torch.zeros(5)]))] == [(3, 2), (5,)]
