"""`sitsformer check`: compare artefacts with what their provenance says."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True)
def check(paths: tuple[Path, ...]) -> None:
    """Find missing, altered or foreign files in cubes, sample stores and models."""
    from sitsformer import provenance
    from sitsformer.errors import SitsError
    from sitsformer.samples import shards

    broken = 0
    for path in paths:
        problems = provenance.check(path)
        broken += bool(problems)
        kind = provenance.read(path)["kind"]
        click.echo(f"{path}: {kind}, {'damaged' if problems else 'whole'}")
        for problem in problems:
            click.echo(f"  {problem}")
        if any("reflectance/c/" in problem for problem in problems) and "samples" in kind:
            with shards.Reader(path / "reflectance") as reader:
                for line in reader.damaged():
                    click.echo(f"  in reflectance: {line}")
    if broken:
        raise SitsError(
            f"{broken} of {len(paths)} artefacts are damaged; delete them and run snakemake again"
        )
