"""Cells of a survey's columns -> classes, seasons, weights and groups."""

from __future__ import annotations

import colorsys
import logging
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.classes import HIGHEST_CODE, Legend
from sitsformer.config import Area, ConfigError
from sitsformer.legends import load_legend
from sitsformer.legendtable import COLOURS, clean

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger("sitsformer")

_WHOLE = re.compile(r"([+-]?\d+)([.,]0*)?")
_DAYS = (
    re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})([ T].*)?"),
    re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"),
    re.compile(r"(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})"),
    re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})"),
)
"""Spellings of a day that all read alike; 03/04/2021 is two."""
_YEAR = re.compile(r"(\d{4})(\.0*)?")
_SEASON = re.compile(r"(\d{4})(?:/(\d{4}|\d{2})|-(\d{4}))")
_EMPTY = ("", "nan", "none", "null", "nat", "<na>")
LONGEST = 200
"""Characters of the name of a class."""
_DOUBTFUL = ("na", "n/a", "-", "?", "unknown")


@dataclass(frozen=True)
class Season:
    """When a label holds.

    Attributes:
        first, last: days that it is known of; or
        years: one year, or the two that a season goes from and to.
    """

    first: date | None = None
    last: date | None = None
    years: tuple[int, ...] = ()

    def __str__(self) -> str:
        """As the file has it."""
        return str(self.first) if self.first else "/".join(map(str, self.years)) or "no date"

    @property
    def stated(self) -> bool:
        """Whether it says anything."""
        return self.first is not None or bool(self.years)

    def fits(self, area: Area) -> bool:
        """Whether it holds in the season of an area; one that says nothing does.

        A year is that which most days of the season lie in, two years its first and its last.
        """
        if self.first is not None and self.last is not None:
            return self.first <= area.end and self.last >= area.start
        if len(self.years) == 1:
            return self.years[0] == area.season_year
        return not self.years or self.years == (area.start.year, area.end.year)


def text_of(cells: pd.Series[Any]) -> list[str]:
    """Cells as text, without blanks around; nothing where a cell is empty."""
    found = []
    for cell in cells:
        text = clean(cell.isoformat() if isinstance(cell, date) else str(cell))
        found.append("" if text.casefold() in _EMPTY else text)
    return found


def classes(cells: list[str], legend: str | None, where: str) -> tuple[NDArray[np.int64], Legend]:
    """Codes (feature,) of a column of classes, -1 where a cell is empty, and their legend.

    Args:
        cells: as text.
        legend: product or table that the entries are of; None: they are classes themselves.
        where: the column, for messages.

    Raises:
        ConfigError: codes that a layer cannot hold, or that the legend lacks.
    """
    there = [cell for cell in cells if cell]
    if doubtful := sorted({cell for cell in there if cell.casefold() in _DOUBTFUL}):
        logger.warning(
            "%s: %s is taken for a class; empty these cells if they mean that there is none",
            where, " and ".join(doubtful),
        )  # fmt: skip
    if longest := max(there, key=len, default="")[LONGEST:]:
        raise ConfigError(
            f"{where} has a cell of {LONGEST + len(longest)} characters, and names of classes have "
            f"{LONGEST} at most; is it a column of remarks?"
        )
    if not there:
        raise ConfigError(f"{where} is empty throughout; name the column that has the class")
    coded = all(_WHOLE.fullmatch(cell) for cell in there)
    known = None if legend is None else load_legend(legend).with_zero()
    if coded:
        return _by_code([_code(cell) for cell in cells], known, where)
    return _by_name(cells, known, where)


def _code(cell: str) -> int | None:
    found = _WHOLE.fullmatch(cell)
    return int(found[1]) if found else None


def _by_code(
    codes: list[int | None], known: Legend | None, where: str
) -> tuple[NDArray[np.int64], Legend]:
    there = sorted({code for code in codes if code is not None})
    outside = [code for code in there if not 0 <= code <= HIGHEST_CODE]
    if known is None and there[0] > HIGHEST_CODE:
        # Hierarchical codes of ten digits (EuroCrops' HCAT), which no layer holds: they are names.
        return _by_name(["" if code is None else str(code) for code in codes], None, where)
    if outside:
        raise ConfigError(
            f"{where}: {outside[0]} is no code of a class; codes are whole numbers from 0 to "
            f"{HIGHEST_CODE}: {_other_codes(outside[0], known)}, or empty these cells if they mean "
            "that there is none"
        )
    if known is None:
        made = tuple(there)
        known = Legend(where, made, tuple(map(str, made)), colours(len(made))).with_zero()
    lacking = [code for code in there if code not in known.codes]
    if lacking:
        raise ConfigError(
            f"{where} holds codes that the legend {known.name} lacks: "
            f"{', '.join(map(str, lacking[:8]))}; add rows for them, or empty these cells"
        )
    return np.array([-1 if code is None else code for code in codes], np.int64), known


def _other_codes(code: int, known: Legend | None) -> str:
    """What to do where a code fits into no layer."""
    if code > 0 and known is not None:
        return (
            f"leave out the legend {known.name}, and each code is a class of its own, which "
            "`classes` of a set may gather and name (maize: [3301060401])"
        )
    return "name a column of names, give other codes"


def _by_name(
    cells: list[str], known: Legend | None, where: str
) -> tuple[NDArray[np.int64], Legend]:
    spelled = _spellings(cells, where)
    if known is None:
        names = tuple(sorted(set(spelled.values())))
        codes = tuple(range(1, len(names) + 1))
        known = Legend(where, codes, names, colours(len(names)))
    of_name = {name.casefold(): code for code, name in zip(known.codes, known.names, strict=True)}
    lacking = sorted({name for key, name in spelled.items() if key not in of_name})
    if lacking:
        raise ConfigError(
            f"{where} holds names that the legend {known.name} lacks: {', '.join(lacking[:8])}; "
            "add rows for them, leave the legend out, or empty these cells"
        )
    found = [of_name[cell.casefold()] if cell else -1 for cell in cells]
    return np.array(found, np.int64), known


def _spellings(cells: list[str], where: str) -> dict[str, str]:
    """Names in small letters -> as they are written most often."""
    count: dict[str, Counter[str]] = {}
    for cell in cells:
        if cell:
            count.setdefault(cell.casefold(), Counter())[cell] += 1
    for forms in count.values():
        if len(forms) > 1:
            logger.warning("%s: %s are taken for one class", where, " and ".join(sorted(forms)))
    return {key: min(forms, key=lambda f: (-forms[f], f)) for key, forms in count.items()}


def colours(count: int) -> tuple[str, ...]:
    """Colours (`#rrggbb`) of classes that come without: told apart by hue and lightness."""
    found = list(COLOURS[:count])
    for k in range(len(found), count):
        # Hues by the golden ratio keep apart however many there are.
        rgb = colorsys.hls_to_rgb(k * 0.618034 % 1, (0.35, 0.5, 0.65)[k % 3], 0.6)
        found.append("#" + "".join(f"{round(255 * value):02x}" for value in rgb))
    return tuple(found)


def seasons(cells: list[str], where: str) -> list[Season]:
    """When each label holds.

    Raises:
        ConfigError: a cell is no date, year or season.
    """
    return [_season(cell, f"{where}, feature {number}") for number, cell in enumerate(cells, 1)]


def _season(cell: str, where: str) -> Season:
    if not cell:
        return Season()
    if year := _YEAR.fullmatch(cell):
        return Season(years=(int(year[1]),))
    if both := _SEASON.fullmatch(cell):
        first, last = int(both[1]), both[2] or both[3]
        second = int(last) if len(last) == 4 else first // 100 * 100 + int(last)
        return Season(years=(first, second))
    for spelling in _DAYS:
        if day := spelling.fullmatch(cell):
            try:
                found = date(int(day["y"]), int(day["m"]), int(day["d"]))
            except ValueError:
                break
            return Season(found, found)
    raise ConfigError(
        f"{where}: {cell!r} is no date; write 2018-06-30, a year (2018) or a season (2017/2018)"
    )


def weights(cells: list[str], where: str) -> NDArray[np.float64]:
    """Weights (feature,); 1 where a cell is empty.

    Raises:
        ConfigError: a cell is no number, or below 0.
    """
    found = np.ones(len(cells))
    comma = not any("." in cell for cell in cells)
    for k, cell in enumerate(cells):
        try:
            found[k] = float(cell.replace(",", ".") if comma else cell) if cell else 1.0
        except ValueError:
            found[k] = np.nan
        if not (np.isfinite(found[k]) and found[k] >= 0):
            raise ConfigError(
                f"{where}, feature {k + 1}: {cell!r} is no weight; write a number from 0 on"
            )
    return found


def groups(cells: list[str]) -> NDArray[np.int64]:
    """Numbers (feature,) of groups by name; a feature without a name is a group of its own."""
    names = {name: number for number, name in enumerate(sorted({cell for cell in cells if cell}))}
    alone = len(names) + np.arange(len(cells))
    found = [names[cell] if cell else int(alone[k]) for k, cell in enumerate(cells)]
    return np.array(found, np.int64)
