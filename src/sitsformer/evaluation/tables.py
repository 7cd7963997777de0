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

ROWS = {
    "fewshot": "a cell: method, init, shots, seed, overall_accuracy, kappa, macro_f1, "
    "balanced_accuracy, ece, log_loss, adaptation, pretrain_seed",
    "summary": "an arm, shots and score: mean, interval over seeds (`low_seeds`, `high_seeds`) and "
    "over blocks",
    "differences": "a comparison and shots: mean difference, both intervals, verdict",
    "claims": "a claim: verdict, and the sentence of the report",
    "per_class": "a cell and class: support, precision (user's accuracy), recall (producer's "
    "accuracy), F1",
    "confusion": "an arm, shots, true and predicted class: count over seeds, share of the true "
    "class",
    "reliability": "an arm, shots and bin of confidence",
    "conformal": "a cell: coverage and size of prediction sets",
    "choices": "a cell: settings that validation chose, JSON",
    "leakage": "two groups of samples: nearest distance, shared blocks, areas, years, label "
    "product",
}
"""Tables that evaluation makes -> what a row of each is."""

NAMES = tuple(f"{table}.{suffix}" for table in ROWS for suffix in ("csv", "parquet"))
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
