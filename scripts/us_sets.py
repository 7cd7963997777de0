"""Make the tables of config/examples/us_counties.yaml from one file of series.

    python scripts/us_sets.py us-cdl-2019-irregular.npz OUT_FOLDER
    python scripts/us_sets.py us-cdl-2019-irregular.npz OUT_FOLDER --test Adams,Coahoma --clear

`crops.npz` holds the series with the classes of the CDL that have `LEAST` series or more in the
counties that are learned from and `TESTED` in those that are left out, the others without a label;
`landcover.npz` all series with coarse groups of the same classes as land cover, which only samples
to learn from have. Blocks are counties: the file has no other place. Those that are left out are
the test; of the others every fourth sample validates, so validation and training share counties.

Series are as acquired, clouds in them. With `--clear` steps are left out whose blue reflectance is
above 0.18, as the rasters source does by `clouds: simple`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

LEAST, TESTED = 10, 5
EACH = 4
"""One sample of so many validates."""

BLUE_MAX = 1800
"""Reflectance x 10,000 of B02, above which a step is cloud."""

CROPS = (
    "Corn", "Soybeans", "Winter Wheat", "Spring Wheat", "Cotton", "Rice", "Canola", "Sunflower",
    "Sorghum", "Alfalfa", "Dbl Crop WinWht/Soybeans", "Fallow/Idle Cropland",
)  # fmt: skip
GROUPS = {
    "cropland": CROPS,
    "grassland": ("Grass/Pasture",),
    "shrubland": ("Shrubland",),
    "tree cover": ("Evergreen Forest", "Deciduous Forest", "Mixed Forest", "Woody Wetlands"),
}


def splits(found: dict[str, Any], test: list[str]) -> np.ndarray:
    """(sample,) train, validation or test."""
    region = found["region"].astype(str)
    unknown = sorted(set(test) - set(region))
    if unknown:
        known = ", ".join(sorted(set(region)))
        raise SystemExit(f"the file has no county {unknown[0]!r}; it has {known}")
    split = np.where(np.isin(region, test), "test", "train").astype("<U10")
    others = np.flatnonzero(split == "train")
    split[others[EACH - 1 :: EACH]] = "validation"
    return split


def crop_labels(found: dict[str, Any], split: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """(sample,) classes that are common enough on both sides, -1 the others; their names."""
    names, label = found["label_names"].astype(str), found["label"]
    counts = [
        np.bincount(label[(label >= 0) & rows], minlength=len(names))
        for rows in (split == "train", split == "test")
    ]
    chosen = np.flatnonzero((counts[0] >= LEAST) & (counts[1] >= TESTED))
    if len(chosen) < 2:
        raise SystemExit("fewer than two classes are common to both sides: leave out others")
    place = np.full(len(names), -1, np.int16)
    place[chosen] = np.arange(len(chosen))
    return np.where(label >= 0, place[label.clip(0)], -1), names[chosen].tolist()


def cover_labels(found: dict[str, Any], split: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """(sample,) coarse group of the samples of the training split, -1 of all others; the names."""
    names, label = found["label_names"].astype(str), found["label"]
    group = np.full(len(names), -1, np.int16)
    for position, members in enumerate(GROUPS.values()):
        group[np.isin(names, members)] = position
    known = (split == "train") & (label >= 0)
    return np.where(known, group[label.clip(0)], -1), list(GROUPS)


def main(source: Path, folder: Path, test: list[str], clear: bool) -> None:
    """Write both tables."""
    with np.load(source, allow_pickle=False) as opened:
        found = {name: opened[name] for name in opened.files}
    shared = {name: found[name] for name in ("x", "bands")}
    shared |= {"dates": found["doy"], "block": found["region"]}
    if clear:
        blue = found["x"][..., found["bands"].astype(str).tolist().index("B02")]
        shared["valid"] = (found["doy"] > 0) & (blue <= BLUE_MAX)
    split = splits(found, test)
    label, names = crop_labels(found, split)
    folder.mkdir(parents=True, exist_ok=True)
    crops = {"label": label, "label_names": np.array(names), "split": split}
    np.savez_compressed(folder / "crops.npz", **shared, **crops)
    # Pretraining may look at every series, but for some to validate on.
    seen = np.where(np.arange(len(split)) % 10 == 0, "validation", "train")
    label, names = cover_labels(found, split)
    cover = {"label": label, "label_names": np.array(names), "split": seen}
    np.savez_compressed(folder / "landcover.npz", **shared, **cover)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--test", default="Harvey,Haskell", help="counties to leave out")
    parser.add_argument("--clear", action="store_true", help="leave out bright steps")
    given = parser.parse_args()
    main(given.source, given.folder, given.test.split(","), given.clear)
