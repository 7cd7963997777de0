"""CSV tables of points: columns of longitude and latitude (or easting and northing)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sitsformer.config import ConfigError, Survey

if TYPE_CHECKING:
    import pandas as pd
    from geopandas import GeoDataFrame

ENDINGS = (".csv", ".tsv", ".txt")

LON = ("lon", "longitude", "long", "lng", "x", "easting")
LAT = ("lat", "latitude", "y", "northing")
"""Names of the columns, in small letters, the likeliest first."""

NOTHING = ("na", "n/a", "nan", "null", "none", "-")
"""What stands in a column of coordinates where there are none, in small letters."""


def read(path: Path, survey: Survey, where: str) -> GeoDataFrame:
    """Read a table of points.

    Args:
        path: of the table; columns are parted by commas, semicolons or tabs.
        survey: `lon`, `lat` and `crs` are used.
        where: the file, for messages.

    Raises:
        ConfigError: it is no table, or has no columns of coordinates.
    """
    import geopandas
    import pandas as pd

    try:
        # As text: a column of codes with an empty cell would become one of fractions.
        frame = pd.read_csv(
            path, sep=None, engine="python", encoding="utf-8-sig", dtype=str,
            keep_default_na=False, skipinitialspace=True,
        )  # fmt: skip
    except Exception as error:
        raise ConfigError(
            f"{where} cannot be read as a table: {error}; save it as CSV (UTF-8)"
        ) from None
    frame.columns = [str(name).strip() for name in frame.columns]
    x = _numbers(frame, _column(frame, survey.lon, LON, "lon", where), where)
    y = _numbers(frame, _column(frame, survey.lat, LAT, "lat", where), where)
    known = x.notna() & y.notna()
    if survey.crs is None and known.any() and y.abs().max() > 90 and x.abs().max() <= 90:
        raise ConfigError(
            f"{where}: latitudes reach {y.abs().max():g} degrees, longitudes {x.abs().max():g}: "
            "the two seem to be exchanged; name the columns with `lon` and `lat` (or the system of "
            "metres with `crs`)"
        )
    shapes = geopandas.points_from_xy(x.where(known, 0.0), y.where(known, 0.0))
    found = geopandas.GeoDataFrame(frame, geometry=shapes, crs=survey.crs or "EPSG:4326")
    found.loc[~known.to_numpy(), "geometry"] = None
    return found


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
