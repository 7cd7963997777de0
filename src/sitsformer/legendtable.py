"""Legend tables as people save them: with a text editor, or with a spreadsheet.

A spreadsheet may write a byte order mark, UTF-16 or Windows-1252, semicolons or tabs between the
columns, `1.0` for 1, empty rows at the end. What can be read in one way only is read; anything
else is refused with the line it stands in.
"""

from __future__ import annotations

import csv
import io
import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache

from sitsformer.classes import HIGHEST_CODE
from sitsformer.config import ConfigError
from sitsformer.errors import some

logger = logging.getLogger("sitsformer")

COLOURS = (
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#ee7733",
    "#0077bb", "#009988", "#cc3311", "#33bbee", "#ee3377", "#999933", "#882255", "#44aa99",
)  # fmt: skip
"""Colours of classes that come without: Paul Tol's colour-blind safe schemes."""


def made_colour(position: int) -> str:
    """Colour of a class that comes without one, by its position among the classes."""
    return COLOURS[position % len(COLOURS)]


_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_DELIMITERS = ",;\t|"
_HEADS = {"color": "colour"}
"""Other spellings of the columns."""


@cache
def parse(name: str, data: bytes) -> tuple[tuple[int, ...], tuple[str, ...], tuple[str, ...]]:
    """Codes, names and colours (`#rrggbb`) of a table with the columns code, name, colour.

    Raises:
        ConfigError: the table cannot be read in one way.
    """
    where = f"legend {name}"
    codes: list[int] = []
    names: list[str] = []
    colours: list[str] = []
    for line, row in _rows(where, _text(where, data)):
        here = f"{where}, line {line}"
        codes.append(_code(here, row["code"]))
        names.append(clean(row["name"]))
        if not names[-1]:
            raise ConfigError(f"{here}: code {codes[-1]} has no name; give it one")
        given = row.get("colour")
        colours.append(_colour(here, given) if given else made_colour(len(codes) - 1))
    code, count = Counter(codes).most_common(1)[0] if codes else (0, 0)
    if count > 1:
        raise ConfigError(f"{where}: the code {code} stands in several rows; keep one of them")
    if not codes:
        raise ConfigError(f"{where}: the table has no rows below its header")
    return tuple(codes), tuple(names), tuple(colours)


def clean(name: str) -> str:
    """A name with composed letters and single blanks, without control characters."""
    composed = unicodedata.normalize("NFC", name)
    blanks = "".join(" " if unicodedata.category(c) == "Cc" else c for c in composed)
    return " ".join(blanks.split())


def _text(where: str, data: bytes) -> str:
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise ConfigError(f"{where}: a workbook of a spreadsheet; save the sheet as CSV (UTF-8)")
    encoding = next((codec for mark, codec in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = _western(where, data) if encoding == "utf-8" else "\0"
    if "\0" in text:
        raise ConfigError(f"{where}: the file is not text; save the table as CSV (UTF-8)")
    return text


def _western(where: str, data: bytes) -> str:
    """Text of a spreadsheet that saves in the code page of western Windows."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        raise ConfigError(
            f"{where}: neither UTF-8 nor Windows-1252; save the table as CSV (UTF-8)"
        ) from None
    odd = next(line for line in text.splitlines() if not line.isascii())
    logger.warning(
        "%s: not UTF-8, read as Windows-1252, where a line is %r; if the letters are wrong, save "
        "the table as CSV (UTF-8)", where, odd[:80],
    )  # fmt: skip
    return text


def _rows(where: str, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows that are not empty, by the names of the columns, each with its line."""
    # A spreadsheet's own first line `sep=;` is no header.
    hint = re.match(r'"?sep=(.)"?[ \t]*(\r\n|\r|\n)', text, re.IGNORECASE)
    skipped = 1 if hint else 0
    text = text[hint.end() :] if hint else text
    found: list[str] = []
    for delimiter in _DELIMITERS:
        lines = csv.reader(
            io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
        )
        try:
            rows = [(lines.line_num + skipped, [cell.strip() for cell in row]) for row in lines]
        except csv.Error as error:
            raise ConfigError(
                f"{where}, line {lines.line_num + skipped}: {error}; see to the quotes"
            ) from None
        rows = [(line, row) for line, row in rows if any(row)]
        if not rows:
            raise ConfigError(f"{where}: the file is empty; it needs the columns code,name,colour")
        head = [_HEADS.get(cell.casefold(), cell.casefold()) for cell in rows[0][1]]
        if {"code", "name"} <= set(head):
            return iter([(line, _by_name(where, line, head, row)) for line, row in rows[1:]])
        found = max(found, rows[0][1], key=len)
    raise ConfigError(
        f"{where}: the table needs a first line with the columns code,name,colour; it has "
        f"{some(found)}"
    )


def _by_name(where: str, line: int, head: list[str], row: list[str]) -> dict[str, str]:
    twice = [name for name in ("code", "name", "colour") if head.count(name) > 1]
    if twice:
        raise ConfigError(f"{where}: two columns are called {twice[0]}; rename one of them")
    if any(row[len(head) :]):
        raise ConfigError(
            f"{where}, line {line}: {len(row)} cells below {len(head)} columns; put a name that "
            'holds the delimiter in quotes: "wheat, winter"'
        )
    return dict(zip(head, [*row, *[""] * (len(head) - len(row))], strict=False))


def _code(here: str, text: str) -> int:
    if not re.fullmatch(r"\+?\d+([.,]0*)?", text) or not text.isascii():
        raise ConfigError(f"{here}: {text!r} is not a code; write a whole number from 0 to 65535")
    code = int(re.split("[.,]", text)[0])
    if code > HIGHEST_CODE:
        raise ConfigError(
            f"{here}: code {code}; codes must lie between 0 and {HIGHEST_CODE}, since layers hold "
            "no larger ones: number the classes anew, in the raster and here; larger codes of a "
            "survey are classes without a legend, which `classes` of a set may gather and name"
        )
    return code


def _colour(here: str, text: str) -> str:
    """`#rrggbb`, with or without `#`, `#rgb`, and names of CSS as `#rrggbb`."""
    short = text.lower()
    if re.fullmatch(r"#?[0-9a-f]{6}", short):
        return "#" + short.lstrip("#")
    if re.fullmatch(r"#[0-9a-f]{3}", short):
        return "#" + "".join(2 * digit for digit in short[1:])
    if short.isalpha():
        from matplotlib.colors import CSS4_COLORS

        if short in CSS4_COLORS:
            return str(CSS4_COLORS[short]).lower()
    raise ConfigError(
        f"{here}: {text!r} is not a colour like #ffd300 (a spreadsheet drops the zeros that a "
        "number starts with: write the `#`)"
    )
