"""`sitsformer convert`: other people's checkpoints and samples."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.group()
def convert() -> None:
    """Convert checkpoints and samples made by others."""


def _numbers(_context: click.Context, _option: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r}: give numbers with commas between them") from None


@convert.command()
@click.argument("source", type=PATH)
@click.argument("out", type=PATH)
@click.option("--mean", callback=_numbers, default=",".join(["0"] * 10), show_default=True)
@click.option("--std", callback=_numbers, default=",".join(["1"] * 10), show_default=True)
def checkpoint(source: Path, out: Path, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Turn a SITS-Former checkpoint (checkpoint.bert.tar) into a model.

    MEAN and STD are the reflectances by band that its inputs were normalised with; the default
    leaves reflectance as it is.
    """
    from sitsformer.convert import checkpoint as run

    run(source, out, mean, std)


@convert.command()
@click.argument("source", type=PATH)
@click.argument("out", type=PATH)
def samples(source: Path, out: Path) -> None:
    """Turn a folder of one-file-a-sample .npz into a sample store.

    Files hold `ts` (T, 10, S, S), `doy` (T) and, when labelled, `class_label`, in sub-folders
    TRAIN, VALIDATE and TEST or in the folder itself.
    """
    from sitsformer.convert import folder as run

    click.echo(f"{run(source, out)} samples in {out}", err=True)


@convert.command()
@click.argument("source", type=PATH)
@click.argument("out", type=PATH)
@click.option("--fractions", callback=_numbers, default="0.5,0.2,0.3", show_default=True)
@click.option("--block", type=float, default=0.5, show_default=True, help="Degrees.")
@click.option("--seed", type=int, default=0, show_default=True)
def table(source: Path, out: Path, fractions: tuple[float, ...], block: float, seed: int) -> None:
    """Turn one .npz with a table of pixel series into a sample store of patch size 1.

    The file holds x (sample, time, band), label, label_names, lon, lat, dates and, if some steps
    are missing, valid (sample, time). Squares of BLOCK degrees are never shared by two splits.
    """
    from sitsformer.convert import table as run

    if len(fractions) != 3:
        raise click.BadParameter("give three shares: train, validation, test")
    count = run(source, out, fractions=fractions[:3], block=block, seed=seed)
    click.echo(f"{count} samples in {out}", err=True)
