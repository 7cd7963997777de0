"""`sitsformer report`: the figures and the page."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--config", "config_path", type=Path, required=True, help="YAML config.")
@click.option("--tables", "folder", type=Path, help="Folder of the tables of a sweep.")
@click.option("--benchmarks", type=Path, help="Folder of Snakemake's benchmark files.")
@click.option("--figures", type=Path, help="Folder its figures go to, as SVG.")
@click.option("--out", type=Path, required=True, help="The page, HTML.")
@click.argument("artefacts", nargs=-1, required=True, type=Path)
def report(
    config_path: Path,
    folder: Path | None,
    benchmarks: Path | None,
    figures: Path | None,
    out: Path,
    artefacts: tuple[Path, ...],
) -> None:
    """Draw every figure and make one page of them, from ARTEFACTS: cubes, samples, models, maps."""
    from sitsformer.artefacts import create_file
    from sitsformer.errors import SitsError
    from sitsformer.plots import style
    from sitsformer.report import figures as drawing
    from sitsformer.report import gather, page

    material = gather.gather(config_path, folder, benchmarks, artefacts)
    drawings: dict[str, str] = {}
    if material.config.learns:
        if figures is None:
            raise SitsError(f"{config_path} has a sweep: give a folder for its figures (--figures)")
        drawings = drawing.draw_figures(material)
        for name, drawn in drawings.items():
            style.write(drawn, figures / f"{name}.svg")
    with create_file(out, "report") as temporary:
        temporary.write_text(
            page.render(material, drawings, out.parent, figures or Path()), encoding="utf-8"
        )
    figure_count, map_count = len(drawings), len(material.maps)
    click.echo(f"{figure_count} figures and maps of {map_count} areas in {out}", err=True)
