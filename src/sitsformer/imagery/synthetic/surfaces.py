"""Reflectance of everything on the ground over a season, and which pixel sees how much of it.

A pixel's reflectance is a weighted mean of surfaces: each field is four surfaces (thin and dense
stand, dark and bright soil), between which its inner variation interpolates; roads, roofs, water
and so on are one each. The weights come from 3 x 3 points a pixel, so that edges are mixed as in a
real image. One sparse product then makes all dates and bands at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from sitsformer.imagery.synthetic import canopy
from sitsformer.imagery.synthetic.landscape import FEATURES, USES, Ground, Parcels, kind_of
from sitsformer.imagery.synthetic.noise import Floats, fractal, smooth, stream, uniform
from sitsformer.imagery.synthetic.phenology import (
    KINDS,
    TRAITS,
    Growth,
    Stands,
    grow,
    latitude_shift,
    leaf_kind,
)
from sitsformer.imagery.synthetic.tints import ground_seen, tint
from sitsformer.imagery.synthetic.weather import Overpasses
from sitsformer.sensors import BANDS

VIGOUR = (0.55, 1.45)
"""Leaf area of the thin and the dense stand of a field, as factors of its mean."""
SOIL = (0.06, 0.62)
"""Brightness of its dark and bright soil when dry, on the table's axis."""
DRY_LOSS = 0.65
"""Share of the brightness that a soaked soil loses."""
STAND = 0.35
"""Standard deviation of the logarithm of the leaf area among fields of a crop."""
DROUGHT = 0.3
"""Share of the fields that lack water to some degree in a year."""

STATIC = {
    # Typical reflectances, rounded from spectral libraries (ECOSTRESS, ASTER).
    "asphalt": (0.075, 0.090, 0.105, 0.112, 0.120, 0.127, 0.135, 0.140, 0.180, 0.170),
    "gravel": (0.120, 0.155, 0.195, 0.210, 0.222, 0.232, 0.245, 0.252, 0.320, 0.290),
    "tiles": (0.075, 0.100, 0.180, 0.205, 0.220, 0.230, 0.245, 0.255, 0.310, 0.280),
    "concrete": (0.210, 0.235, 0.260, 0.268, 0.275, 0.280, 0.290, 0.295, 0.310, 0.280),
    "water": (0.042, 0.048, 0.034, 0.028, 0.020, 0.019, 0.016, 0.014, 0.008, 0.006),
}
PETALS = (0.060, 0.240, 0.250, 0.330, 0.430, 0.460, 0.480, 0.490, 0.270, 0.150)
"""A layer of yellow petals over leaves."""
SHARED = ("deciduous", "grassland", "wetland")
"""Plants that grow outside fields: hedges and gardens' trees, verges and lawns, marshes."""
POINTS = 3
"""Points a pixel side at which the ground is looked up."""


def season(
    seed: int,
    epsg: int,
    parcels: Parcels,
    passes: Overpasses,
    place: tuple[float, float, float, float],
) -> NDArray[np.float32]:
    """Reflectance of the surfaces of a tile.

    Returns:
        (surface, time, band): four for each field, four for each of SHARED (all the same way
        ordered: thin dark, thin bright, dense dark, dense bright), then one for each of STATIC.
    """
    latitude = place[1] + (parcels.y - place[3]) / 111_000
    plants = _fields_over_time(seed, epsg, parcels, latitude, passes)
    dryness = 1 - DRY_LOSS * passes.wetness
    of_soil, of_leaf = tint(seed, epsg, parcels, plants[1], passes.day)
    nodes = []
    for vigour in VIGOUR:
        for bright in SOIL:
            soil = np.broadcast_to(bright * dryness, plants[1].lai.shape)
            seen = _look(plants[0], plants[1], vigour, soil, passes)
            ground = ground_seen(plants[1].lai * vigour)[..., None]
            nodes.append(seen * np.exp(ground * of_soil + (1 - ground) * of_leaf))
    fields = np.stack(nodes, axis=1).reshape(-1, len(passes.day), len(BANDS))
    wet = 1 - 0.12 * passes.wetness[None, :, None]
    static = np.array(list(STATIC.values()), np.float32)[:, None, :] * wet
    return np.concatenate([fields, static]).astype(np.float32)


def mixing(seed: int, epsg: int, ground: Ground, x: Floats, y: Floats, size: int) -> csr_matrix:
    """Share of each surface of `season` in each pixel, (pixel, surface); rows sum to one.

    Args:
        seed: of the landscape.
        epsg: UTM zone.
        ground: what lies at the points.
        x: (point,) eastings, metres; POINTS x POINTS a pixel, in rows from north to south.
        y: (point,) northings, metres.
        size: pixels a tile side.
    """
    count = len(ground.parcels.use)
    plant, static = _cover_of_points(seed, epsg, ground, x, y, count)
    vigour = 1 + 0.20 * fractal(stream(seed, "stand", epsg), x, y, (140.0, 45.0), (1.0, 0.7))
    vigour -= 0.22 * (ground.margin < 9) * (plant < count)
    dense = np.clip((vigour - VIGOUR[0]) / (VIGOUR[1] - VIGOUR[0]), 0, 1)
    bright = 0.5 + 0.24 * fractal(stream(seed, "soil", epsg), x, y, (900.0, 160.0), (1.0, 0.6))
    bright = np.clip(bright, 0, 1)
    shares = [
        (1 - dense) * (1 - bright),
        (1 - dense) * bright,
        dense * (1 - bright),
        dense * bright,
    ]
    green = static < 0
    pixel = _pixel_of_point(size)
    columns = [4 * plant[green] + node for node in range(4)]
    columns.append(4 * (count + len(SHARED)) + static[~green])
    rows = [pixel[green]] * 4 + [pixel[~green]]
    weights = [share[green] for share in shares] + [np.ones((~green).sum())]
    width = 4 * (count + len(SHARED)) + len(STATIC)
    entries = (np.concatenate(weights) / POINTS**2).astype(np.float32)
    places = (np.concatenate(rows), np.concatenate(columns))
    return coo_matrix((entries, places), shape=(size * size, width)).tocsr()


def _fields_over_time(
    seed: int, epsg: int, parcels: Parcels, latitude: Floats, passes: Overpasses
) -> tuple[NDArray[np.intp], Growth]:
    """Leaf kind (stand,) or by date (stand, time), and growth, of fields and SHARED plants."""
    south = latitude.mean() < 0
    day = passes.day + (181 if south else 0)  # the southern year, moved by half
    years = np.arange(day.min(), day.max() + 1).astype("datetime64[D]").astype("datetime64[Y]")
    first, last = int(years[0].astype(int)) + 1970, int(years[-1].astype(int)) + 1970
    best: Growth | None = None
    leaf = np.zeros((len(parcels.use) + len(SHARED), len(day)), np.intp)
    # A winter crop is up before its year begins, and a cover crop lasts into the next year.
    for year in range(first - 1, last + 2):
        stands = _stands(seed, epsg, parcels, latitude, year)
        start = (np.datetime64(str(year), "D") - np.datetime64("1970-01-01")).astype(int)
        growth = grow(stands, (day - start).astype(np.float64))
        kind = np.broadcast_to(leaf_kind(stands.kind)[:, None], leaf.shape)
        if best is None:
            best, leaf = growth, kind
            continue
        larger = growth.lai > best.lai
        leaf = np.where(larger, kind, leaf)
        best = Growth(
            *(np.where(larger, getattr(growth, n), getattr(best, n)) for n in vars(growth))
        )
    assert best is not None
    return leaf, best


def _stands(seed: int, epsg: int, parcels: Parcels, latitude: Floats, year: int) -> Stands:
    """Fields and SHARED plants in a year: what grows there and what sets each one apart."""
    kind = kind_of(seed, epsg, parcels, year)
    x, y = parcels.x, parcels.y
    north = latitude_shift(latitude)
    climate = 5 * smooth(stream(seed, "climate", epsg), x, y, 60_000)
    spring, autumn = (
        6 * smooth(stream(seed, "year", word), x, y, 400_000, year) for word in ("spring", "autumn")
    )
    sowing, ripening, stand, greenness, structure, water = (
        parcels.normal(stream(seed, word, epsg), year)
        for word in ("sowing", "ripening", "stand", "greenness", "structure", "leaf water")
    )
    phase, catch, straw, luck = (
        parcels.uniform(stream(seed, word, epsg), year)
        for word in ("phase", "cover crop", "straw", "drought")
    )
    # Fields that lack water (no irrigation, light soil) stay thin, ripen early and dry out.
    drought = np.where(luck < DROUGHT, 1 - luck / DROUGHT, 0.0)
    spread = np.array([TRAITS[name].spread for name in KINDS])[kind]
    early = north + climate + spring + spread * sowing
    late = 0.7 * (north + climate) + autumn + 0.6 * spread * sowing + 8 * ripening - 20 * drought
    own = (
        kind,
        early,
        late,
        np.exp(STAND * stand - 0.5 * drought),
        5 * greenness,
        phase,
        np.where(catch < 0.25, 0.8 + 6 * catch, 0.25 * catch),
        straw,
        0.05 * structure,
        0.10 * water - 0.20 * drought,
    )
    middle = (
        np.array([KINDS.index(name) for name in SHARED]),
        *(np.full(len(SHARED), float(np.mean(north + climate + spring))) for _ in range(2)),
        np.ones(len(SHARED)),
        np.zeros(len(SHARED)),
        np.full(len(SHARED), 0.5),
        *(np.zeros(len(SHARED)) for _ in range(4)),
    )
    return Stands(*(np.concatenate(pair) for pair in zip(own, middle, strict=True)))


def _look(
    leaf: NDArray[np.intp], growth: Growth, vigour: float, soil: Floats, passes: Overpasses
) -> NDArray[np.float32]:
    """Reflectance (stand, time, band) of stands with a factor on their leaf area."""
    seen = canopy.reflectance(
        leaf,
        passes.view,
        passes.zenith,
        growth.cab,
        growth.brown,
        growth.lai * vigour,
        soil,
    )
    petals = growth.flower[..., None].astype(np.float32)
    return seen * (1 - petals) + np.array(PETALS, np.float32) * petals


def _cover_of_points(
    seed: int, epsg: int, ground: Ground, x: Floats, y: Floats, count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each point the plant (index into fields, then SHARED) and the static surface or -1."""
    static_of = {name: i for i, name in enumerate(STATIC)}
    shared_of = {name: count + i for i, name in enumerate(SHARED)}
    plant = ground.parcel.astype(np.intp)
    static = np.full(len(plant), -1, np.intp)

    _build_villages(seed, epsg, ground, x, y, plant, static, (static_of, shared_of))
    for feature, name in (("road", "asphalt"), ("track", "gravel"), ("water", "water")):
        static[ground.feature == FEATURES.index(feature)] = static_of[name]
    for feature, name in (("hedge", "deciduous"), ("verge", "grassland"), ("marsh", "wetland")):
        here = ground.feature == FEATURES.index(feature)
        plant[here], static[here] = shared_of[name], -1
    return plant, static


def _build_villages(
    seed: int,
    epsg: int,
    ground: Ground,
    x: Floats,
    y: Floats,
    plant: NDArray[np.intp],
    static: NDArray[np.intp],
    names: tuple[dict[str, int], dict[str, int]],
) -> None:
    """Put streets, roofs, yards, trees and lawns on built-up land; denser here, greener there."""
    static_of, shared_of = names
    here = ground.parcels.use[ground.parcel] == USES.index("built")
    x, y = x[here], y[here]
    column, row = (np.floor(axis / 13).astype(int) for axis in (x, y))
    cell = uniform(stream(seed, "house", epsg), column, row)
    # The open share of the land, from a third in a centre to nine tenths at the outskirts.
    green = 0.62 + 0.15 * smooth(stream(seed, "density", epsg), x, y, 160.0)
    cell = np.where(cell < green, 0.5 * cell / green, 0.5 + 0.5 * (cell - green) / (1 - green))
    street = (np.mod(x + 0.2 * y, 78) < 7) | (np.mod(y - 0.2 * x, 96) < 7)
    at, fixed = np.full(len(x), shared_of["grassland"]), np.full(len(x), -1)
    at[cell < 0.16] = shared_of["deciduous"]
    for low, name in ((0.5, "tiles"), (0.72, "asphalt"), (0.93, "concrete")):
        fixed[cell >= low] = static_of[name]
    fixed[street] = static_of["asphalt"]
    plant[here], static[here] = at, fixed


def _pixel_of_point(size: int) -> NDArray[np.int64]:
    """Index of the pixel of each point, both in rows from north to south."""
    across = np.arange(size * POINTS) // POINTS
    return (across[:, None] * size + across[None, :]).ravel()
