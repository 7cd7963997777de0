"""Make the tables of the California experiment (docs/results.md) from files of series.

    python scripts/california_sets.py crops california-cdl-2021.npz OUT/crops.npz
    python scripts/california_sets.py pretraining california-cdl-2021.npz \
        california-unlabelled-2021.npz OUT/crops.zarr OUT/pretraining.npz

`crops` writes the series with their crop labels. `pretraining` writes all series there are, those
of the test blocks too, with three coarse groups as land cover: what a product could tell, which the
files do not have. They come from the crop labels, so only samples of the training split get one
(`crops.zarr` is what `sitsformer convert table` made of the first table).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

GROUPS = {
    "other": ("Others",),
    "field crop": ("Rice", "Alfalfa"),
    "orchard or vineyard": ("Grapes", "Almonds", "Pistachios"),
}
SHARED = ("x", "valid", "lon", "lat")


def read(path: Path) -> dict[str, Any]:
    """Every array of a file."""
    with np.load(path, allow_pickle=False) as opened:
        return {name: opened[name] for name in opened.files}


def groups(found: dict[str, Any], split: np.ndarray) -> np.ndarray:
    """(sample,) coarse group of the samples of the training split, -1 of all others."""
    names = list(map(str, found["label_names"]))
    group = np.empty(len(names), np.int16)
    for position, members in enumerate(GROUPS.values()):
        group[[names.index(name) for name in members]] = position
    return np.where(split == 0, group[found["label"]], -1)


def pretraining(labelled: Path, unlabelled: Path, crops: Path, out: Path) -> None:
    """Write all series, labelled ones first."""
    first, second = read(labelled), read(unlabelled)
    order = [list(second["bands"]).index(band) for band in first["bands"]]
    second["x"] = second["x"][..., order]
    label = groups(first, xr.open_zarr(crops).split.values)
    none = np.full(len(second["x"]), -1, np.int16)
    np.savez_compressed(
        out,
        label=np.concatenate([label, none]),
        label_names=np.array(list(GROUPS)),
        bands=first["bands"],
        dates=first["dates"],
        **{name: np.concatenate([first[name], second[name]]) for name in SHARED},
    )


def main(what: str, *paths: str) -> None:
    """Write one table."""
    *sources, out = map(Path, paths)
    out.parent.mkdir(parents=True, exist_ok=True)
    if what == "crops":
        np.savez_compressed(out, **read(sources[0]))
    elif what == "pretraining":
        pretraining(*sources, out)
    else:
        sys.exit(f"{what!r}: give crops or pretraining")


if __name__ == "__main__":
    main(*sys.argv[1:])
