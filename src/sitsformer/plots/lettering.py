"""Names of classes in pictures: as they are, in any script, of any length and number.

A `$` is a letter, not the start of a formula. Names that the figure has no room for are shortened,
and of hundreds of classes the largest are named. Letters that no installed font has are drawn as
boxes, and told once.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

logger = logging.getLogger("sitsformer")

LONGEST = 36
"""Letters of a name that are shown at most."""

MOST_CLASSES = 40
"""Classes that a picture names at most."""

FALLBACKS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "PingFang SC",
    "Hiragino Sans", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "SimHei",
    "Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Thai", "Noto Sans Ethiopic",
    "Nirmala UI", "Arial Unicode MS", "FreeSans", "Unifont", "Noto Emoji", "Symbola",
)  # fmt: skip
"""Fonts for letters that DejaVu Sans lacks, where they are installed."""


@cache
def _fonts() -> tuple[str, ...]:
    from matplotlib.font_manager import get_font_names

    installed = set(get_font_names())
    return ("DejaVu Sans", *(name for name in FALLBACKS if name in installed))


@contextmanager
def lettering(settings: Mapping[Any, Any], what: str) -> Iterator[None]:
    """Draw with these settings of matplotlib, in every font that names may need."""
    options: dict[Any, Any] = {**settings, "font.family": list(_fonts())}
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        with mpl.rc_context(options):
            yield
    lacking: dict[str, None] = {}
    for warning in seen:
        glyph = re.match(r"Glyph (\d+) ", str(warning.message))
        if glyph:
            lacking[chr(int(glyph[1]))] = None
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    if lacking:
        logger.warning(
            "%s: no installed font has the letters %s, which are drawn as boxes; install one that "
            "has them, such as Noto Sans CJK", what, " ".join(list(lacking)[:20]),
        )  # fmt: skip


def shown(name: str, longest: int = LONGEST) -> str:
    """A name as matplotlib takes it: whole or with its middle left out, and no formula."""
    if len(name) > longest:
        end = longest // 3
        name = f"{name[: longest - end - 1].rstrip()}…{name[-end:].lstrip()}"
    name = name.replace("$", r"\$")
    # Matplotlib leaves what starts with `_` out of legends.
    return f"\N{ZERO WIDTH SPACE}{name}" if name.startswith("_") else name


def largest(
    sizes: Sequence[float] | npt.NDArray[Any], most: int = MOST_CLASSES
) -> npt.NDArray[np.int64]:
    """Positions of the largest sizes above 0, at most so many, in order of position."""
    values = np.asarray(sizes, np.float64)
    order = np.argsort(-values, kind="stable")[:most]
    return np.sort(order[values[order] > 0])
