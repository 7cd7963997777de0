"""`sitsformer fit`: what a baseline predicts before refinements, for itself and its controls."""

from __future__ import annotations

from pathlib import Path

import click

from sitsformer.commands import names


@click.command()
@click.option("--config", "config_path", type=Path, required=True, help="YAML config.")
@click.option("--samples", "store", type=Path, required=True, help="Sample store with crop labels.")
@click.option("--method", required=True, help="Name of the baseline, such as random_forest.")
@click.option("--shots", required=True, help="Labelled samples a class, or `all`.")
@click.option("--seeds", required=True, help="Seeds of the draws: one, or a range such as 0-4.")
@click.option("--out", type=Path, required=True, help="Folder of the fits.")
@names.checkpoint
@names.device
def fit(
    config_path: Path,
    store: Path,
    method: str,
    shots: str,
    seeds: str,
    out: Path,
    checkpoint: Path | None,
    device: str,
) -> None:
    """Fit a baseline once for itself and its controls (`sitsformer baseline --fits`).

    What it predicts for all samples is kept as it is before refinements.
    """
    from sitsformer import artefacts, fewshot
    from sitsformer.baselines import fitting
    from sitsformer.commands.baseline import decided, place, read_samples, trains
    from sitsformer.config import load
    from sitsformer.embeddings import members
    from sitsformer.fewshot.kept import Kept

    learner, config = fewshot.parse_learner(method), load(config_path)
    if learner.name in members(config.embeddings) or learner != fewshot.Learner(method):
        raise click.UsageError(
            f"--method {method}: give the name of a baseline that learns from no embeddings; a "
            "control takes the fits of its baseline"
        )
    settings, files = decided(config, method, shots, store)
    drawn = fewshot.parse_shots(shots), fewshot.parse_seeds(seeds)
    where = place(device, trains(config, method))
    samples, patches = read_samples(store)
    kept = None
    if checkpoint is not None:
        inputs = {role: artefacts.digest(path) for role, path in files.items()}
        kept = Kept(checkpoint, {**settings, "inputs": inputs, "device": where})
    with fewshot.create_fits(out, settings, files) as keep:
        for one in fitting.fits(samples, method, *drawn, config.fewshot, where, kept, patches):
            keep(one)
            click.echo(f"{method} shots {shots} seed {one.seed}: fitted", err=True)
    if kept is not None:
        kept.remove()
