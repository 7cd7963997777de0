"""What the test samples of a run say of the map of an area, and whether they can say it.

They are a probability sample of the area where they lie in it and in its season, and where the
chance of each mapped pixel to be drawn is known: their blocks are drawn at random, and within a
tile the samples of a class. Then the map is looked up where they lie. In every other case what
they say is carried over from elsewhere, and the table says so instead of giving intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sitsformer.evaluation.areas import Reference

if TYPE_CHECKING:
    import xarray as xr

    from sitsformer.maps.codes import MapCodes
    from sitsformer.maps.drawable import Drawable
    from sitsformer.samples import About

LEAST_COVERED = 0.95
"""Share of the map that might have been drawn at least; the rest has no label of a class, or one
that is not pure or sure enough."""

LEAST_BLOCKS = 2
"""Blocks that an interval over blocks needs."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TestSamples:
    """Test samples of a store, for the map of an area.

    Attributes:
        sample: what they say of the map; None where they are no probability sample of it.
        basis: one sentence on what they are, or on why they are none.
        rows: of the store, all its labelled test samples.
        truth: (N,) class of the map of these; -1 for a class that it has not.
        weight: (N,) pixels that each stands for.
    """

    sample: Reference | None
    basis: str
    rows: Ints
    truth: Ints
    weight: Floats


def look_up(
    store: Path,
    raster: Path,
    codes: MapCodes,
    area: str,
    season: int | None,
    count_drawable: Callable[[], Drawable],
) -> TestSamples:
    """Look the test samples of a store up in the map of an area.

    Args:
        store: sample store.
        raster: map of the area.
        codes: of the map.
        area: its name.
        season: year in which the season of the map starts; None: not known.
        count_drawable: how much of the map could have been drawn; asked where nothing else rules
            the samples out.
    """
    from sitsformer.samples import SPLITS, about, open_samples, read_manifest

    dataset = open_samples(store)
    common, counts = about(dataset), read_manifest(store)
    test = (dataset.split.values == SPLITS.index("test")) & (dataset.label.values >= 0)
    rows = np.flatnonzero(test)
    label = dataset.label.values[rows].astype(np.int64)
    table = positions(codes, common)
    weight, known = _weights(dataset, rows, common, counts)
    found = TestSamples(None, "", rows, table[label], weight)
    places = _places(dataset, rows, common)
    reasons = list(_elsewhere(common, area, season))
    if not reasons:
        mine = dataset.area.values[rows] == common.areas.index(area)
        if not mine.any():
            reasons.append("none of them lies in it")
        reasons += _unknown_chances(common, counts, area, known, count_drawable)
    if set(common.classes.names) != set(codes.classes.names):
        reasons.append("their classes are not those of the map")
    if not reasons:
        sample = _on_map(dataset, found, mine, raster, codes, common.split_by in ("block", "group"))
        blocks = None if sample.cluster is None else len(np.unique(sample.cluster))
        if len(sample.mapped) == 0:
            reasons.append("none of them lies on a pixel with a class")
        elif blocks is not None and blocks < LEAST_BLOCKS:
            reasons.append(f"they lie in one {common.split_by}")
        else:
            drawn = "" if blocks is None else f" in {blocks} {common.split_by}s drawn at random"
            basis = (
                f"{len(sample.mapped)} test samples of the set {common.name}{drawn}, weighted by "
                f"tile and class, against the labels of {common.label}"
            )
            return TestSamples(sample, basis, rows, found.truth, weight)
    why = "; ".join(reasons)
    basis = (
        f"carried over from the {len(rows)} test samples of the set {common.name}{places}, not "
        f"valid for this area: {why}"
    )
    return TestSamples(None, basis, rows, found.truth, weight)


def positions(codes: MapCodes, common: About) -> Ints:
    """Class of the map (class,) that each class of a store is by name; -1 for one it has not."""
    names = codes.classes.names
    found = [names.index(name) if name in names else -1 for name in common.classes.names]
    return np.array(found or [-1], np.int64)


def _places(dataset: xr.Dataset, rows: Ints, common: About) -> str:
    """Where samples lie, for a sentence."""
    if not common.areas:
        return ""
    there = np.unique(dataset.area.values[rows]).tolist()
    return " in " + ", ".join(f"{common.areas[k]} ({common.years[k]})" for k in there)


def _elsewhere(common: About, area: str, season: int | None) -> list[str]:
    if area not in common.areas:
        where = "where they lie is not known" if not common.areas else "they lie in other areas"
        return [where]
    year = common.years[common.areas.index(area)]
    return [] if season in (None, year) else [f"they are of {year}, the map of {season}"]


def _unknown_chances(
    common: About,
    counts: Mapping[str, Any],
    area: str,
    known: bool,
    count_drawable: Callable[[], Drawable],
) -> list[str]:
    if common.split_by == "polygons":
        return ["their polygons were chosen by hand"]
    if not known:
        return ["with which chances they were drawn is not known"]
    found = count_drawable()
    tiles = [one for place, one in counts["tiles"].items() if place.startswith(f"{area}/")]
    covered = found.of_map
    if covered is None:
        # No cube has the labels, as where they are a survey's.
        labelled = _pixels(tiles, *COULD, *SURE, *PLACE)
        covered = min(labelled / max(found.mapped, 1), 1.0)  # at most: some lie beyond the map
        if found.of_tiles >= LEAST_COVERED:
            of_tiles = _pixels(tiles, *COULD) / max(_pixels(tiles, *COULD, *SURE, *LABEL), 1)
            covered = min(covered, of_tiles)
        elif covered >= LEAST_COVERED:
            return [
                f"the map holds {found.of_tiles:.0%} of its tiles, and how much of that could be "
                "drawn is not known, since no cube has their labels"
            ]
    if covered < LEAST_COVERED:
        return [
            f"{1 - covered:.0%} of its pixels could not be drawn (no label, none of a class, or "
            "one that is not pure or sure enough)"
        ]
    return []


COULD = ("kept", "quota", "missing")
PLACE = ("edge", "split", "cloud")
SURE = ("purity", "confidence")
LABEL = ("unlabelled", "other_class")
"""What became of the pixels of a tile (`patches/sampling.py`): they could be drawn but for the
place; their label is not sure enough; they have none."""


def _pixels(tiles: Sequence[Mapping[str, Any]], *what: str) -> int:
    """Pixels of tiles that were kept, or dropped for some reasons, by the account of each."""
    found = 0
    for tile in tiles:
        counts = {"kept": tile["kept"], **tile["dropped"]}
        found += sum(sum(counts.get(one, {}).values()) for one in what)
    return found


def _weights(
    dataset: xr.Dataset, rows: Ints, common: About, counts: Mapping[str, Any]
) -> tuple[Floats, bool]:
    """Pixels that each sample stands for, by tile and class, and whether that is known."""
    tiles: Mapping[str, Any] = counts.get("tiles", {})
    names = common.classes.names
    label, tile = dataset.label.values[rows], dataset.tile.values[rows]
    if not common.tiles or not set(common.tiles) <= set(tiles):
        return np.ones(len(rows)), False
    each = np.ones((len(common.tiles), len(names)))
    for k, place in enumerate(common.tiles):
        kept, dropped = tiles[place]["kept"], tiles[place]["dropped"]
        for c, name in enumerate(names):
            if kept.get(name):
                lost = sum(reason.get(name, 0) for reason in dropped.values())
                each[k, c] = (kept[name] + lost) / kept[name]
    return each[tile, label], True


def _on_map(
    dataset: xr.Dataset,
    found: TestSamples,
    mine: npt.NDArray[np.bool_],
    raster: Path,
    codes: MapCodes,
    by_block: bool,
) -> Reference:
    """The samples of the area that lie on a pixel with a class."""
    rows = found.rows[mine]
    x, y = dataset.x.values[rows], dataset.y.values[rows]
    mapped = codes.decode(values_at(raster, x, y, codes.nodata)).astype(np.int64) - 1
    there = mapped >= 0
    return Reference(
        mapped[there],
        found.truth[mine][there],
        found.weight[mine][there],
        dataset.block.values[rows][there] if by_block else None,
    )


def values_at(raster: Path, x: Floats, y: Floats, nodata: int) -> npt.NDArray[np.unsignedinteger]:
    """Values (N,) of a raster at places in its own system; nodata beyond it.

    Blocks of the raster are read once each, whatever its size.
    """
    import rasterio
    from rasterio.windows import Window

    with rasterio.open(raster) as source:
        shift = source.transform
        column = np.floor((x - shift.c) / shift.a).astype(np.int64)
        row = np.floor((y - shift.f) / shift.e).astype(np.int64)
        found = np.full(len(x), nodata, source.dtypes[0])
        inside = (column >= 0) & (row >= 0) & (column < source.width) & (row < source.height)
        tall, wide = source.block_shapes[0]
        block = row // tall * (source.width // wide + 1) + column // wide
        for number in np.unique(block[inside]):
            who = np.flatnonzero(inside & (block == number))
            top, left = row[who[0]] // tall * tall, column[who[0]] // wide * wide
            window = Window(
                left, top, min(wide, source.width - left), min(tall, source.height - top)
            )
            found[who] = source.read(1, window=window)[row[who] - top, column[who] - left]
    return found


def predicted(
    store: Path,
    samples: TestSamples,
    predict: Any,
    size: int = 4096,
    vectors: npt.NDArray[np.float32] | None = None,
) -> tuple[Ints, Ints, Floats]:
    """Class that a model gives each test sample, its true class and its weight.

    Args:
        store: sample store.
        samples: of `look_up`.
        predict: raw samples -> probabilities.
        size: samples read at once.
        vectors: (row of the store, axis) embeddings of others, where the model reads them.
    """
    from sitsformer.samples import load_samples

    test = load_samples(store, "test", choose=lambda _, rows: np.isin(rows, samples.rows))
    order: Sequence[int] = range(0, len(test), size)
    beside = () if vectors is None else (vectors[test.index],)
    series = (test.reflectance, test.doy, *beside)
    guess = [predict(*(values[i : i + size] for values in series)) for i in order]
    known = samples.truth >= 0
    mapped = np.concatenate(guess).argmax(1)
    return mapped[known], samples.truth[known], samples.weight[known]
