"""`sitsformer assess`: a map against an independent sample of its ground."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("raster", metavar="MAP", type=PATH)
@click.argument("reference", type=PATH)
@click.option(
    "--design",
    type=click.Choice(["stratified", "simple"]),
    required=True,
    help="How REFERENCE was drawn: at random within each class of the map, or at random.",
)
@click.option("--column", help="Column of points that holds the class; default: class, label, ...")
@click.option("--band", type=click.IntRange(1), help="Band of a raster that holds the codes.")
@click.option(
    "--level",
    type=click.FloatRange(0, 1, True, True),
    default=0.95,
    show_default=True,
    help="Of the intervals.",
)
@click.option("--out", type=PATH, help="CSV; default: MAP_assessed.csv beside the map, and a PNG.")
def assess(
    raster: Path,
    reference: Path,
    design: str,
    column: str | None,
    band: int | None,
    level: float,
    out: Path | None,
) -> None:
    """Accuracy of a MAP and areas of its classes with intervals, by a REFERENCE sample.

    MAP is a map of classes that `sitsformer map` or `mosaic` wrote. REFERENCE is a vector file of
    points, a CSV with lon and lat, or a raster of codes with nodata (or 0) where nobody looked; it
    must be drawn at random, by other people than those who trained, or apart from the training.
    """
    from sitsformer import artefacts
    from sitsformer.maps.assess import assess as run
    from sitsformer.plots import crop_map

    out = out or raster.with_name(f"{raster.stem}_assessed.csv")
    if out.suffix != ".csv":
        raise click.UsageError(f"--out {out}: a table is written; give a name that ends in .csv")
    table = run(
        raster, reference, design=design, column=column, band=band, level=level,  # type: ignore[arg-type]
    )  # fmt: skip
    picture = crop_map.areas_png(table, raster)
    with artefacts.create_file(out, "areas") as partial:
        table.to_csv(partial, index=False, float_format="%.6g")
    with artefacts.create_file(out.with_suffix(".png"), "picture") as partial:
        partial.write_bytes(picture)
    total = table.iloc[-1]
    error = total.users_variance**0.5
    click.echo(f"{out}: overall accuracy {total.users_accuracy:.3f} ± {error:.3f} (standard error)")
    whole = bool((table.standard_error_ha.iloc[:-1] == 0).all())
    for _, row in table.iloc[:-1].iterrows():
        between = f", {level:.0%} interval {row.low_ha:,.1f} to {row.high_ha:,.1f}"
        click.echo(
            f"  {row['class']}: {row.estimated_ha:,.1f} ha{'' if whole else between} "
            f"(counted {row.mapped_ha:,.1f})"
        )
    click.echo(f"  {table.basis.iloc[0]}", err=True)
