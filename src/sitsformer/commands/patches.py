"""`sitsformer patches`, `merge`, `trace`, `inspect`: cubes to samples, and looking at them."""

from __future__ import annotations

from pathlib import Path

import click

_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--config", "config_path", type=_PATH, required=True, help="YAML config.")
@click.argument("set_name", metavar="SET")
@click.argument("area")
@click.argument("tile")
@click.argument("cubes", type=_PATH, nargs=-1, required=True, metavar="CUBE [NEIGHBOUR]...")
@click.argument("out", type=_PATH)
def patches(
    config_path: Path, set_name: str, area: str, tile: str, cubes: tuple[Path, ...], out: Path
) -> None:
    """Cut the samples of one tile of SET out of its CUBE, into the tile store OUT.

    Where the labels are a survey, patches at the edges are cut with the cubes of NEIGHBOURs.
    """
    from sitsformer.config import load
    from sitsformer.patches import make_tile_store

    cube, *neighbours = cubes
    manifest = make_tile_store(load(config_path), set_name, area, tile, cube, out, neighbours)
    dropped = {name: sum(counts.values()) for name, counts in manifest["dropped"].items()}
    lost = ", ".join(f"{name} {number}" for name, number in dropped.items())
    click.echo(
        f"{area}/{tile}: {sum(manifest['kept'].values())} samples; dropped: {lost}", err=True
    )


@click.command()
@click.option("--config", "config_path", type=_PATH, required=True, help="YAML config.")
@click.argument("set_name", metavar="SET")
@click.argument("out", type=_PATH)
@click.argument("stores", type=_PATH, nargs=-1, required=True)
def merge(config_path: Path, set_name: str, out: Path, stores: tuple[Path, ...]) -> None:
    """Make the store OUT of SET from its tiles' STORES, and assign the splits."""
    from sitsformer.config import load
    from sitsformer.patches.merge import merge as merge_stores

    manifest = merge_stores(load(config_path), set_name, out, stores)
    parts = ", ".join(
        f"{name} {sum(counts.values())}" for name, counts in manifest["splits"].items()
    )
    click.echo(f"set {set_name}: {manifest['samples']} samples ({parts})", err=True)
    if "features" in manifest:
        from sitsformer.surveys import account

        for line in account.lines(manifest["features"], "features"):
            click.echo(f"  {line}", err=True)
        click.echo(f"  each feature: {out / account.TABLE}", err=True)


@click.command()
@click.option("--cubes", type=_PATH, help="Folder of cubes; default: the store's results/cubes.")
@click.argument("store", type=_PATH)
@click.argument("index", type=int)
def trace(store: Path, index: int, cubes: Path | None) -> None:
    """Trace sample INDEX of STORE back to the pixels of its cube, and compare."""
    from sitsformer.errors import SitsError
    from sitsformer.samples.trace import trace as trace_sample

    found = trace_sample(store, index, cubes)
    for name, value in found.sample.items():
        click.echo(f"{name}: {value}")
    click.echo(f"cube: {found.cube}, row {found.row}, column {found.column}")
    click.echo(f"dates: {' '.join(found.dates)}")
    if found.differences:
        raise SitsError(
            f"sample {index} of {store} differs from {found.cube}: {'; '.join(found.differences)}. "
            "The cube was made anew or altered: cut the samples again"
        )
    click.echo(f"equal: {len(found.dates)} steps, label and place are as in the cube")


@click.command()
@click.argument("paths", type=_PATH, nargs=-1, required=True, metavar="PATH...")
def inspect(paths: tuple[Path, ...]) -> None:
    """Describe cubes, sample stores and models: sizes, classes, splits, what was dropped."""
    from sitsformer.samples.describe import describe

    for path in paths:
        for line in describe(path):
            click.echo(line)
