"""Names of the result tables, and how they are written and read.

Light to import: the workflow lists its outputs by these names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sitsformer import artefacts
from sitsformer.errors import SitsError
from sitsformer.fewshot import OLD_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

TABLES = (
    "fewshot",
    "summary",
    "differences",
    "claims",
    "per_class",
    "confusion",
    "reliability",
    "conformal",
    "choices",
    "leakage",
)
"""Tables that evaluation makes; docs/evaluation.md describes them."""

NAMES = tuple(f"{table}.{suffix}" for table in TABLES for suffix in ("csv", "parquet"))
"""File names of the tables."""


def write(frame: pd.DataFrame, folder: Path, name: str) -> None:
    """Write a table as CSV (seven significant digits) and Parquet."""
    with artefacts.create_file(folder / f"{name}.csv", "table") as path:
        frame.to_csv(path, index=False, float_format="%.7g")
    with artefacts.create_file(folder / f"{name}.parquet", "table") as path:
        frame.to_parquet(path, index=False)


def read(folder: Path, name: str) -> pd.DataFrame:
    """Read a table, also one that an earlier version wrote.

    Raises:
        SitsError: it does not exist, or damaged.
    """
    import pandas as pd
    import pyarrow as pa

    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise SitsError(f"{path} is missing: run `sitsformer evaluate` first")
    artefacts.refuse_altered(path, "run `sitsformer evaluate` again")
    try:
        return pd.read_parquet(path, engine="pyarrow").rename(columns=OLD_COLUMNS)
    except (OSError, pa.ArrowException) as error:
        raise SitsError(
            f"{path} cannot be read as a table: {error}; run `sitsformer evaluate` again"
        ) from None
