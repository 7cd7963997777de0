"""Losses and objectives: records found by themselves, and what everyone reads off them."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import phenology
from sitsformer import config, fewshot, plots, registry
from sitsformer.config import Config, Pretrain, docs
from sitsformer.errors import SitsError
from sitsformer.evaluation import claims, evaluate
from sitsformer.evaluation.differences import compare
from sitsformer.fewshot import CellTable, Learner, parse_learner
from sitsformer.plots import results, style
from sitsformer.training import objectives as package
from sitsformer.training.objectives import (
    SCRATCH,
    Comparison,
    Drawn,
    Objective,
    comparisons,
    default_objective,
    losses,
    objectives,
    starts,
    without_labels,
)
from sitsformer.training.objectives.recommended import DUAL, SSL
from training_tasks import SHAPE, mask_of, network, task

HEAD = """
from sitsformer.training.objectives.loss import Loss
from sitsformer.training.objectives.objective import BEST_BASELINE, Comparison, Objective
from sitsformer.training.objectives.reconstruct import errors, hidden_values
"""
ROBUST = """
def absolute(model, encoded):
    return errors(model, encoded).abs().sum()

LOSS = Loss(name="l1", title="reconstruction", unit="absolute error", count=hidden_values,
            total=absolute, hides=True, whole=False, head="reconstruction")
OBJECTIVE = Objective(
    name="dual_l1", title="dual (absolute)", colour="#882255", marker="v",
    losses={"l1": 2.0, "landcover": 1.0},
    compared=(Comparison("none", few="With few labels, both with L1 beat random weights",
                         every="With all labels they still do"),
              Comparison("dual"),
              Comparison(BEST_BASELINE, few="With few labels, both with L1 beat the baseline")),
)
"""

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write modules of the package of objectives: file name without ending -> text."""
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    known = set(sys.modules)

    def writer(**modules: str) -> None:
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(HEAD + text)
        importlib.invalidate_caches()
        registry.forget()

    yield writer
    for name in set(sys.modules) - known:
        if name.startswith(f"{package.__name__}."):
            del sys.modules[name]
    registry.forget()


def test_records_are_read_without_torch() -> None:
    code = (
        "import sys\n"
        "from sitsformer.training.objectives import losses, objectives\n"
        "assert objectives() and losses()\n"
        "print(sorted({'torch', 'matplotlib', 'pydantic', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_objectives_that_ship() -> None:
    known = objectives()
    assert list(starts()) == ["dual", "ssl", "sl", "dual_sits_former", "sits_former", "none"]
    made_of = {name: set(one.losses) for name, one in known.items()}
    assert made_of["dual"] == made_of["ssl"] | made_of["sl"]
    assert made_of["ssl"] == {"cross_view", "contrast"}
    assert known["sits_former"].losses == {"reconstruct": 1.0}
    assert known["dual_sits_former"].losses == {"reconstruct": 1.0, "landcover": 1.0}
    assert [one.labelled for one in known.values()] == [True, False, True, True, False]
    assert [one.hides for one in known.values()] == [True, True, False, True, True]
    assert [one.views for one in known.values()] == [True, True, False, False, False]
    assert [one.classifies for one in known.values()] == [True, False, True, True, False]
    assert (default_objective(True), default_objective(False)) == ("dual", "ssl")
    assert without_labels() == ["ssl", "sits_former"]
    assert SCRATCH.name not in known


@pytest.mark.parametrize(
    ("mask", "decoder"),
    [("steps", False), ("spans", False), ("bands", False), ("steps", True), ("spans", True)],
)
def test_losses_are_what_they_are_called(mask: str, decoder: bool) -> None:
    """Against the plain formulas, over padded arrays and sample by sample."""
    chosen = task("dual_sits_former", unlabelled=0.4, mask=mask, decoder=decoder)
    model = network(shape=replace(SHAPE, decoder=decoder)).eval()
    (batch,) = next(chosen.batches(0, 0))
    hidden, mask = batch.hidden, mask_of(batch)
    with torch.inference_mode():
        found = chosen.sums(model, batch)
        guess = model.fill(batch.steps, hidden).numpy()
        if decoder:
            encoded, layout, doy, _ = model.encode_hidden(batch.steps, hidden)
        else:
            encoded, layout = model.encode(batch.steps, hidden), batch.steps.layout
            doy = batch.steps.doy
        logits = model.classify(encoded, layout, doy).double().numpy()
    truth = batch.steps.values.numpy()[:, :, 0]
    picked = mask if mask.ndim == 2 else np.repeat(mask[:, None], truth.shape[1], 1)
    expected = ((guess - truth)[picked].astype(np.float64) ** 2).sum()
    assert float(found["reconstruct"]) == pytest.approx(expected, rel=1e-5)
    assert batch.counts["reconstruct"] == picked.sum()
    label = batch.label.numpy()
    share = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = -np.log([row[k] for row, k in zip(share, label, strict=True) if k >= 0]).sum()
    assert float(found["landcover"]) == pytest.approx(expected, rel=1e-5)
    assert batch.counts["landcover"] == (label >= 0).sum() < len(label)


def test_nothing_hidden_and_no_label_are_no_terms() -> None:
    drawn = Drawn(None, np.array([-1, -1]), 10)
    counts = {name: loss.count(drawn) for name, loss in losses().items()}
    assert counts == {"reconstruct": 0, "cross_view": 0, "contrast": 2, "landcover": 0}


GIVEN = {
    "name": "one",
    "title": "1",
    "colour": "#112233",
    "marker": "o",
    "losses": {"reconstruct": 1.0},
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "none"}, "and not 'none'"),
        ({"name": "Dual"}, "a name is a small letter"),
        ({"name": "my-own"}, "a name is a small letter"),
        ({"title": " "}, "its title is empty"),
        ({"colour": "red"}, "its colour 'red' is not '#rrggbb'"),
        ({"marker": "circle"}, "its marker 'circle' is none of"),
        ({"losses": ["ssl"]}, "`losses` is a mapping"),
        ({"losses": {"ssl": "1"}}, "`losses` is a mapping"),
        ({"compared": ("none",)}, "`compared` is a tuple"),
        ({"compared": (Comparison("none"))}, "`compared` is a tuple"),
        ({"losses": {}}, "it has no loss with a weight"),
        ({"losses": {"reconstruct": 0.0, "landcover": 0.0}}, "it has no loss with a weight"),
        ({"losses": {"reconstruct": -1.0}}, "the weight of a loss is 0 or more"),
        ({"losses": {"reconstruct": float("nan")}}, "the weight of a loss is 0 or more"),
        ({"compared": (Comparison("one"),)}, "it is compared with itself"),
        ({"compared": (Comparison("sl"), Comparison("sl"))}, "compared with 'sl' 2 times"),
    ],
)
def test_records_that_cannot_be(change: dict[str, object], message: str) -> None:
    assert Objective(**GIVEN).name == "one"
    with pytest.raises(SitsError, match=r"objective '.*': ") as caught:
        Objective(**{**GIVEN, **change})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "L1"}, "a name is a small letter"),
        ({"name": "loss"}, "'loss' is the sum of all"),
        ({"hides": False, "whole": False}, "reads hidden steps: it `hides`"),
        ({"head": "reconstruction", "hides": False, "whole": True}, "learns from hidden values"),
        ({"head": "classifier"}, "learns from labels: it is `labelled`"),
        ({"head": "decoder"}, "its head 'decoder' is none of reconstruction"),
    ],
)
def test_losses_that_cannot_be(change: dict[str, object], message: str) -> None:
    with pytest.raises(SitsError) as caught:
        replace(losses()["reconstruct"], **change)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ROBUST.replace('"landcover": 1.0', '"landcove": 1.0'),
            "unknown loss 'landcove'; known are ['contrast', ",
        ),
        (ROBUST.replace('"dual")', '"duall")'), "with an unknown start 'duall'; known are"),
        (ROBUST.replace('"dual_l1"', '"ssl"'), "two records of sitsformer.training.objectives are"),
        (ROBUST.replace("def absolute", "from torch import nothing\ndef absolute"), "cannot be"),
    ],
)
def test_a_module_that_does_not_fit_is_named(write: Write, text: str, message: str) -> None:
    write(robust=text)
    with pytest.raises(SitsError) as caught:
        objectives()
    assert message in str(caught.value)


def section(**keys: object) -> dict[str, object]:
    return {"set": "made", "objectives": ["ssl", "dual"], **keys}


def test_a_module_more_is_known_to_the_config(write: Write) -> None:
    with pytest.raises(ValueError, match="unknown objective 'dual_l1'"):
        Pretrain(set="made", objectives=("dual_l1",))
    write(robust=ROBUST)
    found = Pretrain.model_validate(section(objectives=["dual_l1"]))
    assert found.losses("dual_l1") == {"l1": 2.0, "landcover": 1.0}
    weighted = Pretrain.model_validate(
        section(objectives=["dual_l1"], weights={"dual_l1": {"landcover": 0.5}})
    )
    assert weighted.task("dual_l1", 3).weights == {"l1": 2.0, "landcover": 0.5}
    keys = Config.model_json_schema()["$defs"]["FewShot"]["properties"]
    assert keys["inits"]["items"]["enum"] == [
        *("dual", "ssl", "sl", "dual_sits_former", "sits_former", "dual_l1", "none")
    ]
    assert "`sits_former`, `dual_l1`" in docs.table()
    assert parse_learner("dual_l1-p2-full") == Learner("sitsformer", "dual_l1", "full", 2)


def test_weights_are_the_configs_where_it_gives_them() -> None:
    plain = Pretrain.model_validate(section())
    assert plain.losses("dual") == DUAL.losses
    weighted = Pretrain.model_validate(section(weights={"dual": {"contrast": 0.25}}))
    assert weighted.losses("dual") == {**DUAL.losses, "contrast": 0.25}
    assert weighted.losses("ssl") == SSL.losses
    assert list(weighted.losses("dual")) == list(DUAL.losses)  # columns of the history keep places


def test_a_module_more_is_compared_claimed_and_drawn(write: Write) -> None:
    write(robust=ROBUST)
    samples = phenology.make(400)
    made = phenology.cells(samples, {"none": 0.2, "dual": 0.8, "random_forest": 0.2})
    for cell in phenology.cells(samples, {"dual": 1.6}):
        made.append(replace(cell, learner=Learner("sitsformer", "dual_l1", "full", 0)))
    table = CellTable(tuple(made), samples.classes)
    settings = config.Evaluation(bootstrap=100)
    scores = evaluate.score_cells(table, settings)
    found = evaluate.gather(table, scores, samples.block, settings)
    differences = compare(found, 0.95)
    names = list(dict.fromkeys(differences.comparison))
    assert names == [
        *("dual - none", "dual_l1 - none", "dual_l1 - dual"),
        *(f"{name} - best baseline" for name in ("dual", "dual_l1", "none")),
    ]
    said = claims.decide(differences, "full", 0.95)
    mine = said[said.comparison.str.startswith("dual_l1")]
    assert mine.sentence.iloc[0].startswith(
        "Supported: with few labels, both with L1 beat random weights; difference in macro"
    )
    assert [(row.comparison, row.shots) for row in mine.itertuples()] == [
        *(("dual_l1 - none", "few"), ("dual_l1 - best baseline", "few"), ("dual_l1 - none", "all"))
    ]
    of_all = [shots == "all" for shots in said.shots]
    assert of_all == sorted(of_all)

    summary = evaluate.summarise(found, 0.95)
    look = style.look("dual_l1-full")
    assert (look.colour, look.marker, look.label) == ("#882255", "v", "dual (absolute)")
    drawn = results.label_efficiency(summary)
    left, right = (
        [text.get_text() for text in axes.get_legend().get_texts()] for axes in drawn.axes
    )
    assert left == ["dual", "dual (absolute)", "none (random weights)"]
    assert right[0] == "dual"
    assert results.chosen_arms(summary, "5") == [
        *("none-full", "dual_l1-full", "dual-full", "random_forest")
    ]


def test_figures_of_reconstruction_need_who_reconstructs(write: Write) -> None:
    write(robust=ROBUST)
    values = {
        "sets": {"made": {"store": "x.zarr"}},
        "pretrain": {"set": "made", "objectives": ["sl"]},
        "fewshot": {"set": "made", "inits": ["none"]},
    }
    assert "reconstruction" not in plots.names(config.parse(values))
    values["pretrain"]["objectives"] = ["dual_l1"]
    assert "reconstruction" in plots.names(config.parse(values))


def test_results_of_an_objective_that_is_gone_are_still_drawn() -> None:
    samples = phenology.make(300)
    made = [
        replace(cell, learner=Learner("sitsformer", "gone", "full", 0))
        for cell in phenology.cells(samples, {"dual": 1.0})
    ] + phenology.cells(samples, {"none": 0.2, "random_forest": 0.2})
    table = CellTable(tuple(made), samples.classes)
    settings = config.Evaluation(bootstrap=20)
    scores = evaluate.score_cells(table, settings)
    found = evaluate.gather(table, scores, samples.block, settings)
    assert "gone" not in " ".join(compare(found, 0.95).comparison)
    assert results.label_efficiency(evaluate.summarise(found, 0.95)).axes


def test_claims_stand_in_the_order_they_are_read() -> None:
    found = claims.claims()
    assert [claim[:2] for claim in found] == [
        ("dual - none", "few"),
        ("dual - ssl", "few"),
        ("dual - sl", "few"),
        ("ssl - none", "few"),
        ("dual - best baseline", "few"),
        ("dual - best control", "few"),
        ("ssl - best baseline", "few"),
        ("dual - none", "all"),
    ]
    pairs = [(one, other.other) for one, other in comparisons()]
    assert set(pairs) == {
        *(("dual", other) for other in ("none", "ssl", "sl", "best baseline", "best control")),
        *(("ssl", other) for other in ("none", "best baseline")),
        *((one, "none") for one in ("sl", "sits_former", "dual_sits_former")),
    }
    assert all(fewshot.NETWORK not in claim[2] for claim in found)
    orders = [one.order for one in objectives().values()]
    assert all(first < second for first, second in pairwise(orders))
