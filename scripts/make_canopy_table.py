"""Make the table of canopy reflectances behind the embedded landscape.

Runs PROSAIL (PROSPECT-5B leaves in a 4SAIL canopy) over a small grid of states and averages the
spectra over the ten Sentinel-2 bands. The result is checked in; run this only to change it:

    python -m venv /tmp/rtm && /tmp/rtm/bin/pip install torchrtm==1.5.8
    /tmp/rtm/bin/python scripts/make_canopy_table.py src/sitsformer/imagery/synthetic/canopy.csv

Takes about 20 s. The reflectance written is 4SAIL's bidirectional reflectance factor (`rsot`),
which an atmospherically corrected image approximates, as integers x 1e-4.
"""

from __future__ import annotations

import csv
import itertools
import sys
from pathlib import Path

import torch
from torchrtm.models.models import prosail

BANDS = {
    "B02": (492.4, 66),
    "B03": (559.8, 36),
    "B04": (664.6, 31),
    "B05": (704.1, 15),
    "B06": (740.5, 15),
    "B07": (782.8, 20),
    "B08": (832.8, 106),
    "B8A": (864.7, 21),
    "B11": (1613.7, 91),
    "B12": (2202.4, 175),
}
"""Central wavelength and width, nm, of Sentinel-2A (ESA, Sentinel-2 MSI technical guide)."""

PLANTS = {
    # Leaf structure N, LIDFa, LIDFb, water (cm), dry matter (g/cm2), hot spot: erect cereal
    # leaves, flat broad leaves, and woody crowns; ordinary ranges of PROSAIL inversions.
    "grass": (1.4, -0.35, -0.15, 0.013, 0.005, 0.05),
    "broad": (1.6, 0.60, -0.10, 0.018, 0.005, 0.10),
    "woody": (1.8, -0.20, -0.15, 0.012, 0.011, 0.20),
}
CHLOROPHYLL = (15, 35, 60)  # micrograms per cm2
BROWN = (0, 1)  # 0 green, 1 dead: chlorophyll and water nearly gone, brown pigments there
LEAF_AREA = (0.0, 0.25, 0.5, 1.0, 1.5, 2.2, 3.0, 4.2, 6.0)  # m2 per m2
SOIL = (0, 1)  # 0 wet and dark, 1 dry and bright; reflectance is nearly linear in between
SUN = (20, 45, 70)  # zenith, degrees
VIEWS = {"west": 45.0, "east": 135.0}  # azimuth between sun and view, degrees
VIEW_ZENITH = 6.0  # degrees, the middle of half a Sentinel-2 swath


def spectra(states: list[tuple[str, str, int, int, float, int, int]]) -> torch.Tensor:
    """Spectra (state, nm from 400 to 2500) of states (plant, view, cab, brown, lai, soil, sun)."""
    rows = []
    for plant, view, cab, brown, lai, soil, sun in states:
        structure, lidf_a, lidf_b, water, dry, spot = PLANTS[plant]
        leaf = (
            cab * (1 - 0.93 * brown),
            cab / 4 * (1 - 0.6 * brown),
            0.9 * brown,
            water * (1 - 0.85 * brown),
            dry,
        )
        rows.append((*leaf, structure, lidf_a, lidf_b, lai, spot, sun, VIEWS[view], soil))
    column = torch.tensor(rows, dtype=torch.float32).T
    count = len(rows)
    out = prosail(
        column[:5].T.contiguous(),
        column[5],
        column[6],
        column[7],
        column[8].clamp(min=1e-4),
        column[9],
        column[10],
        torch.full((count,), VIEW_ZENITH),
        column[11],
        torch.full((count,), 40.0),
        column[12],
        batch_size=count,
        prospect_type="prospect5b",
    )
    return out[3].T  # rsot


def main(path: Path) -> None:
    """Write the table: one row a state, the last of the seven axes running fastest."""
    axes = (PLANTS, VIEWS, CHLOROPHYLL, BROWN, LEAF_AREA, SOIL, SUN)
    states = list(itertools.product(*axes))
    spectrum = torch.cat(
        [spectra(states[start : start + 200]) for start in range(0, len(states), 200)]
    )
    wavelength = torch.arange(400, 2501)
    table = torch.stack(
        [
            spectrum[:, (wavelength - centre).abs() <= width / 2].mean(1)
            for centre, width in BANDS.values()
        ],
        dim=1,
    )
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["plant", "view", "cab", "brown", "lai", "soil", "sun", *BANDS])
        for state, row in zip(states, (table * 1e4).round().int().tolist(), strict=True):
            writer.writerow([*state, *row])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
