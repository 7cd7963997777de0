"""`sitsformer cube`: export one tile of one area."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), required=True, help="YAML config."
)
@click.option(
    "--requests",
    type=click.IntRange(min=0),
    default=0,
    help="Requests under way at once, of an Earth Engine area; 0: earthengine.concurrent.",
)
@click.argument("area")
@click.argument("tile")
@click.argument("out", type=click.Path(path_type=Path))
def cube(config_path: Path, requests: int, area: str, tile: str, out: Path) -> None:
    """Export the cube of one tile: reflectance, clear-sky score, labels.

    AREA is a name of the config, TILE a name as `sitsformer config tiles` lists them, OUT the Zarr
    store to write.
    """
    from sitsformer import export
    from sitsformer.config import load

    export.export(export.sharing(load(config_path), requests), area, tile, out)
