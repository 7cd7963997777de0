"""CSV tables of points: columns of longitude and latitude (or easting and northing)."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sitsformer.config import ConfigError, Survey

if TYPE_CHECKING:
    import pandas as pd
    from geopandas import GeoDataFrame
    from pyproj import CRS

ENDINGS = (".csv", ".tsv", ".txt")

DEGREES = (("lon", "longitude", "long", "lng"), ("lat", "latitude"))
METRES = (("x", "easting"), ("y", "northing"))
"""Names of the two columns, in small letters, the likeliest first."""

SEPARATORS = ";\t|,"
"""What parts columns, where several part as many the first: words hold commas."""

NOTHING = ("na", "n/a", "nan", "null", "none", "-")
"""What stands in a column of coordinates where there are none, in small letters."""


def read(path: Path, survey: Survey, crs: CRS | None, where: str) -> GeoDataFrame:
    """Read a table of points.

    Args:
        path: of the table; columns are parted by commas, semicolons, tabs or bars.
        survey: `lon` and `lat` are used.
        crs: of the coordinates; None: degrees (WGS 84).
        where: the file, for messages.

    Raises:
        ConfigError: it is no table, or has no columns of coordinates.
    """
    import geopandas

    frame = _cells(path, survey, where)
    # A table may have both: a system in metres is that of easting and northing.
    pairs = (METRES, DEGREES) if crs is not None and crs.is_projected else (DEGREES, METRES)
    usual = [pairs[0][k] + pairs[1][k] for k in (0, 1)]
    x = _numbers(frame, _column(frame, survey.lon, usual[0], "lon", where), where)
    y = _numbers(frame, _column(frame, survey.lat, usual[1], "lat", where), where)
    known = x.notna() & y.notna()
    if crs is None and (x.abs().median() > 360 or y.abs().median() > 360):
        raise ConfigError(
            f"{where}: {x.abs().max():.9g} and {y.abs().max():.9g} are no degrees; name the system "
            "that the coordinates are in with `crs`, as EPSG:31370"
        )
    if crs is None and known.any() and y.abs().max() > 90 and x.abs().max() <= 90:
        raise ConfigError(
            f"{where}: latitudes reach {y.abs().max():g} degrees, longitudes {x.abs().max():g}: "
            "the two seem to be exchanged; name the columns with `lon` and `lat` (or the system of "
            "metres with `crs`)"
        )
    shapes = geopandas.points_from_xy(x.where(known, 0.0), y.where(known, 0.0))
    found = geopandas.GeoDataFrame(frame, geometry=shapes, crs=crs or "EPSG:4326")
    found.loc[~known.to_numpy(), "geometry"] = None
    return found


def _cells(path: Path, survey: Survey, where: str) -> pd.DataFrame:
    """The cells of a table as text: codes with an empty cell among them would become fractions."""
    import pandas as pd

    text = _text(path, where)
    separator, text = _separator(text)
    try:
        lines = csv.reader(io.StringIO(text, None), delimiter=separator, skipinitialspace=True)
        rows = [row for row in lines if row]
    except csv.Error as error:
        raise ConfigError(f"{where} cannot be read as a table: {error}") from None
    if not rows:
        raise ConfigError(f"{where} is empty; its first row names the columns")
    header = [name.strip() for name in rows[0]]
    for number, row in enumerate(rows[1:], 1):
        if any(row[len(header) :]):
            remedy = (
                "part columns by semicolons where commas are decimal, and quote words with commas"
                if separator == ","
                else f"quote words that hold {separator!r}"
            )
            raise ConfigError(
                f"{where}: feature {number} has {len(row)} cells, and the first row names "
                f"{len(header)} columns; {remedy}"
            )
        row += [""] * (len(header) - len(row))
    used = (survey.column, survey.date, survey.weight, survey.group, survey.lon, survey.lat)
    times = Counter(header)
    for name in used:
        if name is not None and times[name] > 1:
            raise ConfigError(
                f"{where} has {times[name]} columns {name!r}; give the one that is meant a name "
                "of its own"
            )
    frame = pd.DataFrame([row[: len(header)] for row in rows[1:]], columns=header, dtype=str)
    # Of columns that nobody asks for several may be called alike.
    return frame.loc[:, ~frame.columns.duplicated()].copy()


def _text(path: Path, where: str) -> str:
    raw = path.read_bytes()
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{where} is not in UTF-8 (byte {error.start}); save it as CSV (UTF-8)"
        ) from None


def _separator(text: str) -> tuple[str, str]:
    """What parts the columns of a table, and the table without a line that says it (Excel)."""
    if said := re.match(r'"?sep=(.)"?\s*[\r\n]+', text, re.IGNORECASE):
        return said[1], text[said.end() :]
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(SEPARATORS, key=lambda one: len(next(csv.reader([first], delimiter=one), ""))), text


def _column(
    frame: pd.DataFrame, asked: str | None, usual: Sequence[str], key: str, where: str
) -> str:
    there = {str(name).casefold(): str(name) for name in frame.columns}
    if asked is not None:
        if asked in frame.columns:
            return asked
        raise ConfigError(
            f"{where} has no column {asked!r} (`{key}`); it has {', '.join(frame.columns)}"
        )
    found = next((there[name] for name in usual if name in there), None)
    if found is None:
        raise ConfigError(
            f"{where} has no column {' or '.join(usual[:2])}; it has {', '.join(frame.columns)}: "
            f"say which one it is with `{key}`"
        )
    return found


def _numbers(frame: pd.DataFrame, column: str, where: str) -> pd.Series[float]:
    """Coordinates; NaN where a cell is empty."""
    import pandas as pd

    text = frame[column].str.strip()
    text = text.mask(text.str.casefold().isin(NOTHING), "")
    if not text.str.contains(".", regex=False).any():
        text = text.str.replace(",", ".", regex=False)
    found = pd.to_numeric(text, errors="coerce")
    wrong = found.isna() & (text != "")
    if wrong.any():
        number = int(wrong.to_numpy().argmax()) + 1
        raise ConfigError(
            f"{where}: feature {number} has {frame[column].iloc[number - 1]!r} in the column "
            f"{column}, which is no number; write degrees as 4.3517"
        )
    return found
