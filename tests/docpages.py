"""Code blocks of the documentation, with what stands above them on whether they are run.

    <!-- not run: why, and what runs the same -->
    <!-- fails: why that is meant -->

stand on the line above a block.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *(ROOT / f"{n}.md" for n in ("README", "CONTRIBUTING"))])

RECIPES = "extending.md"
"""Its blocks are carried out by tests/integration/test_*_recipe*.py, in a copy of the package."""

RECORD = "results.md"
"""How the figures of other people's data were made: neither data nor hours are there."""

_BLOCK = re.compile(
    r"(?:^ *<!-- (?P<mark>not run|fails): (?P<reason>[^>]+) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of code of a page."""

    page: str
    line: int
    language: str
    text: str
    mark: str
    reason: str

    @property
    def lines(self) -> list[str]:
        """Commands of a shell block: lines that go on are joined, comments cut."""
        joined = re.sub(r"\\\n\s*", "", self.text)
        found = (re.sub(r"\s+#.*$|^#.*$", "", line).strip() for line in joined.splitlines())
        return [line for line in found if line]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    text = page.read_text()
    return [
        Block(
            str(page.relative_to(ROOT)),
            text.count("\n", 0, found.start("text")) + 1,
            found["language"],
            dedent(found["text"]),
            found["mark"] or "",
            found["reason"] or "",
        )
        for found in _BLOCK.finditer(text)
    ]


def run_here(page: Path) -> list[Block]:
    """The blocks of a page that tests run as they stand."""
    if page.name in (RECIPES, RECORD):
        return []
    return [block for block in blocks(page) if block.mark != "not run"]
