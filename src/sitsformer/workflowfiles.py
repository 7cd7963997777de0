"""Where the files of the workflow are: within the installed package, or in the checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def snakefile() -> str:
    """The Snakefile of the workflow, for `module` of one's own."""
    return str(found("workflow/Snakefile"))


def found(path: str) -> Path:
    """A file of the workflow or of `config/` by its path in the checkout."""
    installed = _PACKAGE / path
    return installed if installed.exists() else _PACKAGE.parents[1] / path
