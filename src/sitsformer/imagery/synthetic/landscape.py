"""Where things lie: blocks of farmland, fields, woods, villages, roads, hedges, rivers.

Everything is a function of world coordinates. Blocks are the Voronoi cells of a jittered lattice;
each is cut into strips and the strips into fields, in axes of its own; roads, tracks and hedges run
along block borders, and a slow warp bends all of it. Land use is drawn by block and, less strictly,
by field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from sitsformer.imagery.synthetic.noise import Floats, fractal, normal, smooth, stream, uniform
from sitsformer.imagery.synthetic.phenology import CROPS, KINDS

Ints = NDArray[np.int64]

USES = ("cropland", "grassland", "forest", "built", "scrub", "bare")
BLOCK_SHARES = (0.62, 0.14, 0.13, 0.05, 0.04, 0.02)
"""Share of the blocks under each of USES."""
FIELD_SHARES = (0.52, 0.28, 0.10, 0.01, 0.07, 0.02)
"""Shares for a field that does not follow its block."""
LOYALTY = (0.86, 0.80, 0.93, 0.95, 0.75, 0.80)
"""Probability that a field follows the use of its block, by the block's use."""

FEATURES = ("field", "road", "track", "hedge", "verge", "water", "marsh")
"""What a point is; everything but `field` is drawn over the fields."""

RIVER_SCALE = 1900.0
"""Distance between bends of rivers, metres."""
RIVER_WIDTH = 26.0
"""Typical width, metres; rivers are where a smooth noise is near zero, wider where it is flat."""


@dataclass(frozen=True)
class Parcels:
    """The fields that a tile touches, all (parcel,).

    Attributes:
        identity: (parcel, 4) block column and row, strip, field in the strip: the same in every
            tile; what is drawn for a field is drawn from these four numbers.
        use: index into USES.
        x: easting of the middle of the field's block, metres.
        y: northing, likewise.
    """

    identity: Ints
    use: Ints
    x: Floats
    y: Floats

    def uniform(self, key: int, *more: int) -> Floats:
        """A uniform number for each field."""
        return uniform(key, *self.identity.T, *more)

    def normal(self, key: int, *more: int) -> Floats:
        """A standard normal number for each field."""
        return normal(key, *self.identity.T, *more)


@dataclass(frozen=True)
class Ground:
    """What lies at each point, all (point,) but `parcels`.

    Attributes:
        parcels: the fields.
        parcel: index into `parcels`.
        feature: index into FEATURES.
        margin: distance to the field's border, metres.
    """

    parcels: Parcels
    parcel: Ints
    feature: NDArray[np.int8]
    margin: Floats


def lay_out(seed: int, epsg: int, side: float, x: Floats, y: Floats) -> Ground:
    """Find out what lies at points: eastings and northings (point,), metres.

    Each UTM zone has a landscape of its own; `side` is typical of a field, metres.
    """
    warp = 0.16 * side
    bent_x = x + warp * smooth(stream(seed, "warp x", epsg), x, y, 2.4 * side)
    bent_y = y + warp * smooth(stream(seed, "warp y", epsg), x, y, 2.4 * side)
    block, neighbour, edge, seeds = _blocks(seed, epsg, 4.2 * side, bent_x, bent_y)
    cell, margin = _fields(seed, epsg, side, block, bent_x - seeds[0], bent_y - seeds[1])
    margin = np.minimum(margin, edge)
    identity, first, parcel = _number(np.column_stack([block, cell]))
    parcels = Parcels(identity, _land_use(seed, epsg, identity), *seeds[:, first])
    feature = _features(seed, epsg, parcels, parcel, (block, neighbour, edge), margin)
    _add_rivers(seed, epsg, x, y, feature)
    return Ground(parcels, parcel, feature, margin)


def crop_of(seed: int, epsg: int, parcels: Parcels, year: int) -> Ints:
    """Crop of each field in a year of harvest, as an index into phenology.KINDS.

    Fields rotate from year to year; alfalfa stays for four years. The mix of crops varies from
    region to region.
    """
    names = list(CROPS)
    alfalfa = names.index("alfalfa")
    share = np.array([crop.share for crop in CROPS.values()])
    lean = [
        smooth(stream(seed, "crop mix", epsg, name), parcels.x, parcels.y, 25_000) for name in names
    ]
    weights = share[:, None] * np.exp(0.35 * np.stack(lean))
    weights = weights / weights.sum(0)
    stay = parcels.uniform(stream(seed, "alfalfa phase", epsg))
    term = np.floor(year / 4 + stay).astype(np.int64)
    perennial = uniform(stream(seed, "alfalfa", epsg), *parcels.identity.T, term) < weights[alfalfa]
    weights[alfalfa] = 0
    drawn = parcels.uniform(stream(seed, "crop", epsg), year) * weights.sum(0)
    crop = (drawn[None] >= np.cumsum(weights, 0)).sum(0)
    return np.where(perennial, alfalfa, np.minimum(crop, len(names) - 1)).astype(np.int64)


def kind_of(seed: int, epsg: int, parcels: Parcels, year: int) -> Ints:
    """What grows on each field, as an index into phenology.KINDS (gardens on built-up land)."""
    conifer = parcels.uniform(stream(seed, "conifer", epsg)) < 0.3
    forest = np.where(conifer, KINDS.index("conifer"), KINDS.index("deciduous"))
    by_use: dict[str, Ints | int] = {
        "cropland": crop_of(seed, epsg, parcels, year),
        "grassland": KINDS.index("grassland"),
        "forest": forest,
        "built": KINDS.index("grassland"),
        "scrub": KINDS.index("shrub"),
        "bare": KINDS.index("bare"),
    }
    choices = [np.broadcast_to(np.asarray(by_use[use]), parcels.use.shape) for use in USES]
    return np.choose(parcels.use, choices)


def _blocks(
    seed: int, epsg: int, step: float, x: Floats, y: Floats
) -> tuple[Ints, Ints, Floats, Floats]:
    """Voronoi cell, the next one, the distance to their border, and the cell's seed (2, point)."""
    key = stream(seed, "blocks", epsg)
    margin = 3  # cells: jittered seeds further away cannot be among the two nearest
    columns = np.arange(int(x.min() // step) - margin, int(x.max() // step) + margin + 1)
    rows = np.arange(int(y.min() // step) - margin, int(y.max() // step) + margin + 1)
    column, row = (axis.ravel() for axis in np.meshgrid(columns, rows))
    seeds = np.stack(
        [
            (column + 0.5 + 0.8 * (uniform(key, column, row, 0) - 0.5)) * step,
            (row + 0.5 + 0.8 * (uniform(key, column, row, 1) - 0.5)) * step,
        ]
    )
    distance, nearest = cKDTree(seeds.T).query(np.column_stack([x, y]), k=2)
    first, second = nearest.T
    apart = np.hypot(*(seeds[:, first] - seeds[:, second]))
    edge = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * apart)
    cells = np.column_stack([column, row])
    return cells[first], cells[second], edge, seeds[:, first]


def _fields(
    seed: int, epsg: int, side: float, block: Ints, x: Floats, y: Floats
) -> tuple[Ints, Floats]:
    """Strip and field (point, 2) in a block's own axes, and the distance to the field's border."""
    key = stream(seed, "fields", epsg)
    blocks, member = np.unique(block, axis=0, return_inverse=True)
    member = member.ravel()
    column, row = blocks.T
    region = smooth(stream(seed, "grain", epsg), column, row, 12)
    angle = 0.5 * region + 0.1 * normal(key, column, row, 0)
    angle = (angle + np.pi / 2 * (uniform(key, column, row, 1) < 0.5))[member]
    depth = (side * (0.65 + 0.6 * uniform(key, column, row, 2)))[member]
    start = uniform(key, column, row, 3)[member]

    along = x * np.cos(angle) + y * np.sin(angle)
    across = (y * np.cos(angle) - x * np.sin(angle)) / depth + start
    strip = np.floor(across).astype(np.int64)
    indices = (block[:, 0], block[:, 1], strip)
    length = side * (0.8 + 1.1 * uniform(stream(key, "length"), *indices))
    along = along / length + uniform(stream(key, "offset"), *indices)
    field = np.floor(along).astype(np.int64)
    to_strip = np.minimum(across - strip, 1 - across + strip) * depth
    to_end = np.minimum(along - field, 1 - along + field) * length
    return np.column_stack([strip, field]), np.minimum(to_strip, to_end)


def _number(identity: Ints) -> tuple[Ints, NDArray[np.intp], Ints]:
    """Distinct rows, where each stands first, and the index of each row among them."""
    # One integer a row is much faster to sort than rows of four.
    low = identity.min(0)
    span = identity.max(0) - low + 1
    flat = np.zeros(len(identity), np.int64)
    for axis in range(identity.shape[1]):
        flat = flat * span[axis] + identity[:, axis] - low[axis]
    _, first, member = np.unique(flat, return_index=True, return_inverse=True)
    return identity[first], first, member.ravel()


def _land_use(seed: int, epsg: int, identity: Ints) -> Ints:
    """Use of each field (parcel,), index into USES."""
    column, row = identity[:, 0], identity[:, 1]
    key = stream(seed, "use", epsg)
    block = _draw(BLOCK_SHARES, uniform(key, column, row))
    loyal = uniform(key, *identity.T, 1) < np.array(LOYALTY)[block]
    return np.where(loyal, block, _draw(FIELD_SHARES, uniform(key, *identity.T, 2)))


def _draw(shares: tuple[float, ...], drawn: Floats) -> Ints:
    return np.minimum(np.searchsorted(np.cumsum(shares), drawn), len(shares) - 1).astype(np.int64)


def _features(
    seed: int,
    epsg: int,
    parcels: Parcels,
    parcel: Ints,
    border: tuple[Ints, Ints, Floats],
    margin: Floats,
) -> NDArray[np.int8]:
    """Roads, tracks and hedges along block borders; hedges and verges around fields."""
    block, neighbour, edge = border
    one, other = np.minimum(block, neighbour), np.maximum(block, neighbour)
    # The pair of minima and maxima, with the block's own cell dropped, is the same from both sides.
    drawn = uniform(stream(seed, "border", epsg), *one.T, *other.T)
    feature = np.zeros(len(parcel), np.int8)
    hedged = (parcels.uniform(stream(seed, "hedge", epsg)) < 0.14)[parcel]
    open_land = np.isin(parcels.use, [USES.index("cropland"), USES.index("grassland")])[parcel]
    feature[open_land & (margin < 1.7)] = FEATURES.index("verge")
    feature[open_land & hedged & (margin < 4.5)] = FEATURES.index("hedge")
    feature[(drawn < 0.75) & (edge < 3.0)] = FEATURES.index("track")
    feature[(drawn < 0.45) & (edge < 5.0)] = FEATURES.index("road")
    feature[(drawn >= 0.75) & (drawn < 0.9) & (edge < 6.0)] = FEATURES.index("hedge")
    return feature


def _add_rivers(seed: int, epsg: int, x: Floats, y: Floats, feature: NDArray[np.int8]) -> None:
    """Draw rivers, ponds and their marshes over everything but roads (bridges)."""
    level = fractal(stream(seed, "river", epsg), x, y, (RIVER_SCALE, 420.0), (1.0, 0.16))
    # A slope of about 1 / RIVER_SCALE turns the noise into a distance.
    distance = np.abs(level) * RIVER_SCALE / 1.2
    reed = smooth(stream(seed, "reed", epsg), x, y, 350.0)
    land = feature != FEATURES.index("road")
    feature[land & (distance < RIVER_WIDTH / 2 * (2.2 + reed))] = FEATURES.index("marsh")
    feature[land & (distance < RIVER_WIDTH / 2)] = FEATURES.index("water")
