"""What bears a publication's name is the published one: recipes against loops written plainly."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from torch.nn.utils import clip_grad_norm_
from torch.optim import Adam
from torch.optim.lr_scheduler import ExponentialLR

import training_data
from sitsformer import config
from sitsformer.fewshot.adaptations.sits_former import task_settings
from sitsformer.model.prediction import probabilities
from sitsformer.model.steps import Change, make_series, pack, positions
from sitsformer.training.augment import Strength, draw_changes
from sitsformer.training.classification import ClassifyTask, macro_f1
from sitsformer.training.loop import fit
from sitsformer.training.objectives.published import FINETUNING, KEPT
from sitsformer.training.recipe import Plan
from training_tasks import MEAN, SHAPE, STD, network, task

SECTION = config.Pretrain(
    set="made",
    objectives=("dual", "sits_former", "dual_sits_former"),
    epochs=13,
    recipe=config.Optimiser(learning_rate=7e-3),
)
PLAIN = replace(SHAPE, dropout=0.0, attention_dropout=0.0)


def learned(model):
    """All weights but the biases of keys, which attention does not depend on: their gradients are
    rounding errors, which Adam makes steps of."""
    parts = []
    for name, weight in model.named_parameters():
        part = weight.detach().clone()
        if name.endswith("in_proj_bias"):
            part[len(part) // 3 : 2 * len(part) // 3] = 0
        parts.append(part.flatten())
    return torch.cat(parts)


def test_an_objective_with_a_publications_name_brings_its_recipe():
    for name in ("sits_former", "dual_sits_former"):
        own = SECTION.of(name)
        assert (own.recipe.optimiser, own.recipe.learning_rate) == ("adam", 1e-3)
        assert own.task(name, 0).augment == Strength(turn=True)
        assert own.of(name) == own
    assert SECTION.of("dual") is SECTION
    shared = SECTION.model_copy(update={"published": False})
    assert shared.of("sits_former").recipe.learning_rate == 7e-3


@pytest.mark.parametrize("objective", ["sits_former", "dual_sits_former"])
def test_pretraining_is_the_loop_of_the_original_code(objective):
    """Its trainer written plainly: 13 epochs, of which the last two are at lower rates."""
    chosen, plan = task(objective, validation=False), SECTION.of(objective).plan(0)
    model = network(shape=PLAIN)
    history = fit(model, chosen, plan)

    plain = network(shape=PLAIN)
    optimiser = Adam(plain.parameters(), lr=1e-3)
    schedule = ExponentialLR(optimiser, gamma=0.99)
    rates = []
    for epoch in range(13):
        for (batch,) in chosen.batches(epoch, 0):
            sums = chosen.sums(plain.train(), batch)
            optimiser.zero_grad()
            sum(sums[name] / batch.counts[name] for name in sums).backward()
            clip_grad_norm_(plain.parameters(), 5.0)
            optimiser.step()
        rates.append(optimiser.param_groups[0]["lr"])
        if epoch >= 10:
            schedule.step()
    assert rates[:11] == [1e-3] * 11
    assert [row["learning_rate"] for row in history] == pytest.approx(rates, rel=1e-12)
    assert rates[12] == pytest.approx(1e-3 * 0.99**2)
    torch.testing.assert_close(learned(model), learned(plain), rtol=1e-4, atol=1e-6)


def test_fine_tuning_is_the_loop_of_the_original_code():
    """Adam with L2 on all weights, no clipping, the latest epoch of the best macro F1."""
    values, doy, label, split = training_data.arrays()
    label[::4] = np.roll(label[::4], 1)  # so that no epoch is perfect
    series = make_series(values, doy, MEAN, STD)
    train, held = (np.flatnonzero(split == k) for k in (0, 1))
    chosen = ClassifyTask(series, label, train, task_settings(3, batch_size=50), held)
    model = network(shape=PLAIN)
    history = fit(model, chosen, Plan(epochs=12, seed=3, keep=KEPT, **FINETUNING))

    plain = network(shape=PLAIN)
    optimiser = Adam(plain.parameters(), lr=2e-4, weight_decay=1e-4)
    best, kept, found = -1.0, None, []
    for epoch in range(12):
        for (batch,) in chosen.batches(epoch, 0):
            optimiser.zero_grad()
            logits = plain.train().logits(batch.steps)
            torch.nn.functional.cross_entropy(logits, batch.label).backward()
            optimiser.step()
        guess = probabilities(plain.eval(), series, held, 1024).argmax(1)
        found.append(f1_score(label[held], guess, average="macro", labels=range(3)))
        if found[-1] >= best:
            best, kept = found[-1], learned(plain)
    assert [row["validation_macro_f1"] for row in history] == pytest.approx(found)
    assert len(set(found)) > 2  # the epochs differ, so that a choice is made
    torch.testing.assert_close(learned(model), kept, rtol=1e-4, atol=1e-6)


def test_batches_of_fine_tuning_are_all_samples_once():
    values, doy, label, split = training_data.arrays()
    series, train = make_series(values, doy, MEAN, STD), np.flatnonzero(split == 0)
    chosen = ClassifyTask(series, label, train, task_settings(0, batch_size=50))
    sizes = [len(batch.label) for (batch,) in chosen.batches(0, 0)]
    assert sizes == [50] * (len(train) // 50) + [len(train) % 50]
    seen = torch.cat([batch.label for (batch,) in chosen.batches(1, 0)])
    assert np.array_equal(np.bincount(seen), np.bincount(label[train]))


@pytest.mark.parametrize("side", [1, 2, 3, 5])
def test_patches_are_flipped_and_rotated_as_wholes(side):
    """Each of the eight positions, all dates and bands alike, against numpy's flips and turns."""
    values = np.random.default_rng(0).integers(0, 9999, (8, 4, 10, side, side), np.uint16)
    doy = np.tile(np.arange(4) * 30 + 1, (8, 1))
    series = make_series(values, doy, np.zeros(10), np.ones(10))
    nothing = np.ones((8, 4), bool), np.zeros(8, np.int64), np.ones((8, 10), np.float32)
    change = Change(*nothing, np.zeros((8, 10), np.float32), np.arange(8))
    found = pack(series, np.arange(8), change).values.numpy().reshape(8, 4, 10, side, side)
    seen = set()
    for sample, patches in enumerate(values):
        ways = [
            np.rot90(np.flip(patches, axes), turns, (2, 3))
            for axes in ((), (2,), (3,), (2, 3))
            for turns in range(4)
        ]
        match = [k for k, way in enumerate(ways) if np.allclose(found[sample], way / 10_000)]
        assert match
        seen.add(match[0])
    assert len(seen) == (8 if side > 1 else 1)
    assert len(np.unique(positions(side), axis=0)) == (8 if side > 1 else 1)


def test_positions_are_drawn_alike_and_nothing_else_is_changed():
    lengths = np.full(8000, 3)
    change = draw_changes(lengths, 3, 10, Strength(turn=True), np.random.default_rng(0))
    assert np.bincount(change.turn) / 1000 == pytest.approx(np.ones(8), abs=0.15)
    assert change.keep.all() and not change.shift.any() and not change.offset.any()
    assert (change.gain == 1).all()
    part = change.of(np.array([5, 2]))
    assert np.array_equal(part.turn, change.turn[[5, 2]])


def test_macro_f1_is_the_librarys():
    rng = np.random.default_rng(0)
    for classes in (2, 3, 7):
        truth, found = rng.integers(0, classes - 1, (2, 40))
        wanted = f1_score(truth, found, average="macro", labels=range(classes), zero_division=0)
        assert macro_f1(truth, found, classes) == pytest.approx(wanted)


def test_l2_is_of_adam_alone():
    with pytest.raises(ValueError, match=r"l2 0.1 is of optimiser: adam, and it is adamw"):
        config.Optimiser(l2=0.1)
