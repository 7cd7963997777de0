"""A folder to work in: a Snakefile, profiles and a config to start from.

`sitsformer init` writes it from a shell, `sitsformer.notebook.init` from a notebook.
"""

from __future__ import annotations

from pathlib import Path

from sitsformer import artefacts, newconfig
from sitsformer.errors import SitsError
from sitsformer.workflowfiles import found

SNAKEFILE = """\
# Written by `sitsformer init`. The workflow is that of the installed package; rules of your own may
# follow, and `use rule ... from crops as ... with:` changes one of its rules.
from sitsformer.workflowfiles import snakefile


module crops:
    snakefile:
        snakefile()


use rule * from crops
"""

CONFIG = "config/config.yaml"

COPIED = (
    CONFIG,
    "workflow/profiles/default/config.yaml",
    "workflow/profiles/slurm/config.yaml",
)


def write(folder: Path, asked: newconfig.Asked | None = None) -> list[Path]:
    """Write the folder; nothing of it where the config would not work.

    Args:
        folder: it need not exist; no file that exists is written over.
        asked: what the config is made of; None: it is that of the demo.

    Returns:
        The files.

    Raises:
        SitsError: a file exists, or the config would not work: with all that is wrong.
    """
    refuse_other(folder)
    texts = {folder / path: found(path).read_text(encoding="utf-8") for path in COPIED}
    texts[folder / "workflow" / "Snakefile"] = SNAKEFILE
    if asked is not None:
        texts[folder / CONFIG] = newconfig.write(asked)
    for path, text in texts.items():
        with artefacts.create_file(path) as partial:
            partial.write_text(text, encoding="utf-8")
    return list(texts)


def refuse_other(folder: Path) -> None:
    """Refuse a folder that has one of the files already.

    Raises:
        SitsError: it has.
    """
    for name in (*COPIED, "workflow/Snakefile"):
        if (folder / name).exists():
            raise SitsError(f"{folder / name} exists: name another folder, or move it away")
