"""`sitsformer plan`: what a run of a config will take, before it starts."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("config_path", metavar="CONFIG", type=click.Path(path_type=Path))
@click.option(
    "--earthengine",
    is_flag=True,
    help="Ask Earth Engine which images there are: dates, requests, bytes of the export.",
)
def plan(config_path: Path, earthengine: bool) -> None:
    """Predict jobs, minutes, memory, core-hours, disk and files of CONFIG, without a network."""
    from sitsformer.config import load
    from sitsformer.costs import said

    config = load(config_path)
    asked = any(area.source == "earthengine" for area in config.areas.values())
    if earthengine and not asked:
        raise click.UsageError("--earthengine: no area of this config comes from Earth Engine")
    click.echo(said(config))
    if earthengine:
        from sitsformer.imagery.earthengine.plan import report
        from sitsformer.imagery.earthengine.session import connect

        click.echo("\nThe export, by the images that Earth Engine lists:")
        click.echo(report(config, connect(config.earthengine)))
