"""`sitsformer baseline`: one method without pretraining, one number of shots, some seeds."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--config", "config_path", type=Path, required=True, help="YAML config.")
@click.option("--samples", "store", type=Path, required=True, help="Sample store with crop labels.")
@click.option("--method", required=True, help="Name of the baseline, such as random_forest.")
@click.option("--shots", required=True, help="Labelled samples a class, or `all`.")
@click.option("--seeds", required=True, help="Seeds of the draws: one, or a range such as 0-4.")
@click.option("--out", type=Path, required=True, help="Parquet file of predictions.")
def baseline(
    config_path: Path, store: Path, method: str, shots: str, seeds: str, out: Path
) -> None:
    """Fit a method without pretraining to a few labels, and predict the test samples."""
    from sitsformer import artefacts, fewshot
    from sitsformer.baselines.fitting import run
    from sitsformer.config import load
    from sitsformer.samples import load_samples

    settings = load(config_path).fewshot
    inputs = {"samples": artefacts.digest(store)}
    samples = load_samples(store)
    cells = run(samples, method, fewshot.parse_shots(shots), fewshot.parse_seeds(seeds), settings)
    sweep = {"shots", "seeds", "seeds_per_job", "inits", "adaptations", "baselines", "options"}
    made_by = {
        "config": {
            **settings.model_dump(mode="json", exclude=sweep),
            "options": settings.options.get(method, {}),
        },
        "inputs": inputs,
    }
    fewshot.write_cells(out, cells, samples.classes, made_by)
    for cell in cells:
        right = float((fewshot.predicted(cell) == cell.truth).mean())
        click.echo(f"{method} shots {shots} seed {cell.seed}: accuracy {right:.3f}", err=True)
