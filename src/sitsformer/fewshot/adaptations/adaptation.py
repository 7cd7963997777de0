"""What the workflow knows of an adaptation: one record, which everything else reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from sitsformer.errors import SitsError
from sitsformer.registry import records

if TYPE_CHECKING:
    from sitsformer.config import FewShot
    from sitsformer.fewshot.draws import Draw
    from sitsformer.finetune import Job
    from sitsformer.model import SITSFormer

Choice: TypeAlias = Mapping[str, Any]
"""Settings of one try, by name: JSON values, which the table of cells keeps."""

Candidates: TypeAlias = "Callable[[FewShot], Sequence[Choice]]"
Fit: TypeAlias = "Callable[[Job, Draw, int, Choice], SITSFormer]"


@dataclass(frozen=True, eq=False, kw_only=True)
class Adaptation:
    """How the network, pretrained or not, learns the crops of a draw.

    Attributes:
        name: in configs, in names of learners and tables: a small letter, then small letters,
            digits or `_`.
        title: what learns, in a few words.
        line: of its curves, as matplotlib takes it: `-`, `--`, `-.`, `:`, or an offset and the
            lengths of dashes and gaps in points, `(0, (4, 2))`.
        gradient: it is trained in steps, and so depends on `fewshot.steps`, `recipe` and their
            like; otherwise a change of these runs none of its cells again.
        augments: though not trained in steps, it looks at augmented copies (`fewshot.augment`).
        candidates: section `fewshot` -> settings to try, the one that wins a tie first.
        fit: what the cells of a job share, a draw, its seed and one of the settings -> a network
            whose classifier predicts. It learns from `draw.train` alone; validation samples choose
            among the settings. Everything random comes from the seed (`job.start(seed)`).
        order: in the table of keys; records with one order are sorted by name.
    """

    name: str
    title: str
    line: str | tuple[float, tuple[float, ...]]
    gradient: bool
    candidates: Candidates
    fit: Fit
    order: int = 100
    augments: bool = False

    def __post_init__(self) -> None:
        said = {
            "a name is a small letter, then small letters, digits or '_'": not re.fullmatch(
                r"[a-z][a-z0-9_]*", self.name
            ),
            "it needs a title": not self.title.strip(),
            f"its line {self.line!r} is none of '-', '--', '-.', ':', (0, (dash, gap, ...))": (
                not _is_line(self.line)
            ),
        }
        problems = [text for text, wrong in said.items() if wrong]
        if problems:
            raise SitsError(f"adaptation {self.name!r}: {'; '.join(problems)}")


def _is_line(line: object) -> bool:
    if not isinstance(line, tuple):
        return line in ("-", "--", "-.", ":")
    dashes = line[1] if len(line) == 2 else ()
    return (
        isinstance(dashes, tuple)
        and len(dashes) >= 2
        and len(dashes) % 2 == 0
        and all(isinstance(part, (int, float)) and part > 0 for part in dashes)
    )


def adaptations() -> Mapping[str, Adaptation]:
    """Every adaptation by name."""
    return records("sitsformer.fewshot.adaptations", Adaptation)
