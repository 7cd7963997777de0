"""Which files of a folder are acquisitions, and when each was taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from sitsformer.config import Rasters, expand
from sitsformer.errors import SitsError
from sitsformer.sources.rasters.series import Season

SAME_DATATAKE = np.timedelta64(5, "m")
"""Files this close in time are granules of one datatake and become one date. Granules of a
datatake over one tile are seconds apart; two satellites over one place are at least 20 minutes."""
FIRST_YEAR, LAST_YEAR = 1972, 2100
"""Years that digits in a file name may mean; the first is that of Landsat 1."""


@dataclass(frozen=True)
class Acquisition:
    """A file and when it was taken; without a time of day, midnight and not `exact`."""

    path: Path
    time: np.datetime64
    exact: bool


def scan(folder: Path, settings: Rasters, season: Season, where: str) -> list[Acquisition]:
    """Acquisitions of a season in a folder, by time and then name.

    Label rasters of the config are left out should they match the pattern.

    Args:
        folder: where the files are.
        settings: `pattern`, `date_pattern` and `labels` are used.
        season: first and last day.
        where: path of the config section, for messages.

    Raises:
        SitsError: no folder, no file, a name without a date, or no file of the season.
    """
    if not folder.is_dir():
        raise SitsError(f"{where}.path: there is no folder {folder}; check the path")
    labels = {expand(label.path).resolve() for label in settings.labels.values()}
    paths = [p for p in sorted(folder.glob(settings.pattern)) if p.resolve() not in labels]
    if not paths:
        present = sorted(p.name for p in folder.iterdir())[:3]
        raise SitsError(
            f"{where}.pattern: no file in {folder} matches {settings.pattern!r}; "
            f"the folder holds {', '.join(present) or 'nothing'}"
        )
    pattern = _compile(settings.date_pattern, where)
    found = [_date(path, pattern, where) for path in paths]
    first, last = (np.datetime64(day, "D") for day in season)
    inside = [a for a in found if first <= a.time.astype("datetime64[D]") <= last]
    if not inside:
        days = sorted(str(a.time)[:10] for a in found)
        raise SitsError(
            f"{where}: none of the {len(found)} files is of the season {first} to {last}; "
            f"they are from {days[0]} to {days[-1]}"
        )
    return sorted(inside, key=lambda a: (a.time, a.path.name))


def group(acquisitions: Sequence[Acquisition]) -> list[list[Acquisition]]:
    """Gather acquisitions, sorted by time, into datatakes.

    Files whose times are within `SAME_DATATAKE` of the first belong together, and so do files of
    one date whose names have no time of day.
    """
    groups: list[list[Acquisition]] = []
    for item in acquisitions:
        same = groups and groups[-1][0].exact == item.exact
        if same and item.time - groups[-1][0].time <= (SAME_DATATAKE if item.exact else 0):
            groups[-1].append(item)
        else:
            groups.append([item])
    # A date without a time of day stands at midnight; so might an exact one.
    merged: dict[np.datetime64, list[Acquisition]] = {}
    for members in groups:
        merged.setdefault(members[0].time, []).extend(members)
    return list(merged.values())


def _compile(pattern: str, where: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise SitsError(
            f"{where}.date_pattern: {pattern!r} is not a regular expression: {error}"
        ) from None
    if "date" not in compiled.groupindex:
        raise SitsError(
            f"{where}.date_pattern: {pattern!r} has no group (?P<date>...) that finds YYYYMMDD"
        )
    return compiled


def _date(path: Path, pattern: re.Pattern[str], where: str) -> Acquisition:
    """The first match of the pattern that is a real date (other digits may look like one)."""
    for match in pattern.finditer(path.name):
        groups = match.groupdict()
        digits, clock = groups["date"], groups.get("time")
        for text, form in ((f"{digits}{clock}", "%Y%m%d%H%M%S"), (digits, "%Y%m%d")):
            try:
                moment = datetime.strptime(text, form)
            except ValueError:
                continue
            if FIRST_YEAR <= moment.year <= LAST_YEAR:
                return Acquisition(path, np.datetime64(moment, "s"), form.endswith("S"))
    raise SitsError(
        f"{where}.date_pattern: no date in the file name {path.name!r} by {pattern.pattern!r}; "
        "change the pattern, or narrow `pattern` to the acquisitions"
    )
