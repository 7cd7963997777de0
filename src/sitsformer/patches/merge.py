"""Tile stores -> one set store with its splits.

Whole compressed chunks are copied as they are; only the last, partly filled chunk of each tile is
decoded and packed with those of the others. Blocks are given to splits here, over all tiles, so
that a tile's own store does not depend on which other tiles there are.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer import artefacts, samples
from sitsformer.classes import NO_CLASS_NAME
from sitsformer.config import Config, SampleSet, expand
from sitsformer.patches import leakage, splits
from sitsformer.patches.repacking import chunk_order, chunks, some_chunks
from sitsformer.patches.surveyed import Gathered, gathered, lost_pixels
from sitsformer.samples import contract as samplelayout
from sitsformer.samples.contract import SPLITS, UNASSIGNED, About, SampleError
from sitsformer.surveys import grouping

log = logging.getLogger(__name__)


def _agreed(about: About) -> dict[str, object]:
    """What all tile stores of a set agree on."""
    own = ("classes", "tiles", "areas", "years")
    common = {key: value for key, value in vars(about).items() if key not in own}
    common["sensor"] = about.sensor.name
    return common | {f"class {key}": value for key, value in vars(about.classes).items()}


@dataclass(frozen=True)
class _Tile:
    """A tile store, opened."""

    path: Path
    about: About
    steps: tuple[int, ...]
    columns: dict[str, NDArray[Any]]
    manifest: dict[str, Any]

    @property
    def rows(self) -> int:
        return len(self.columns["label"])


def merge(config: Config, set_name: str, out: Path, stores: Sequence[Path]) -> dict[str, Any]:
    """Make a set store of its tiles' stores.

    Returns:
        The manifest of the set.

    Raises:
        SampleError: the stores do not belong together, or hold no samples.
        SplitError: a split is empty, or train lacks a class.
    """
    if set_name not in config.sets:
        raise SampleError(f"no set {set_name!r} in the config; there are {sorted(config.sets)}")
    chosen = config.sets[set_name]
    tiles = sorted((_open(path) for path in stores), key=lambda tile: tile.about.tiles)
    _check_common(tiles)
    if tiles[0].about.name != set_name:
        raise SampleError(
            f"{tiles[0].path} was cut for the set {tiles[0].about.name!r}, not for {set_name!r}; "
            "give the tile stores of that set"
        )
    common, columns = _gather(tiles)
    record: dict[str, Any] = {"set": chosen.model_dump(mode="json")}
    inputs = {f"tiles/{tile.about.tiles[0]}": tile.path for tile in tiles}
    survey = config.labels.get(str(chosen.label))
    of_survey = None
    lost = {"rare": np.zeros(len(columns["label"]), bool)}
    if survey is not None:
        record["labels"] = survey.model_dump(mode="json")
        inputs["labels"] = expand(survey.path)
        of_survey = gathered(str(chosen.label), survey, [tile.manifest for tile in tiles])
        lost["rare"] = of_survey.rare(columns["label"], common.classes.names)
    columns["split"], lost["group"] = _splits(chosen, common, columns, lost["rare"], tiles[0].steps)
    dropped = _lost(common, columns, lost, of_survey)
    stay = np.flatnonzero(~lost["rare"] & ~lost["group"])
    everything = len(stay) == len(columns["label"])
    order = chunk_order(tiles) if everything else stay
    columns = {name: values[order] for name, values in columns.items()}
    common, columns["label"], removed = _drop_empty_classes(common, columns["label"])
    warnings = splits.check_presence(
        columns["label"],
        columns["split"],
        common.classes.names,
        _wanted(chosen),
        chosen.split.by,
    )
    manifest = _manifest(tiles, common, columns, removed, dropped)
    with artefacts.create(
        out, samplelayout.KIND, config=record, inputs=inputs, seed=chosen.split.seed
    ) as partial:
        packed = chunks(tiles) if everything else some_chunks(tiles, stay)
        samplelayout.write_reflectance(partial, packed)
        samplelayout.write_arrays(partial, len(order), tiles[0].steps, columns, common)
        manifest["leakage"] = _leakage(partial, chosen)
        if of_survey is not None:
            manifest["features"] = of_survey.write(partial, chosen.split, tiles[0].steps[-1])
            warnings = of_survey.warnings + warnings
        manifest["warnings"] = warnings + manifest["warnings"]
        samplelayout.write_manifest(partial, manifest)
    for line in warnings:
        log.warning("set %s: %s", set_name, line)
    return manifest


def _splits(
    chosen: SampleSet,
    common: About,
    columns: dict[str, NDArray[Any]],
    without: NDArray[np.bool_],
    steps: tuple[int, ...],
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Splits (sample,), and the samples (sample,) whose group is in another one.

    In a split by group, `block` of the columns becomes the unit that a sample was given away with.
    """
    rows = np.flatnonzero(~without)
    some = {name: values[rows] for name, values in columns.items()}
    split = np.full(len(without), UNASSIGNED, np.uint8)
    if chosen.split.by == "group":
        place = (some["x"], some["y"], some["epsg"])
        pixel = float(common.sensor.pixel)
        some["block"] = grouping.units(some["group"], *place, steps[-1] * pixel, pixel)
        columns["block"] = np.zeros(len(without), np.int64)
        columns["block"][rows] = some["block"]
    elif chosen.split.by == "block" and "group" in some:
        some["block"] = grouping.joined_blocks(some["group"], some["block"])
    split[rows] = _assign(chosen, common, some)
    strays = np.zeros(len(without), bool)
    if "group" in some:
        strays[rows] = grouping.stragglers(some["group"], split[rows])
    return split, strays


def _lost(
    common: About,
    columns: dict[str, NDArray[Any]],
    lost: dict[str, NDArray[np.bool_]],
    of_survey: Gathered | None,
) -> dict[str, dict[str, int]]:
    """Count samples that the merge drops: by reason and class, and by feature in the survey."""
    found: dict[str, dict[str, int]] = {}
    for reason, where in lost.items():
        if not where.any():
            continue
        if of_survey is not None:
            of_survey.take(columns["feature"][where], reason)
        names = (*common.classes.names, NO_CLASS_NAME)
        counts = np.bincount(columns["label"][where] % len(names), minlength=len(names)).tolist()
        found[reason] = {name: n for name, n in zip(names, counts, strict=True) if n}
    return found


def _open(path: Path) -> _Tile:
    dataset = samples.open_samples(path)
    names = ["doy", "date", "label", "split", "block", "epsg", "lon", "lat", "x", "y"]
    names += [name for name in samplelayout.SURVEYED if name in dataset.variables]
    return _Tile(
        path=path,
        about=samples.about(dataset),
        steps=tuple(dataset.sizes[dim] for dim in ("time", "band", "py", "px")),
        columns={name: dataset[name].values for name in names},
        manifest=samples.read_manifest(path),
    )


def _check_common(tiles: Sequence[_Tile]) -> None:
    if not tiles:
        raise SampleError("there are no tile stores to merge")
    first = tiles[0]
    for tile in tiles:
        if len(tile.about.tiles) != 1:
            raise SampleError(f"{tile.path} is not a tile store; merge takes what `patches` wrote")
        for key, value in _agreed(tile.about).items():
            other = _agreed(first.about)[key]
            if value != other:
                raise SampleError(
                    f"{tile.path} and {first.path} were cut with different {key}: {value} and "
                    f"{other}; cut both again"
                )
        if tile.steps != first.steps:
            raise SampleError(
                f"{tile.path} and {first.path} hold samples of different shape (time, band, y, x): "
                f"{tile.steps} and {first.steps}; cut both again"
            )
    for left, right in pairwise(tiles):
        if left.about.tiles == right.about.tiles:
            raise SampleError(
                f"tile {left.about.tiles[0]} is there twice: {left.path}, {right.path}"
            )
    if not any(tile.rows for tile in tiles):
        reasons = _sum([tile.manifest["dropped"] for tile in tiles])
        lost = {reason: sum(counts.values()) for reason, counts in reasons.items()}
        if "features" in first.manifest:
            # All the other pixels of the tiles have no label to lose.
            lost = lost_pixels([tile.manifest for tile in tiles])
        remedy = "Lower `patches.min_dates` or `patches.clear_score`, or change the set's classes"
        if max(lost, key=lambda reason: lost[reason], default="") == "split":
            remedy = {
                "polygons": "Draw the split polygons over the tiles, in the coordinate reference "
                "system that their file names",
                "block": "Use larger blocks",
            }.get(first.about.split_by, remedy)
        raise SampleError(
            f"none of the {len(tiles)} tiles has a sample; pixels were dropped for {lost}. {remedy}"
        )


def _gather(tiles: Sequence[_Tile]) -> tuple[About, dict[str, NDArray[Any]]]:
    """What the set has in common, and its columns in the order of the tiles."""
    areas = sorted({(tile.about.areas[0], tile.about.years[0]) for tile in tiles})
    names = tuple(name for name, _ in areas)
    if len(set(names)) < len(names):
        raise SampleError(f"an area has tiles of two seasons among {areas}; cut them again")
    columns = {
        name: np.concatenate([tile.columns[name] for tile in tiles]) for name in tiles[0].columns
    }
    counts = [tile.rows for tile in tiles]
    columns["tile"] = np.repeat(np.arange(len(tiles)), counts)
    columns["area"] = np.repeat([names.index(tile.about.areas[0]) for tile in tiles], counts)
    common = replace(
        tiles[0].about,
        tiles=tuple(tile.about.tiles[0] for tile in tiles),
        areas=names,
        years=tuple(year for _, year in areas),
    )
    return common, columns


def _drop_empty_classes(
    common: About, label: NDArray[np.int16]
) -> tuple[About, NDArray[np.int16], list[str]]:
    """Remove classes without a sample anywhere and number the others anew."""
    there = np.bincount(label[label >= 0], minlength=len(common.classes.names)) > 0
    kept = np.flatnonzero(there).tolist()
    table = np.full(len(there) + 1, -1, np.int16)  # the last place serves label -1
    table[kept] = np.arange(len(kept))
    removed = [name for name, found in zip(common.classes.names, there, strict=True) if not found]
    slim = replace(common, classes=common.classes.only(kept))
    return slim, table[label], removed


def _assign(
    chosen: SampleSet, common: About, columns: dict[str, NDArray[Any]]
) -> NDArray[np.uint8]:
    """Splits (sample,) as the config asks."""
    by = chosen.split.by
    if by == "polygons":
        known: NDArray[np.uint8] = columns["split"]
        return known
    if by in ("block", "group"):
        blocks, member = np.unique(columns["block"], return_inverse=True)
        classes = len(common.classes.names) + 1
        label = np.where(columns["label"] < 0, classes - 1, columns["label"])
        counts = np.bincount(member * classes + label, minlength=len(blocks) * classes)
        given = splits.assign_blocks(
            counts.reshape(len(blocks), classes), chosen.split.fractions, chosen.split.seed
        )
        return given[member]
    of_area = splits.of_areas(chosen.split, common.areas, common.years)
    if (of_area == UNASSIGNED).any():
        lost = int(np.argmax(of_area == UNASSIGNED))
        raise splits.SplitError(
            f"split by {by}: area {common.areas[lost]!r} (season {common.years[lost]}) is in none "
            "of the lists train, validation, test; list it, or take it out of the set"
        )
    of_sample: NDArray[np.uint8] = of_area[columns["area"]]
    return of_sample


def _wanted(chosen: SampleSet) -> list[bool]:
    """Which splits the config asks for."""
    split = chosen.split
    if split.by in ("block", "group"):
        return [share > 0 for share in split.fractions]
    if split.by == "polygons":
        return [True, False, True]
    return [bool(names) for names in (split.train, split.validation, split.test)]


def _leakage(partial: Path, chosen: SampleSet) -> list[dict[str, Any]]:
    table = leakage.leakage_table(partial)
    for row in table:
        if row.overlapping and chosen.split.by != "year":
            raise splits.SplitError(
                f"split by {chosen.split.by}: {row.overlapping} patches of {row.second} share "
                f"pixels with {row.first}; areas in different splits must not overlap"
            )
    return [row.row() for row in table]


def _manifest(
    tiles: Sequence[_Tile],
    common: About,
    columns: dict[str, NDArray[Any]],
    removed: list[str],
    dropped: dict[str, dict[str, int]],
) -> dict[str, Any]:
    names = (*common.classes.names, NO_CLASS_NAME)
    label = np.where(columns["label"] < 0, len(names) - 1, columns["label"])

    def by_class(where: NDArray[np.bool_]) -> dict[str, int]:
        counts = np.bincount(label[where], minlength=len(names)).tolist()
        return {name: n for name, n in zip(names, counts, strict=True) if n}

    of_tiles = {
        tile.about.tiles[0]: {k: v for k, v in tile.manifest.items() if k != "features"}
        for tile in tiles
    }
    return {
        "samples": len(label),
        "pixels": sum(tile.manifest["pixels"] for tile in tiles),
        "kept": by_class(np.ones(len(label), bool)),
        "dropped": _sum([*(tile.manifest["dropped"] for tile in tiles), dropped]),
        "splits": {name: by_class(columns["split"] == value) for value, name in enumerate(SPLITS)},
        "blocks": {
            name: len(np.unique(columns["block"][columns["split"] == value]))
            for value, name in enumerate(SPLITS)
        },
        "removed_classes": removed,
        "warnings": [
            f"{name}: {line}" for name, tile in of_tiles.items() for line in tile["warnings"]
        ],
        "tiles": of_tiles,
    }


def _sum(counts: Sequence[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    """Add counts by reason and class."""
    total: dict[str, dict[str, int]] = {}
    for tile in counts:
        for reason, classes in tile.items():
            into = total.setdefault(reason, {})
            for name, number in classes.items():
                into[name] = into.get(name, 0) + number
    return total
