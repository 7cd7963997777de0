"""`sitsformer config`: check a config, list its tiles, write the schema and the table of keys."""

from __future__ import annotations

from pathlib import Path

import click

_CONFIG = click.argument("path", type=click.Path(path_type=Path))


@click.group()
def config() -> None:
    """Check a config, list its tiles, write schema and docs."""


@config.command()
@_CONFIG
def check(path: Path) -> None:
    """Say whether a config can be used, and what it asks for."""
    from sitsformer.checks.foresight import notes, season_problems
    from sitsformer.checks.problems import problems
    from sitsformer.config import ConfigError, load
    from sitsformer.evaluation.seen import store_problems
    from sitsformer.paths import Paths
    from sitsformer.sources import source_of

    loaded = load(path)
    found = (
        problems(loaded)
        or season_problems(loaded)
        or store_problems(loaded)
        or [
            line
            for name, area in loaded.areas.items()
            for line in source_of(area).problems(name, area)
        ]
    )
    if found:
        raise ConfigError("\n  ".join([f"{path} cannot be used:", *found]))
    for note in notes(loaded):
        click.echo(f"note: {note}", err=True)
    layout = Paths(loaded)
    counted = {
        "area": loaded.areas,
        "cube": layout.cubes(),
        "set": loaded.sets,
        "pretraining": layout.pretrained(),
        "job of the few-shot sweep": layout.cells(),
        "map": layout.maps("classes"),
    }
    click.echo(f"{path}: {', '.join(_counted(len(all_), one) for one, all_ in counted.items())}")


def _counted(number: int, one: str) -> str:
    """`1 map`, `2 jobs of the sweep`."""
    first, *rest = one.split(" ")
    return " ".join([str(number), first + "s" * (number != 1), *rest])


@config.command()
@_CONFIG
def tiles(path: Path) -> None:
    """List the tiles of every area: name, west, south, east, north in metres of UTM."""
    from sitsformer.config import load
    from sitsformer.paths import Paths

    loaded = load(path)
    layout = Paths(loaded)
    for area in loaded.areas:
        for tile in layout.tiles(area):
            click.echo("\t".join([area, tile.name, *map(str, tile.bounds)]))


@config.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("config"),
    help="Where they are written.",
)
def docs(folder: Path) -> None:
    """Write FOLDER/schema.json and FOLDER/README.md from the definitions of the keys."""
    from sitsformer.artefacts import create_file
    from sitsformer.config import docs as configdocs

    for name, text in (("schema.json", configdocs.schema()), ("README.md", configdocs.table())):
        with create_file(folder / name) as partial:
            partial.write_text(text)
        click.echo(folder / name)
