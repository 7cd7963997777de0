"""`sitsformer plan`: what a run of a config will take, before it starts."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument(
    "configs", metavar="CONFIG...", type=click.Path(path_type=Path), nargs=-1, required=True
)
@click.option(
    "--earthengine",
    is_flag=True,
    help="Ask Earth Engine which images there are: dates, requests, bytes of the export.",
)
def plan(configs: tuple[Path, ...], earthengine: bool) -> None:
    """Predict jobs, minutes, memory, core-hours, disk and files of CONFIG, without a network.

    Of several files each one's keys replace those before it, as with Snakemake's --configfile.
    """
    from sitsformer.config import load_all
    from sitsformer.costs import said

    config = load_all(configs)
    asked = any(area.source == "earthengine" for area in config.areas.values())
    if earthengine and not asked:
        raise click.UsageError("--earthengine: no area of this config comes from Earth Engine")
    click.echo(said(config))
    if earthengine:
        from sitsformer.imagery.earthengine.plan import report
        from sitsformer.imagery.earthengine.session import connect

        click.echo("\nThe export, by the images that Earth Engine lists:")
        click.echo(report(config, connect(config.earthengine)))
