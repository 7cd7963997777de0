"""Make the two tables of the California experiment (docs/results.md) from one file of CDL series.

    python scripts/california_sets.py california-cdl-2021.npz OUT_FOLDER

`crops.npz` holds the series with their crop labels, `groups.npz` the same series with three coarse
groups in place of crops: what a land-cover product could tell, which the file does not have. Both
keep their order, so `sitsformer convert table` with one seed gives both the same splits.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

GROUPS = {
    "other": ("Others",),
    "field crop": ("Rice", "Alfalfa"),
    "orchard or vineyard": ("Grapes", "Almonds", "Pistachios"),
}


def main(source: Path, folder: Path) -> None:
    """Write both tables."""
    with np.load(source, allow_pickle=False) as opened:
        found = {name: opened[name] for name in opened.files}
    names = list(map(str, found["label_names"]))
    group = np.empty(len(names), np.uint8)
    for position, members in enumerate(GROUPS.values()):
        group[[names.index(name) for name in members]] = position
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "crops.npz", **found)
    coarse = {"label": group[found["label"]], "label_names": np.array(list(GROUPS))}
    np.savez_compressed(folder / "groups.npz", **{**found, **coarse})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
