"""`sitsformer embed`: the vectors that a model's classifier reads, of samples or tiles."""

from __future__ import annotations

from pathlib import Path

import click

from sitsformer.commands import names

PATH = click.Path(path_type=Path)


@click.command()
@click.option("--model", "model_path", type=PATH, required=True, help="Fine-tuned or pretrained.")
@click.option("--config", "config_path", type=PATH, help="YAML config, for what samples of tiles "
              "look like; default: as the model was made with.")  # fmt: skip
@click.option(
    "--neighbour", "neighbours", type=PATH, multiple=True, help="Cube of a tile around a tile."
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=1024,
    show_default=True,
    help="Series or pixels at once.",
)
@names.device
@click.option("--unchecked", is_flag=True, help="Take reflectances whose scale, offset or order of "
              "bands looks wrong.")  # fmt: skip
@click.argument("source", type=PATH)
@click.argument("out", type=PATH)
def embed(
    model_path: Path,
    config_path: Path | None,
    neighbours: tuple[Path, ...],
    batch_size: int,
    device: str,
    unchecked: bool,
    source: Path,
    out: Path,
) -> None:
    """Embed SOURCE, a sample store or the cube of a tile, into OUT (.zarr or .parquet).

    OUT has the places in degrees: a row a sample, or a row a pixel in GeoParquet; the Zarr store of
    a tile lies on its grid.
    """
    from sitsformer import artefacts
    from sitsformer import embed as stage
    from sitsformer.config import load
    from sitsformer.model.device import find_device

    where = str(find_device(device))
    kind = str(artefacts.read(source)["kind"]) if artefacts.has_record(source) else "samples"
    if kind == "cube":
        patches = None if config_path is None else load(config_path).patches
        count = stage.embed_tile(
            model_path, source, out, patches, neighbours, batch_size, where, not unchecked
        )
    else:
        if neighbours:
            raise click.UsageError("--neighbour goes with the cube of a tile, not with samples")
        count = stage.embed_samples(model_path, source, out, batch_size, where, not unchecked)
    click.echo(f"{count} embeddings in {out}", err=True)
