"""Print the tables of docs/results.md from the tables of a run.

python scripts/results_table.py results/tables
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd


def main(folder: Path) -> None:
    """Macro F1 by method and shots with the interval over seeds, then the claims."""
    summary = pd.read_parquet(folder / "summary.parquet")
    part = summary[summary.score == "macro_f1"]
    shots = sorted(set(part.shots), key=lambda s: (s == "few", s == "all", s.zfill(6)))
    print("| method |", " | ".join(shots), "|")
    print("|---" * (len(shots) + 1) + "|")
    for arm in dict.fromkeys(part.arm):
        rows = part[part.arm == arm].set_index("shots")
        cells = [_cell(rows.loc[s]) if s in rows.index else "" for s in shots]
        print(f"| {arm} |", " | ".join(cells), "|")
    print()
    for sentence in pd.read_parquet(folder / "claims.parquet").sentence:
        print(f"- {sentence}")


def _cell(row: pd.Series) -> str:
    half = (row.high_seeds - row.low_seeds) / 2
    return f"{row['mean']:.3f}" + (f" ± {half:.3f}" if half == half else "")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
