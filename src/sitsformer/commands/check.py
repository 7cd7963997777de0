"""`sitsformer check`: compare artefacts with what their records say."""

from __future__ import annotations

import shlex
from pathlib import Path

import click


@click.command()
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True)
def check(paths: tuple[Path, ...]) -> None:
    """Find missing, altered or foreign files.

    PATHS are artefacts (cubes, sample stores, models, tables of predictions, result tables, maps,
    figures, the report, checkpoints) or folders of them, such as a whole results folder.
    """
    from sitsformer.checks import damage
    from sitsformer.errors import SitsError

    found = [one for path in paths for one in damage.look(path)]
    for one in found:
        state = "damaged" if not one.sound else "whole" if one.kind else "no record"
        click.echo(f"{one.path}: {', '.join(filter(None, (one.kind, state)))}")
        for problem in one.problems:
            click.echo(f"  {problem}")
    unknown = [one.path for one in found if not one.kind]
    damaged = [one for one in found if not one.sound]
    foreign = [one.path for one in found if one.problems and one.sound]
    if damaged:
        remains = dict.fromkeys(path for one in damaged for path in one.remains)
        names = " ".join(shlex.quote(str(path)) for path in remains)
        raise SitsError(
            f"{len(damaged)} of {len(found)} artefacts are damaged. Delete each one whole, `rm -rf "
            f"-- {names}`, and make it again: `snakemake` does for what the workflow made, the "
            "command that wrote it for anything else"
        )
    if foreign:
        raise SitsError(
            f"{len(foreign)} of {len(found)} artefacts are whole but hold files that are none of "
            f"theirs, such as {foreign[0]}: move those elsewhere"
        )
    if unknown and ({*unknown} & {*paths} or len(unknown) == len(found)):
        raise SitsError(
            f"{unknown[0]} has no record to be compared with: it was not written by this version "
            "of sitsformer, or was copied without it (`provenance.json` in a folder, "
            "`.provenance/NAME.json` beside a file)"
        )
    if unknown:
        click.echo(f"{len(unknown)} of {len(found)} have no record and cannot be checked", err=True)
