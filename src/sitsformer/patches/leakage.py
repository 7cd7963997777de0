"""How near the samples of one group lie to those of another: what a reviewer asks of a split."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.samples import SPLITS, about, open_samples, split_rows

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class SampleGroup:
    """Places and origins of some samples.

    Attributes:
        name: for the table.
        lon, lat: (sample,) degrees.
        x, y: (sample,) UTM metres.
        epsg: (sample,) UTM zone.
        block: (sample,) int64.
        areas, years: that occur.
        label: label layer.
        side: of a patch, metres.
        pixel: side of a pixel, metres.
    """

    name: str
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    epsg: NDArray[np.int32]
    block: NDArray[np.int64]
    areas: tuple[str, ...]
    years: tuple[int, ...]
    label: str
    side: float
    pixel: int


@dataclass(frozen=True)
class Leakage:
    """What two groups of samples share; one row of the leakage table.

    Attributes:
        first, second: names of the groups.
        nearest: smallest distance between patch centres of the two, metres; None when one group
            is empty or its places are not known.
        overlapping: samples of `second` whose patch shares pixels on the ground with a patch of
            `first` (in the same UTM zone; samples without a grid by the distance of their centres).
        shared_blocks: blocks in which both have samples.
        shared_areas, shared_years: that occur in both.
        same_label: whether both take their labels from the same product.
    """

    first: str
    second: str
    nearest: float | None
    overlapping: int
    shared_blocks: int
    shared_areas: tuple[str, ...]
    shared_years: tuple[int, ...]
    same_label: bool

    def row(self) -> dict[str, Any]:
        """As JSON values."""
        values = asdict(self)
        return {
            **values,
            "shared_areas": [*self.shared_areas],
            "shared_years": [*self.shared_years],
        }


def leakage_table(store: Path, pretraining: Path | None = None) -> list[Leakage]:
    """Compare the splits of a set with each other, and with the training split of pretraining.

    Returns:
        One row a pair, of the pairs in which both have samples.
    """
    groups = split_groups(open_samples(store))
    table = pairs(groups)
    if pretraining is not None:
        dataset = open_samples(pretraining)
        seen = group(dataset, "pretraining", split_rows(dataset, pretraining, "train"))
        table += [compare(seen, other) for other in groups]
    return table


def pairs(groups: list[SampleGroup]) -> list[Leakage]:
    """Compare each group with each later one."""
    return [
        compare(first, second)
        for position, first in enumerate(groups)
        for second in groups[position + 1 :]
    ]


def split_groups(dataset: xr.Dataset) -> list[SampleGroup]:
    """The splits of an opened store that have samples."""
    split = dataset.split.values
    return [
        group(dataset, name, np.flatnonzero(split == value))
        for value, name in enumerate(SPLITS)
        if (split == value).any()
    ]


def group(dataset: xr.Dataset, name: str, rows: NDArray[np.int64]) -> SampleGroup:
    """Some samples of an opened store."""
    common = about(dataset)
    # A store made elsewhere may name no areas.
    areas = np.unique(dataset.area.values[rows]).tolist() if common.areas else []
    return SampleGroup(
        name=name,
        **{key: dataset[key].values[rows] for key in ("lon", "lat", "x", "y", "epsg", "block")},
        areas=tuple(common.areas[area] for area in areas),
        years=tuple(sorted({common.years[area] for area in areas})),
        label=common.label,
        side=float(dataset.sizes["py"] * common.sensor.pixel),
        pixel=common.sensor.pixel,
    )


def compare(first: SampleGroup, second: SampleGroup) -> Leakage:
    """What two groups share."""
    return Leakage(
        first=first.name,
        second=second.name,
        nearest=_nearest(first, second),
        overlapping=_overlapping(first, second),
        shared_blocks=len(np.intersect1d(first.block, second.block)),
        shared_areas=tuple(name for name in first.areas if name in second.areas),
        shared_years=tuple(year for year in first.years if year in second.years),
        same_label=first.label == second.label,
    )


def _nearest(first: SampleGroup, second: SampleGroup) -> float | None:
    """Smallest straight distance between centres, metres; also across UTM zones."""
    found = distances(first, second)
    return None if found is None else float(found.min())


def distances(first: SampleGroup, second: SampleGroup) -> NDArray[np.float64] | None:
    """Straight distance from each sample of the second group to the nearest of the first.

    Returns:
        (sample,) metres between the centres, of the samples whose places are known; None where one
        group has none such.
    """
    from scipy.spatial import cKDTree

    places = [_geocentric(group.lon, group.lat) for group in (first, second)]
    # Stores made from arrays may not know where their samples lie.
    known = [place[np.isfinite(place).all(axis=1)] for place in places]
    if not all(map(len, known)):
        return None
    distance, _ = cKDTree(known[0]).query(known[1])
    return np.asarray(distance, dtype=np.float64)


def _geocentric(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Earth-centred coordinates (sample, 3), metres, of points on the WGS 84 ellipsoid."""
    from pyproj import Transformer

    move = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
    return np.column_stack(move.transform(lon, lat, np.zeros(len(lon))))


def _planar(group: SampleGroup, zone: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Known places (sample, 2), metres, of the samples in a UTM zone, and which they are."""
    known = np.flatnonzero((group.epsg == zone) & np.isfinite(group.x) & np.isfinite(group.y))
    return np.column_stack([group.x[known], group.y[known]]), known


def _overlapping(first: SampleGroup, second: SampleGroup) -> int:
    """Samples of `second` that share pixels with `first`: centres nearer than a patch both ways.

    Samples without a grid (converted tables) do where their centres on the ground are that near.
    """
    from scipy.spatial import cKDTree

    found = np.zeros(len(second.lon), bool)
    reach = (first.side + second.side) / 2
    # Centres lie on one grid; half a pixel keeps rounding out of the comparison.
    near = reach - min(first.pixel, second.pixel) / 2
    for zone in np.intersect1d(first.epsg, second.epsg):
        (a, _), (b, rows) = (_planar(group, int(zone)) for group in (first, second))
        distance, _ = cKDTree(a).query(b, p=np.inf, distance_upper_bound=reach)
        found[rows] |= distance < near
    loose = [~np.isfinite(group.x) for group in (first, second)]
    for mine, theirs in ((slice(None), loose[1]), (loose[0], ~loose[1])):
        apart = _apart(first, second, mine, theirs)
        found[theirs] |= apart < near
    return int(found.sum())


def _apart(
    first: SampleGroup, second: SampleGroup, mine: Any, theirs: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Metres (sample,) from chosen samples of the second to the nearest chosen one of the first."""
    from scipy.spatial import cKDTree

    a = _geocentric(first.lon[mine], first.lat[mine])
    b = _geocentric(second.lon[theirs], second.lat[theirs])
    known = np.isfinite(b).all(axis=1)
    a, found = a[np.isfinite(a).all(axis=1)], np.full(len(b), np.inf)
    if len(a) and known.any():
        found[known] = cKDTree(a).query(b[known])[0]
    return found
