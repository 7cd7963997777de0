"""When a file was taken, by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sitsformer.errors import SitsError

FIRST_YEAR, LAST_YEAR = 1972, 2100
"""Years that digits in a file name may mean; the first is that of Landsat 1."""

_DIGITS = {8: "%Y%m%d", 7: "%Y%j"}
"""Form of a date by the number of its digits. Never another: `strptime` would read the seven of
2021045 as month and day too."""


@dataclass(frozen=True)
class Stamp:
    """What a file name says.

    Attributes:
        moment: date and time of day; without one, midnight.
        exact: whether a time of day is there.
        by_day: whether the date is a year and a day of the year.
        band: text of the group `band`, where the pattern has one.
        rest: the name without it.
    """

    moment: datetime
    exact: bool
    by_day: bool
    band: str | None
    rest: str


def stamp(name: str, pattern: re.Pattern[str], form: str | None, where: str) -> Stamp:
    """Date of a name: the first match of the pattern that is a real one.

    Other digits may look like a date; and names of Sentinel-2 products hold two, of which the
    sensing time comes first.

    Raises:
        SitsError: there is no date, or one as a month and day and another as a day of the year.
    """
    found = list(_stamps(name, pattern, form))
    if not found:
        raise SitsError(
            f"{where}.date_pattern: no date in the file name {name!r} by {pattern.pattern!r}"
            f"{f' in the form {form}' if form else ''}; change the pattern, set `date_format`, or "
            "narrow `pattern` to the acquisitions"
        )
    for other in found[1:]:
        if other.by_day != found[0].by_day and other.moment.date() != found[0].moment.date():
            raise SitsError(
                f"{where}.date_pattern: the file name {name!r} holds digits that may be "
                f"{found[0].moment.date()} and {other.moment.date()} (one as a year and a day of "
                "the year); set `date_pattern` to what surrounds the date, such as "
                r"'_(?P<date>\d{8})'"
            )
    return found[0]


def _stamps(name: str, pattern: re.Pattern[str], form: str | None) -> Iterator[Stamp]:
    for match in pattern.finditer(name):
        groups = match.groupdict()
        day, by_day = _day(groups["date"] or "", form)
        if day is None:
            continue
        clock = _clock(groups.get("time"))
        exact = clock is not None or (day.hour, day.minute, day.second) != (0, 0, 0)
        moment = day if clock is None else datetime.combine(day.date(), clock.time())
        band = groups.get("band")
        first, last = match.span("band") if band is not None else (0, 0)
        yield Stamp(moment, exact, by_day, band, name[:first] + name[last:])


def _day(text: str, form: str | None) -> tuple[datetime | None, bool]:
    """The date that a text is, and whether it is written as a day of the year."""
    if form is None:
        digits = re.sub(r"[-_./]", "", text)
        found = _parsed(digits, _DIGITS[len(digits)]) if len(digits) in _DIGITS else None
        return found, len(digits) == 7
    return _parsed(text, form), "%j" in form


def _clock(text: str | None) -> datetime | None:
    digits = re.sub(r"[-_.:]", "", text or "")
    forms = {6: "%H%M%S", 4: "%H%M"}
    return _parsed(digits, forms[len(digits)], years=False) if len(digits) in forms else None


def _parsed(text: str, form: str, years: bool = True) -> datetime | None:
    """A text in exactly this form (strptime takes fewer digits than a form has)."""
    try:
        moment = datetime.strptime(text, form)
    except ValueError:
        return None
    if moment.strftime(form).lower() != text.lower():
        return None
    return moment if not years or FIRST_YEAR <= moment.year <= LAST_YEAR else None
