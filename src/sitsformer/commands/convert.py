"""`sitsformer convert`: other people's checkpoints and samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sitsformer.commands.originals import Command, with_options
from sitsformer.sensors import DEFAULT, sensors

PATH = click.Path(path_type=Path)


@click.group()
def convert() -> None:
    """Convert checkpoints and samples made by others."""


def _numbers(_context: click.Context, _option: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r}: give numbers with commas between them") from None


def _names(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> tuple[str, ...] | None:
    return None if value is None else tuple(part.strip() for part in value.split(","))


def _of_reflectance(command: Command) -> Command:
    """Options of the two conversions of samples: what their numbers are."""
    positive = click.FloatRange(min=0, min_open=True, max=1)
    options = (
        click.option(
            "--scale",
            type=positive,
            help="Reflectance of a value of 1, such as 0.0001; default: the values tell.",
        ),
        click.option("--fill", type=float, help="A value that stands for nothing."),
        click.option(
            "--sensor",
            type=click.Choice(list(sensors())),
            default=DEFAULT,
            show_default=True,
            help="Whose images they are.",
        ),
        click.option("--bands", callback=_names, help="Names in the file's order: B02,B03,..."),
    )
    return with_options(command, options)


@convert.command()
@click.argument("source", type=PATH)
@click.argument("out", type=PATH)
@click.option(
    "--mean",
    callback=_numbers,
    default=",".join(["0"] * 10),
    show_default=True,
    help="By band, of reflectance.",
)
@click.option(
    "--std",
    callback=_numbers,
    default=",".join(["1"] * 10),
    show_default=True,
    help="By band, of reflectance.",
)
@click.option(
    "--heads", type=click.IntRange(min=1), default=8, show_default=True, help="Attention heads."
)
def checkpoint(
    source: Path, out: Path, mean: tuple[float, ...], std: tuple[float, ...], heads: int
) -> None:
    """Turn a SITS-Former checkpoint (checkpoint.bert.tar or checkpoint.tar) into a model.

    MEAN and STD are the reflectances by band that its inputs were normalised with; the default
    leaves reflectance as it is. HEADS is its number of attention heads.
    """
    from sitsformer.convert.checkpoint import checkpoint as run

    run(source, out, mean, std, heads)


@convert.command()
@click.argument("source", type=PATH)
@click.argument("out", type=PATH)
@click.option(
    "--valid-rate",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    help="Share that validates, of a folder without sub-folders.",
)
@click.option("--drop-missing", is_flag=True, help="Leave out steps that lack a value.")
@_of_reflectance
def samples(source: Path, out: Path, **options: Any) -> None:
    """Turn a folder of one-file-a-sample .npz into a sample store.

    Files hold `ts` (T, band, S, S), `doy` (T) and, when labelled, `class_label`, in sub-folders
    TRAIN, VALIDATE and TEST or in the folder itself.
    """
    from sitsformer.convert.samples import folder as run

    click.echo(f"{run(source, out, **options)} samples in {out}", err=True)


@convert.command()
@click.argument("source", type=PATH)
@click.argument("out", type=PATH)
@click.option(
    "--fractions",
    callback=_numbers,
    default="0.5,0.2,0.3",
    show_default=True,
    help="Shares of train, validation and test.",
)
@click.option("--block", type=float, default=0.5, show_default=True, help="Degrees.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the split."
)
@_of_reflectance
def table(source: Path, out: Path, fractions: tuple[float, ...], **options: Any) -> None:
    """Turn one .npz with a table of pixel series into a sample store of patch size 1.

    The file holds x (sample, time, band), lon, lat and dates, and, where it has them, label,
    label_names, bands and valid (sample, time). Squares of BLOCK degrees are never shared by two
    splits.
    """
    from sitsformer.convert.table import table as run

    if len(fractions) != 3:
        raise click.BadParameter("give three shares: train, validation, test")
    count = run(source, out, fractions=fractions[:3], **options)
    click.echo(f"{count} samples in {out}", err=True)
