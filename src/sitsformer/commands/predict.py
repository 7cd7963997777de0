"""`sitsformer predict`: maps of new areas by a model alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("config_path", metavar="CONFIG", type=click.Path(path_type=Path))
@click.option(
    "--cores", type=click.IntRange(min=1), default=1, show_default=True, help="Processors to use."
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def predict(config_path: Path, cores: int, options: tuple[str, ...]) -> None:
    """Map the areas of CONFIG with the model that it names: `snakemake maps`, from any folder.

    CONFIG needs areas, `maps.model` and `maps.tiles`, and no samples. OPTIONS are Snakemake's, such
    as `--dry-run` or `--workflow-profile profiles/slurm`. What an earlier run has made is kept.
    """
    from sitsformer.config import load
    from sitsformer.errors import SitsError
    from sitsformer.workflowfiles import snakefile

    if load(config_path).maps.model is None:
        raise SitsError(
            f"{config_path} names no model in maps.model: give the folder of one, such as "
            "results/models/crop of another run, or run `snakemake`, which makes one"
        )
    words = (
        "maps", "--snakefile", snakefile(), "--cores", str(cores), "--configfile",
        str(config_path), *options,
    )  # fmt: skip
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "snakemake", *words])
