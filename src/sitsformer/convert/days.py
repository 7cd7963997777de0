"""Dates as people write them -> days since 1970 and days of year."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from sitsformer.convert.npz import Array, texts
from sitsformer.errors import SitsError

Ints = npt.NDArray[np.int64]

EPOCH = date(1970, 1, 1)
YEARS = range(1970, 2101)
YEAR = 366
"""Days added to those after New Year, so that they come after those before it."""

RUN, STEPS_A_YEAR = 4, 73
"""So many days in a row, all of them up to the number of five-day steps in a year, are no days."""

_TIME = r"(?:[T ]?\d{2}:?\d{2}(?::?\d{2}(?:\.\d+)?)?)?(?:Z|[+]00:?00)?"
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<doy>\d{1,3})",
        r"(?P<year>\d{4})[-/]?(?P<doy>\d{3})",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:T\d{6})?Z?",
        r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})" + _TIME,
        r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})",
        r"(?P<first>\d{1,2})(?P<stroke>[-/])(?P<second>\d{1,2})(?P=stroke)(?P<year>\d{4})",
    )
)
"""Forms of a date; in the last one day or month may come first."""
_NOTHING = ("", "NaT", "nan", "None", "0", "1970-01-01")


@dataclass(frozen=True)
class Days:
    """Days of the steps of a file; arrays of one shape.

    Attributes:
        doy: int64 day of year 1-366; 0: no such step.
        date: int64 days since 1970-01-01; -1 where the year is unknown.
    """

    doy: Ints
    date: Ints

    @property
    def dated(self) -> bool:
        """Whether the years are known."""
        return bool((self.date[self.doy > 0] >= 0).all())


def parse(values: Array, where: str) -> Days:
    """Read dates of any kind that can be read in one way only.

    datetime64; text or whole numbers as ISO days, YYYYMMDD, year and day of year (2021-123), day.
    month.year, or days of year 1-366. Days and months with strokes between them (03/05/2021)
    are read where one date of the file tells their order.

    Args:
        values: of any shape; 0 (also as a date, 1970-01-01), NaT and empty text stand for steps
            that do not exist.
        where: what a message says first.

    Raises:
        SitsError: values that are no dates, or can be read in two ways.
    """
    if values.dtype.kind == "M":
        since = values.astype("datetime64[D]").astype(np.int64)
        return _from_dates(since, np.isnat(values) | (since == 0))
    if values.dtype.kind in "fiu":
        values = _whole(values, where)
    elif values.dtype.kind not in "SU":
        raise SitsError(f"{where} has the type {values.dtype}, which is no date")
    written, place = np.unique(np.array(texts(values), object), return_inverse=True)
    known = [text for text in written if text not in _NOTHING]
    table = _read(known, where)
    found = [table.get(text, (0, -1)) for text in written]
    both = np.array(found, np.int64).reshape(-1, 2)[place.reshape(-1)]
    return Days(both[:, 0].reshape(values.shape), both[:, 1].reshape(values.shape))


def _whole(values: Array, where: str) -> Array:
    """Numbers without a fraction as int64, NaN as 0."""
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), 0, values)
    if not (values == np.floor(values)).all() or np.abs(values).max(initial=0) > 2**62:
        raise SitsError(f"{where} holds numbers with a fraction, which are no days")
    return values.astype(np.int64)


def _from_dates(since: Ints, missing: npt.NDArray[np.bool_]) -> Days:
    """Days since 1970 -> both forms."""
    days = np.where(missing, 0, since).astype("datetime64[D]")
    doy = (days - days.astype("datetime64[Y]")).astype(np.int64) + 1
    return Days(np.where(missing, 0, doy), np.where(missing, -1, since))


def _read(known: list[str], where: str) -> dict[str, tuple[int, int]]:
    """Text -> (day of year, days since 1970); one form for all of a file."""
    if not known:
        return {}
    form = next((pattern for pattern in _PATTERNS if pattern.fullmatch(known[0])), None)
    if form is None:
        raise SitsError(
            f"{where}: {known[0]!r} is no date that can be read: write ISO days such as 2021-05-03"
        )
    fields: dict[str, dict[str, int]] = {}
    for text in known:
        match = form.fullmatch(text)
        if match is None:
            raise SitsError(
                f"{where}: {text!r} is written otherwise than {known[0]!r}: write all dates alike, "
                "such as 2021-05-03"
            )
        fields[text] = {k: int(v) for k, v in match.groupdict().items() if k != "stroke"}
    if "year" not in form.groupindex:
        _check_days(sorted(found["doy"] for found in fields.values()), where)
        return {text: (_day_of_year(found["doy"], where), -1) for text, found in fields.items()}
    if "first" in form.groupindex:
        _tell_day_from_month(fields, where)
    return {text: _both(text, found, where) for text, found in fields.items()}


def _check_days(numbers: list[int], where: str) -> None:
    """Refuse months, and the numbers of steps: Sentinel-2 comes by on no such days in a row."""
    run = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    if run and len(numbers) >= RUN and numbers[-1] <= STEPS_A_YEAR:
        what = "months" if numbers[-1] <= 12 else "the numbers of steps"
        raise SitsError(
            f"{where}: {numbers[0]}, {numbers[1]}, {numbers[2]}, ... {numbers[-1]} look like {what}"
            ", not days of year: write the day of each step, such as 2021-05-03 or 123"
        )


def _tell_day_from_month(fields: dict[str, dict[str, int]], where: str) -> None:
    """Call the first and second numbers day and month, where a value above 12 tells the order."""
    day_first = any(found["first"] > 12 for found in fields.values())
    month_first = any(found["second"] > 12 for found in fields.values())
    if day_first == month_first:
        raise SitsError(
            f"{where}: {next(iter(fields))!r} can be day/month or month/day: write ISO days such "
            "as 2021-05-03"
        )
    day, month = ("first", "second") if day_first else ("second", "first")
    for found in fields.values():
        found |= {"day": found[day], "month": found[month]}


def _both(text: str, fields: dict[str, int], where: str) -> tuple[int, int]:
    """Day of year, and days since 1970."""
    year = fields["year"]
    try:
        if "doy" in fields:
            found = date(year, 1, 1) + timedelta(days=_day_of_year(fields["doy"], where) - 1)
        else:
            found = date(year, fields["month"], fields["day"])
    except ValueError as error:
        raise SitsError(f"{where}: {text!r} is no date: {error}") from None
    if found.year not in YEARS or found.year != year:
        raise SitsError(f"{where}: {text!r} is no date of a satellite image")
    return found.timetuple().tm_yday, (found - EPOCH).days


def _day_of_year(day: int, where: str) -> int:
    if not 1 <= day <= 366:
        raise SitsError(f"{where}: days of year must be 1-366 (1 is 1 January); found {day}")
    return day


def keys(days: Days, used: npt.NDArray[np.bool_], where: str) -> Ints:
    """What the steps (T,) of one series are sorted by.

    Without years, days of year may fall once, at New Year, where the last is not after the first.

    Raises:
        SitsError: days of year without years that are in no order of time.
    """
    if days.dated:
        return days.date
    doy = days.doy[used]
    turn = np.diff(doy, prepend=doy[:1]) < 0
    if turn.sum() > 1 or (turn.any() and doy[-1] > doy[0]):
        raise SitsError(
            f"{where}: the days of year {_some(doy)} are out of order, or of more than a year: "
            "sort the steps by time"
        )
    found = days.doy.copy()
    found[used] += YEAR * np.cumsum(turn)
    return found


def _some(doy: npt.NDArray[Any]) -> str:
    shown = ", ".join(map(str, doy[:8].tolist()))
    return shown if len(doy) <= 8 else f"{shown}, ..."
