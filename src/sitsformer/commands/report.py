"""`sitsformer report`: the figures and the page."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--config", "config_path", type=Path, required=True, help="YAML config.")
@click.option("--tables", "folder", type=Path, required=True, help="Folder of the tables.")
@click.option("--benchmarks", type=Path, help="Folder of Snakemake's benchmark files.")
@click.option("--figures", type=Path, required=True, help="Folder the figures go to, as SVG.")
@click.option("--out", type=Path, required=True, help="The page, HTML.")
@click.argument("artefacts", nargs=-1, required=True, type=Path)
def report(
    config_path: Path,
    folder: Path,
    benchmarks: Path | None,
    figures: Path,
    out: Path,
    artefacts: tuple[Path, ...],
) -> None:
    """Draw every figure and make one page of them, from ARTEFACTS: cubes, samples, models, maps."""
    from sitsformer.artefacts import create_file
    from sitsformer.plots import style
    from sitsformer.report import figures as drawing
    from sitsformer.report import gather, page

    material = gather.gather(config_path, folder, benchmarks, artefacts)
    drawings = drawing.draw_figures(material)
    for name, drawn in drawings.items():
        style.write(drawn, figures / f"{name}.svg")
    with create_file(out, "report") as temporary:
        temporary.write_text(page.render(material, drawings, out.parent, figures), encoding="utf-8")
    click.echo(f"{len(drawings)} figures and {len(material.maps)} maps in {out}", err=True)
