"""`sitsformer export-onnx`: a model as one file for other runtimes."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.command("export-onnx")
@click.argument("model", type=PATH)
@click.argument("out", type=PATH)
def export_onnx(model: Path, out: Path) -> None:
    """Write MODEL, fine-tuned or pretrained, as OUT (.onnx).

    The file reads reflectance (sample, time, band, y, x) with NaN for what is missing and days of
    year (sample, time) with 0 for no step, as many samples and steps as are given, and returns
    probabilities of the classes and embeddings. Names of classes are in its metadata.
    """
    from sitsformer.exportonnx import export

    outputs = export(model, out)
    click.echo(f"{out}: {', '.join(outputs)}", err=True)
