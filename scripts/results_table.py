"""Print the tables of docs/results.md from the tables of a run, or write them as CSV.

python scripts/results_table.py results/tables
python scripts/results_table.py results/tables --csv docs/results/demo.csv --name demo
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

COLUMNS = ("low_seeds", "high_seeds", "low_blocks", "high_blocks")


def main() -> None:
    """Macro F1 by method and shots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="results/tables")
    parser.add_argument("--csv", type=Path, help="write them here instead")
    parser.add_argument("--name", default="", help="of the data set, a column of the CSV")
    given = parser.parse_args()
    summary = pd.read_parquet(given.folder / "summary.parquet")
    part = summary[summary.score == "macro_f1"]
    if given.csv is None:
        show(part, pd.read_parquet(given.folder / "claims.parquet"))
        return
    table = part.rename(columns={"arm": "method_name", "shots": "k"})
    table = table.assign(data_set=given.name)
    table = table[["data_set", "method_name", "k", "mean", *COLUMNS, "runs", "draws"]]
    given.csv.parent.mkdir(parents=True, exist_ok=True)
    table.rename(columns={"method_name": "method"}).round(4).to_csv(given.csv, index=False)


def show(part: pd.DataFrame, claims: pd.DataFrame) -> None:
    """A table by method and shots with the interval over seeds, then the claims."""
    shots = sorted(set(part.shots), key=lambda s: (s == "few", s == "all", s.zfill(6)))
    print("| method |", " | ".join(shots), "|")
    print("|---" * (len(shots) + 1) + "|")
    for arm in dict.fromkeys(part.arm):
        rows = part[part.arm == arm].set_index("shots")
        cells = [_cell(rows.loc[s]) if s in rows.index else "" for s in shots]
        print(f"| {arm} |", " | ".join(cells), "|")
    print()
    for sentence in claims.sentence:
        print(f"- {sentence}")


def _cell(row: pd.Series) -> str:
    half = (row.high_seeds - row.low_seeds) / 2
    return f"{row['mean']:.3f}" + (f" ± {half:.3f}" if half == half else "")


if __name__ == "__main__":
    main()
