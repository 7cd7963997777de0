"""Make the tables of the Canada experiment (docs/results.md) from one file of surveyed fields.

    python scripts/canada_sets.py canada-aafc-2017.npz OUT_FOLDER

`crops.npz` holds the fields of the eight crops with `LEAST` fields or more, the others without a
label; `worldcover.npz` the same series with the class of ESA WorldCover, which is known everywhere.
Both keep the cells of the file as blocks, so that `sitsformer convert table` with one seed gives
both the same splits.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

LEAST = 75
WORLDCOVER = {
    10: "tree cover", 30: "grassland", 40: "cropland", 50: "built-up", 60: "bare", 80: "water",
    90: "wetland",
}  # fmt: skip


def table(found: dict[str, Any], codes: np.ndarray, names: dict[int, str]) -> dict[str, Any]:
    """The series with classes by code; other codes have none."""
    label = np.full(len(codes), -1, np.int16)
    for position, code in enumerate(names):
        label[codes == code] = position
    return {
        **{name: found[name] for name in ("x", "valid", "lon", "lat", "bands")},
        "dates": np.array([[day[:10] for day in days] for days in found["dates"]]),
        "label": label,
        "label_names": np.array(list(names.values())),
        "block": found["cell_h3_l5"],
    }


def main(source: Path, folder: Path) -> None:
    """Write both tables."""
    with np.load(source, allow_pickle=False) as opened:
        found = {name: opened[name] for name in opened.files}
    codes, counts = np.unique(found["crop_code"], return_counts=True)
    crops = {
        int(code): f"crop {code}"
        for code, count in zip(codes, counts, strict=True)
        if count >= LEAST and code > 0
    }
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "crops.npz", **table(found, found["crop_code"], crops))
    np.savez_compressed(folder / "worldcover.npz", **table(found, found["worldcover"], WORLDCOVER))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
