"""`sitsformer init`: a folder to work in, with a Snakefile and a config to start from."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import click

from sitsformer.commands import names

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("folder", type=PATH, default=Path())
@click.option("--area", help="Bounds west,south,east,north in degrees, or a vector file.")
@click.option("--season", nargs=2, metavar="START END", help="First and last day, YYYY-MM-DD.")
@click.option("--labels", type=PATH, help="File of labelled points or polygons.")
@click.option("--column", help="Column of the class; default: class, crop, label, ...")
@click.option("--name", default="county", show_default=True, help="Of the area.")
@click.option(
    "--source",
    type=names.NameOf("source", "sitsformer.sources:sources"),
    default="earthengine",
    show_default=True,
    help="Where imagery comes from.",
)
@click.option("--rasters", type=PATH, help="Folder or cube of the imagery, with --source rasters.")
def init(
    folder: Path,
    area: str | None,
    season: tuple[str, str] | None,
    labels: Path | None,
    column: str | None,
    name: str,
    source: str,
    rasters: Path | None,
) -> None:
    """Write a Snakefile, profiles and a config to start from into FOLDER (default: here).

    With --area, --season and --labels the config is of your own area, and checked; without them
    that of the demo. Then `snakemake --cores 2` there runs the workflow of the installed package.
    No file that exists is written over.
    """
    from sitsformer import newconfig, newfolder

    given = {"--area": area, "--season": season, "--labels": labels}
    lacking = [option for option, value in given.items() if value is None]
    if 0 < len(lacking) < len(given):
        raise click.UsageError(f"a config of your own area needs {' and '.join(lacking)} too")
    asked = None
    if area is not None and season is not None and labels is not None:
        start, end = newconfig.season(season)
        asked = newconfig.Asked(name, area, start, end, labels, column, source, rasters)
    for path in newfolder.write(folder, asked):
        click.echo(path)
    there = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    click.echo(f"next: {there}{_snakemake()} --cores 2", err=True)


def _snakemake() -> str:
    """What starts Snakemake: its name, where that finds the one of this environment."""
    here = Path(sys.executable)
    if shutil.which("snakemake") == str(here.with_name("snakemake")):
        return "snakemake"
    return f"{shlex.quote(str(here))} -m snakemake"
