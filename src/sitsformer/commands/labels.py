"""`sitsformer labels`: looking at the labels of a set."""

from __future__ import annotations

from pathlib import Path

import click

_PATH = click.Path(path_type=Path)
SHOWN = 15
"""Samples that are printed; the table has them all."""


@click.group()
def labels() -> None:
    """Check the labels of a set."""


@labels.command()
@click.option("--out", type=_PATH, help="CSV table of all samples that deserve a second look.")
@click.option("--blocks", type=_PATH, help="CSV table of the samples of each class a block.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the forest.")
@click.argument("store", type=_PATH)
def check(store: Path, out: Path | None, blocks: Path | None, seed: int) -> None:
    """Check the labels of the sample store STORE: suspicious ones first, with lon and lat.

    Says what became of each labelled feature, how the classes are spread over blocks, which samples
    lie in water, and where samples of other blocks speak for another class.
    """
    from sitsformer.artefacts import create_file
    from sitsformer.labelchecks import check as check_labels

    found = check_labels(store, seed)
    for line in found.summary:
        click.echo(line)
    click.echo()
    click.echo(found.classes.to_string(index=False))
    if len(found.samples):
        click.echo()
        click.echo(found.samples.head(SHOWN).to_string(index=False, na_rep=""))
    if len(found.samples) > SHOWN and out is None:
        click.echo(f"and {len(found.samples) - SHOWN} more: --out writes the whole table", err=True)
    if out is not None:
        with create_file(out) as partial:
            found.samples.to_csv(partial, index=False)
        click.echo(f"{len(found.samples)} samples in {out}", err=True)
    if blocks is not None:
        with create_file(blocks) as partial:
            found.blocks.to_csv(partial, index=False)
        click.echo(f"{len(found.blocks)} blocks in {blocks}", err=True)
