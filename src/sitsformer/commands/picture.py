"""`sitsformer picture`: one tile at a glance."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("cube", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def picture(cube: Path, out: Path) -> None:
    """Draw a CUBE: true colour through the season, clouds, labels, NDVI.

    OUT is a PNG, JPEG or PDF file.
    """
    from sitsformer.cube import open_cube
    from sitsformer.plots import tile as tile_view

    tile_view.draw_tile(open_cube(cube), out)
