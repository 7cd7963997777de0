"""`sitsformer evaluate`: every table of the sweep from the predictions of its cells."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--config", "config_path", type=Path, required=True, help="YAML config.")
@click.option("--samples", "store", type=Path, required=True, help="Sample store of the sweep.")
@click.option("--pretrain-samples", "pretrain", type=Path, help="Sample store of pretraining.")
@click.option("--out", type=Path, required=True, help="Folder of the tables.")
@click.argument("cells", nargs=-1, required=True, type=Path)
def evaluate(
    config_path: Path, store: Path, pretrain: Path | None, out: Path, cells: tuple[Path, ...]
) -> None:
    """Score predictions (CELLS, Parquet) with intervals, and compare methods in pairs."""
    from sitsformer import fewshot
    from sitsformer.config import load
    from sitsformer.embeddings import members
    from sitsformer.evaluation import claims, seen, tables
    from sitsformer.evaluation import evaluate as stage
    from sitsformer.evaluation.differences import compare
    from sitsformer.samples import open_samples

    config = load(config_path)
    settings = config.evaluation
    shared = seen.Seen(None) if pretrain is None else seen.check_seen(config, store, pretrain)
    samples = open_samples(store)
    block = samples.block.values
    table = fewshot.read_all(cells)
    fewshot.refuse_other_samples(table, samples.label.values, store)
    scores = stage.score_cells(table, settings)
    results = stage.gather(table, scores, block, settings)
    embedded = members(config.embeddings)
    differences = compare(results, settings.level, embedded)
    found = {
        "fewshot": scores,
        "summary": stage.summarise(results, settings.level),
        "differences": differences,
        "claims": claims.decide(
            differences,
            config.fewshot.adaptations[0],
            settings.level,
            seen.sentence(config, shared),
            embedded,
        ),
        "per_class": stage.per_class(table),
        "confusion": stage.confusions(table),
        "reliability": stage.reliabilities(table, settings.bins),
        "conformal": stage.conformal(table, block, settings.miscoverage),
        "choices": stage.choices(table),
        "leakage": stage.leakage(store, pretrain),
    }
    for name in tables.ROWS:
        tables.write(found[name], out, name)
    for sentence in found["claims"].sentence:
        click.echo(sentence, err=True)
