"""Tables of the sweep: against scikit-learn, and against what is known of made predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

import phenology
from sitsformer import artefacts, fewshot
from sitsformer.baselines import by_default
from sitsformer.commands.evaluate import evaluate as command
from sitsformer.config import ConfigError, Evaluation, parse
from sitsformer.errors import SitsError
from sitsformer.evaluation import claims, differences, evaluate, tables
from sitsformer.evaluation.evaluate import Arm
from sitsformer.samples import Samples

SETTINGS = Evaluation(bootstrap=200)
VALUES = {
    "sets": {"crops": {"store": "crops.zarr"}},
    "pretrain": {"set": "crops"},
    "fewshot": {"set": "crops"},
    "evaluation": {"bootstrap": 200},
}


def table_of(cells: Sequence[fewshot.Cell], samples: Samples) -> fewshot.CellTable:
    return fewshot.CellTable(tuple(cells), samples.classes)


def compared(skill: dict[str, float], runs: int = 3) -> pd.DataFrame:
    samples = phenology.make(1200, blocks=80)
    table = table_of(phenology.cells(samples, skill, runs=runs), samples)
    scores = evaluate.score_cells(table, SETTINGS)
    results = evaluate.gather(table, scores, samples.block, SETTINGS)
    return differences.compare(results, 0.95)


def test_the_command_writes_what_scikit_learn_finds_in_the_stored_predictions(
    tmp_path: Path,
) -> None:
    samples = phenology.make(500)
    store = phenology.write(tmp_path / "crops.zarr", samples)
    paths = phenology.write_cells(tmp_path / "cells", samples, phenology.cells(samples))
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(VALUES))
    out = tmp_path / "tables"
    options = ["--config", config, "--samples", store, "--pretrain-samples", store, "--out", out]
    done = CliRunner().invoke(command, [str(item) for item in [*options, *paths]])
    assert done.exit_code == 0, done.output
    written = [path.name for path in out.iterdir() if path.name != artefacts.LEDGER]
    assert sorted(written) == sorted(tables.NAMES)
    scores = pd.read_csv(out / "fewshot.csv", dtype={"shots": str})
    assert [*scores.columns[:7]] == [
        *("method", "init", "shots", "seed", "overall_accuracy", "kappa", "macro_f1")
    ]
    assert len(scores) == 5 * 3 * 5
    for path in paths:
        stored = pd.read_parquet(path)
        for seed, rows in stored.groupby("seed"):
            guess = rows[[f"p_{k}" for k in range(4)]].to_numpy().argmax(1)
            (row,) = scores[
                (scores.learner == rows.learner.iloc[0])
                & (scores.shots == rows.shots.iloc[0])
                & (scores.seed == seed)
            ].to_dict("records")
            assert row["macro_f1"] == pytest.approx(
                f1_score(rows.truth, guess, average="macro"), abs=1e-6
            )
            assert row["overall_accuracy"] == pytest.approx(
                accuracy_score(rows.truth, guess), abs=1e-6
            )
            assert row["kappa"] == pytest.approx(cohen_kappa_score(rows.truth, guess), abs=1e-6)
    for name in tables.ROWS:
        from_csv = pd.read_csv(out / f"{name}.csv", dtype={"shots": str}, keep_default_na=False)
        assert list(tables.read(out, name).columns) == list(from_csv.columns)
    sentences = tables.read(out, "claims").sentence
    assert any("Supported: with few labels, pretraining" in text for text in sentences)
    assert all("one pretraining run" in text for text in sentences)


def test_a_real_gain_is_better_and_its_mirror_is_worse() -> None:
    found = compared({"none": 0.2, "dual": 1.2, "random_forest": 2.0})
    few = found[(found.shots == "few") & (found.score == "macro_f1")].set_index("comparison")
    assert few.verdict["dual - none"] == "better"
    assert few.verdict["dual - best baseline"] == "worse"
    words = claims.decide(found, "full", 0.95).set_index("comparison").verdict
    assert words["dual - none"].tolist() == ["supported", "supported"]
    assert words["dual - best baseline"] == "refuted"


def test_equal_skill_is_rarely_called_a_difference() -> None:
    found = compared({"none": 0.8, "ssl": 0.8, "sl": 0.8, "dual": 0.8, "random_forest": 0.8})
    part = found[found.score == "macro_f1"]
    assert (part.verdict == "undecided").mean() > 0.8


def test_few_is_the_mean_over_numbers_of_shots() -> None:
    samples = phenology.make(400)
    table = table_of(phenology.cells(samples, shots=(1, 5, 10, "all")), samples)
    scores = evaluate.score_cells(table, SETTINGS)
    results = evaluate.gather(table, scores, samples.block, SETTINGS)
    summary = evaluate.summarise(results, 0.95)
    part = scores[(scores.init == "dual") & (scores.shots != "all")]
    (row,) = summary[
        (summary.arm == "dual-full") & (summary.shots == "few") & (summary.score == "macro_f1")
    ].to_dict("records")
    assert row["mean"] == pytest.approx(part.macro_f1.mean())
    assert row["low_blocks"] < row["mean"] < row["high_blocks"]
    assert list(results[Arm("sitsformer", "dual", "full")]) == ["1", "5", "10", "all", "few"]


def test_few_is_over_the_same_shots_for_all() -> None:
    samples = phenology.make(400)
    more = phenology.cells(samples, {"none": 0.2}, shots=(1, 5, 10))
    table = table_of([*more, *phenology.cells(samples, {"dual": 0.8}, shots=(1, 5))], samples)
    scores = evaluate.score_cells(table, SETTINGS)
    results = evaluate.gather(table, scores, samples.block, SETTINGS)
    none = results[Arm("sitsformer", "none", "full")]
    expected = (none["1"].scores["macro_f1"] + none["5"].scores["macro_f1"]) / 2
    np.testing.assert_allclose(none["few"].scores["macro_f1"], expected)


def test_differences_are_paired() -> None:
    # The same predictions twice: no difference, and no interval around it.
    samples = phenology.make(400)
    cells = phenology.cells(samples, {"dual": 0.8})
    twins = [
        fewshot.Cell(
            fewshot.Learner("sitsformer", "none", "full"), c.shots, c.seed, c.sample, c.truth,
            c.probabilities,
        )
        for c in cells
    ]  # fmt: skip
    table = table_of([*cells, *twins], samples)
    scores = evaluate.score_cells(table, SETTINGS)
    results = evaluate.gather(table, scores, samples.block, SETTINGS)
    found = differences.compare(results, 0.95)
    columns = ["mean", "low_seeds", "high_seeds", "low_blocks", "high_blocks"]
    assert np.abs(found[columns].to_numpy()).max() < 1e-12
    assert set(found.verdict) == {"undecided"}


def test_a_missing_seed_is_named() -> None:
    samples = phenology.make(400)
    cells = phenology.cells(samples, {"dual": 0.8}, runs=2)[:-1]
    table = table_of(cells, samples)
    with pytest.raises(SitsError, match="dual-full with all shots lacks some seeds"):
        evaluate.gather(table, evaluate.score_cells(table, SETTINGS), samples.block, SETTINGS)


def test_what_pretraining_has_seen_of_the_test_stands_beside_every_claim() -> None:
    found = compared({"none": 0.2, "ssl": 0.4, "dual": 1.2, "random_forest": 2.0})
    seen = "Pretraining has seen the reflectances of the ground of 7 test samples."
    plain, said = (claims.decide(found, "full", 0.95, text).sentence for text in ("", seen))
    assert len(said) > 3
    assert said.tolist() == [f"{sentence} {seen}" for sentence in plain]


def test_claims_call_rivals_as_tables_do() -> None:
    found = compared({"none": 0.2, "dual": 1.2, "temporal_cnn": 2.0}, runs=2)
    titles = {
        "temporal_cnn": "temporal CNN",
        "temporal_cnn+dual": "temporal CNN with dual's land cover",
        "my_own": "my own",
    }
    for rival, title in titles.items():
        named = found.assign(second=found.second.replace("temporal_cnn", rival))
        said = claims.decide(named, "full", 0.95).sentence.tolist()
        assert any(f"beats the best baseline ({title}); " in sentence for sentence in said)


def test_one_learner_alone_makes_no_claim() -> None:
    found = compared({"none": 0.8})
    assert found.empty
    assert claims.decide(found, "full", 0.95).empty


def test_few_blocks_decide_nothing() -> None:
    samples = phenology.make(600, blocks=12)
    table = table_of(phenology.cells(samples, {"none": 0.2, "dual": 1.2}), samples)
    assert len(np.unique(samples.block[samples.split == 2])) == 3
    scores = evaluate.score_cells(table, SETTINGS)
    results = evaluate.gather(table, scores, samples.block, SETTINGS)
    found = differences.compare(results, 0.95)
    assert found.low_blocks.isna().all()
    assert set(found.verdict) == {"undecided"}
    sentences = claims.decide(found, "full", 0.95).sentence
    assert all("unknown (too few) over test blocks" in text for text in sentences)


def test_confusion_and_conformal_tables_add_up() -> None:
    samples = phenology.make(600)
    table = table_of(phenology.cells(samples), samples)
    long = evaluate.confusions(table)
    tests = int((samples.split == 2).sum())
    assert (long.groupby(["arm", "shots"])["count"].sum() == 5 * tests).all()
    sets = evaluate.conformal(table, samples.block, 0.1)
    assert sets.coverage.mean() == pytest.approx(0.9, abs=0.04)
    curve = evaluate.reliabilities(table, 10)
    assert (curve.groupby(["arm", "shots"])["count"].sum() == 5 * tests).all()


def test_leakage_says_what_is_shared(tmp_path: Path) -> None:
    samples = phenology.make(300)
    store = phenology.write(tmp_path / "a.zarr", samples)
    facts = evaluate.leakage(store, store).set_index(["first", "second"])
    assert facts.shared_blocks["train", "test"] == 0
    assert facts.shared_years["pretraining", "test"] == "2021"
    assert facts.same_label["pretraining", "test"]
    assert facts.nearest_metres["train", "test"] > 0
    samples.split[:] = np.arange(300) % 3
    mixed = phenology.write(tmp_path / "b.zarr", samples)
    facts = evaluate.leakage(mixed, None).set_index(["first", "second"])
    assert facts.shared_blocks["train", "test"] > 0


def test_leakage_of_a_converted_table(tmp_path: Path) -> None:
    from sitsformer.convert.table import table

    rng = np.random.default_rng(0)
    made = {
        "x": rng.integers(500, 3000, (60, 8, 10)).astype(np.uint16),
        "label": rng.integers(0, 2, 60),
        "label_names": np.array(["rice", "grapes"]),
        "lon": -121 + rng.random(60) * 3,
        "lat": 37 + rng.random(60) * 3,
        "dates": np.array([f"2021-0{month}-11" for month in range(1, 9)]),
    }
    np.savez(tmp_path / "made.npz", **made)
    table(tmp_path / "made.npz", tmp_path / "made.zarr", fractions=(0.5, 0.2, 0.3))
    facts = evaluate.leakage(tmp_path / "made.zarr", tmp_path / "made.zarr")
    assert facts.nearest_metres.notna().all()
    between = facts.set_index(["first", "second"]).shared_blocks
    assert between["train", "test"] == 0
    assert between["pretraining", "test"] == 0


def test_tables_of_earlier_versions_are_read(tmp_path: Path) -> None:
    pd.DataFrame({"way": ["full"], "mean": [0.5]}).to_parquet(tmp_path / "summary.parquet")
    assert list(tables.read(tmp_path, "summary").columns) == ["adaptation", "mean"]


def test_config_knows_the_baselines() -> None:
    config = parse({**VALUES, "fewshot": {"set": "crops"}})
    assert config.fewshot.baselines == by_default()
    with pytest.raises(ConfigError, match=r"fewshot\.baselines: unknown baseline 'forest'"):
        parse({**VALUES, "fewshot": {"set": "crops", "baselines": ["forest"]}})
