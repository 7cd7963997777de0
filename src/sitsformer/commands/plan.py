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
    help="Ask Earth Engine which images and embeddings there are: dates, requests, bytes.",
)
@click.option("--stac", is_flag=True, help="Ask the catalogues which items there are.")
def plan(configs: tuple[Path, ...], earthengine: bool, stac: bool) -> None:
    """Predict jobs, minutes, memory, core-hours, disk and files of CONFIG, without a network.

    Of several files each one's keys replace those before it, as with Snakemake's --configfile.
    """
    from sitsformer.config import load_all
    from sitsformer.costs import said
    from sitsformer.paths import Paths

    config = load_all(configs)
    asked = {area.source for area in config.areas.values()}
    embedded = {
        (layer, area): over
        for (layer, area), over in Paths(config).embedding_tiles().items()
        if over and not config.embeddings[layer].rasters
    }
    if earthengine and "earthengine" not in asked and not embedded:
        raise click.UsageError(
            "--earthengine: no area and no embeddings of this config come from Earth Engine"
        )
    if stac and "stac" not in asked:
        raise click.UsageError("--stac: no area of this config comes from a STAC catalogue")
    click.echo(said(config))
    if stac:
        from sitsformer.imagery.stac.doctor import report as of_catalogues

        click.echo("\nThe export, by the items that catalogues list:")
        click.echo(of_catalogues(config))
    if earthengine:
        from sitsformer.imagery.earthengine.plan import report
        from sitsformer.imagery.earthengine.session import connect

        click.echo("\nThe export, by what Earth Engine lists:")
        click.echo(report(config, connect(config.earthengine), embedded))
