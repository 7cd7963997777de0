"""`sitsformer embeddings`: yearly embeddings of others, over a tile and at the samples of a set."""

from __future__ import annotations

from pathlib import Path

import click

_PATH = click.Path(path_type=Path)


@click.group()
def embeddings() -> None:
    """Take yearly embeddings of others (Satellite Embedding, rasters of yours)."""


@embeddings.command()
@click.option("--config", "config_path", type=_PATH, required=True, help="YAML config.")
@click.option(
    "--requests",
    type=click.IntRange(min=0),
    default=0,
    help="Requests under way at once, to Earth Engine; 0: earthengine.concurrent.",
)
@click.argument("layer")
@click.argument("area")
@click.argument("tile")
@click.argument("out", type=_PATH)
def tile(config_path: Path, requests: int, layer: str, area: str, tile: str, out: Path) -> None:
    """Take LAYER over one TILE of AREA, into the store OUT."""
    from sitsformer.config import load
    from sitsformer.embedded.tiles import make_tile
    from sitsformer.export import sharing

    make_tile(sharing(load(config_path), requests), layer, area, tile, out)


@embeddings.command()
@click.option("--samples", "store", type=_PATH, required=True, help="Sample store of the set.")
@click.argument("layer")
@click.argument("out", type=_PATH)
@click.argument("tiles", type=_PATH, nargs=-1, required=True)
def samples(store: Path, layer: str, out: Path, tiles: tuple[Path, ...]) -> None:
    """Take LAYER at the pixels of all samples of a set out of its TILES, into the store OUT."""
    from sitsformer.embedded.rows import gather

    without = gather(layer, store, tiles, out)
    click.echo(f"{layer}: {without} samples without an embedding", err=True)
