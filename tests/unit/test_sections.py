"""Sections of the config and the plain dataclasses that training takes: every key arrives."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import pytest

from sitsformer.config import Augment, FewShot, Model, Optimiser, Pretrain, Tuning
from sitsformer.model import Architecture
from sitsformer.training.augment import Strength
from sitsformer.training.classification import ClassifySettings
from sitsformer.training.pretraining import PretrainSettings
from sitsformer.training.recipe import Plan

ELSEWHERE = {
    Pretrain: {
        "set",
        "overlap",
        "objectives",
        "seeds",
        "class_balanced",
        "loader",
        "recipe",
        "published",
        "models",
    },
    FewShot: {
        *(
            "set",
            "shots",
            "seeds",
            "seeds_per_job",
            "inits",
            "adaptations",
            "controls",
            "refine",
            "validation",
            "baselines",
        ),
        *("options", "steps", "passes", "learning_rates", "recipe"),
    },
}
"""Keys that are no field of a dataclass: `recipe` has a plan of its own."""


@pytest.mark.parametrize(
    ("section", "kinds"),
    [
        (Model, (Architecture,)),
        (Augment, (Strength,)),
        (Optimiser, (Plan,)),
        (Tuning, (Plan,)),
        (Pretrain, (Plan, PretrainSettings)),
        (FewShot, (ClassifySettings,)),
    ],
)
def test_every_key_is_a_field(section: Any, kinds: tuple[Any, ...]) -> None:
    known = {item.name for kind in kinds for item in fields(kind)}
    assert set(section.model_fields) - known == ELSEWHERE.get(section, set())


@pytest.mark.parametrize(
    ("section", "kind"),
    [(Model, Architecture), (Optimiser, Plan), (Tuning, Plan), (Pretrain, Plan),
     (Pretrain, PretrainSettings)],
)  # fmt: skip
def test_defaults_agree(section: Any, kind: Any) -> None:
    """But for those that say "as another key", the length of a run, and what is tried on
    pretraining alone (recorded steps)."""
    own = {item.name: item.default for item in fields(kind) if item.default is not MISSING}
    skipped = {"feedforward", "attention_dropout", "epochs", "augment", "decoder", "graphs"}
    shared = set(own) & set(section.model_fields) - skipped
    assert shared
    assert {k: section.model_fields[k].default for k in shared} == {k: own[k] for k in shared}


def test_architecture() -> None:
    model = Model(
        embedding="linear", hidden=32, layers=2, heads=4, feedforward=48, dropout=0.2,
        attention_dropout=0.0, norm="pre", pooling="mean",
    )  # fmt: skip
    assert model.architecture(bands=6, patch=3, classes=7, decoder=True) == Architecture(
        bands=6, patch=3, embedding="linear", hidden=32, layers=2, heads=4, feedforward=48,
        dropout=0.2, attention_dropout=0.0, norm="pre", pooling="mean", classes=7, decoder=True,
    )  # fmt: skip
    plain = Model(dropout=0.3).architecture(bands=10, patch=5)
    assert (plain.feedforward, plain.attention_dropout, plain.classes) == (0, 0.3, 0)


def test_plans() -> None:
    recipe = Optimiser(
        optimiser="adam", weight_decay=0.5, warmup=0.2, clip=1.0, precision="bf16",
        learning_rate=0.1, schedule="exponential", decay=0.9,
    )  # fmt: skip
    settings = Pretrain(
        set="made", epochs=7, patience=3, checkpoint_every=11, compile=True, deterministic=False,
        recipe=recipe,
    )  # fmt: skip
    assert settings.plan(5) == Plan(
        epochs=7, seed=5, optimiser="adam", learning_rate=0.1, weight_decay=0.5, warmup=0.2,
        schedule="exponential", decay=0.9, clip=1.0, precision="bf16", patience=3,
        checkpoint_every=11, compile=True, deterministic=False, graphs=True,
    )  # fmt: skip
    tuned = Tuning(schedule="constant", clip=2.0).plan(learning_rate=0.2, seed=9)
    assert tuned == Plan(schedule="constant", clip=2.0, learning_rate=0.2, seed=9)


@pytest.mark.parametrize(
    ("objective", "decoder", "wanted"),
    [
        ("sits_former", "light", True),
        ("dual_sits_former", "light", True),
        ("sl", "light", False),
        ("dual_sits_former", "none", False),
        ("dual", "none", True),
    ],
)
def test_tasks(objective: str, decoder: Any, wanted: bool) -> None:
    change = Augment(day_shift=3, drop=0.1, gain=0.2, noise=0.3)
    settings = Pretrain(
        set="made", batch_size=8, accumulate=4, mask="spans", mask_rate=0.5, decoder=decoder,
        augment=change,
    )  # fmt: skip
    assert settings.task(objective, 6) == PretrainSettings(
        weights=settings.losses(objective), batch_size=8, accumulate=4, mask="spans",
        mask_rate=0.5, seed=6, augment=Strength(3, 0.1, 0.2, 0.3), decoder=wanted,
    )  # fmt: skip
    sweep = FewShot(
        set="made", steps=5, passes=2, batch_size=4, label_smoothing=0.2, augment=change
    )
    assert sweep.task(30, 6) == ClassifySettings(
        updates=15, batch_size=4, seed=6, label_smoothing=0.2, augment=Strength(3, 0.1, 0.2, 0.3)
    )
