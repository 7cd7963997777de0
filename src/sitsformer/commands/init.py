"""`sitsformer init`: a folder to work in, with a Snakefile and a config to start from."""

from __future__ import annotations

from pathlib import Path

import click

SNAKEFILE = """\
# Written by `sitsformer init`. The workflow is that of the installed package; rules of your own may
# follow, and `use rule ... from crops as ... with:` changes one of its rules.
from sitsformer.workflowfiles import snakefile


module crops:
    snakefile:
        snakefile()


use rule * from crops
"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
def init(folder: Path) -> None:
    """Write a Snakefile, profiles and a config to start from into FOLDER (default: here).

    Then `snakemake --cores 2` there runs the workflow of the installed package: that of the demo,
    until config/config.yaml names your own areas. No file that exists is written over.
    """
    from sitsformer import artefacts
    from sitsformer.errors import SitsError
    from sitsformer.workflowfiles import found

    copied = (
        "config/config.yaml",
        "workflow/profiles/default/config.yaml",
        "workflow/profiles/slurm/config.yaml",
    )
    files = {folder / path: found(path).read_text(encoding="utf-8") for path in copied}
    files[folder / "workflow" / "Snakefile"] = SNAKEFILE
    for path in files:
        if path.exists():
            raise SitsError(f"{path} exists: name another folder, or move it away")
    for path, text in files.items():
        with artefacts.create_file(path) as partial:
            partial.write_text(text, encoding="utf-8")
        click.echo(path)
    click.echo(f"next: cd {folder} && snakemake --cores 2", err=True)
