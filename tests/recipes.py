"""The recipes of docs/extending.md, carried out in a copy of the package."""

import re
import shutil
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]


def blocks(title: str) -> list[str]:
    """The Python blocks of a recipe, as they stand in the document."""
    text = (ROOT / "docs" / "extending.md").read_text()
    chapter = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^ *```python\n(.*?)^ *```$", chapter, re.MULTILINE | re.DOTALL)
    return [dedent(block) for block in found]


def copy(folder: Path) -> Path:
    """The package in a folder of its own."""
    package = folder / "src" / "sitsformer"
    shutil.copytree(
        ROOT / "src" / "sitsformer", package, ignore=shutil.ignore_patterns("__pycache__")
    )
    return package


def insert(path: Path, before: str, text: str) -> None:
    """Put text in front of a line of a file."""
    whole = path.read_text()
    assert whole.count(before) == 1, f"{before!r} in {path}"
    path.write_text(whole.replace(before, f"{text}{before}"))
