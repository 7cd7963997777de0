"""From a sample back to its pixels: find its cube, read the patch there again, compare."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer import cube, grid
from sitsformer.ground import Ground
from sitsformer.samples import SPLITS, About, SampleError, about, open_samples
from sitsformer.samples.contract import SURVEYED
from sitsformer.samples.shards import Reader
from sitsformer.stored import MISSING

_DEGREES = 1e-9
"""Agreement asked of lon and lat, degrees (a tenth of a millimetre)."""


@dataclass(frozen=True)
class Trace:
    """Where a sample comes from, and whether its cube still says the same.

    Attributes:
        sample: its stored facts, for printing.
        cube: the cube it was cut from.
        row, column: of its centre in the cube.
        dates: of its steps.
        differences: what the cube and the sample disagree on; empty when they are equal.
    """

    sample: dict[str, Any]
    cube: Path
    row: int
    column: int
    dates: tuple[str, ...]
    differences: tuple[str, ...]


def trace(store: Path, index: int, cubes: Path | None = None) -> Trace:
    """Trace one sample of a store back to its cube and compare values, days, label and place.

    Cubes are `{area}/{tile}.zarr`, by default in the folder `cubes` of the store's results.

    Raises:
        SampleError: there is no such sample or no such cube.
    """
    dataset = open_samples(store)
    count = dataset.sizes["sample"]
    if not 0 <= index < count:
        raise SampleError(f"{store} has no sample {index}; it has {count}, counted from 0")
    common = about(dataset)
    facts = {
        name: dataset[name].values[index].item()
        for name in ("label", "split", "tile", "area", "block", "epsg", "lon", "lat", "x", "y")
    }
    surveyed = [name for name in SURVEYED if name in dataset.variables]
    facts |= {name: dataset[name].values[index].item() for name in surveyed}
    path = _find_cube(store, common.tiles[facts["tile"]], cubes)
    source = cube.open_cube(path)
    tile = cube.tile_of(source)
    row = round((tile.north - facts["y"]) / tile.pixel - 0.5)
    column = round((facts["x"] - tile.west) / tile.pixel - 0.5)
    days = dataset.date.values[index]
    with Reader(store / "reflectance") as reader:
        patch = reader.take(np.array([index]))[0]
    differences = [
        *_place_differences(tile, facts, row, column),
        # Labels of a survey are in no cube: `feature` tells the line of the file.
        *([] if surveyed else _label_differences(source, common, facts["label"], row, column)),
        *_step_differences(path, source, patch, days, dataset.doy.values[index], row, column),
    ]
    label, split = facts["label"], facts["split"]
    shown = {
        **facts,
        "label": common.classes.names[label] if label >= 0 else "none",
        "split": SPLITS[split] if split < len(SPLITS) else "unassigned",
        "tile": common.tiles[facts["tile"]],
        "area": common.areas[facts["area"]],
    }
    dates = tuple(str(day) for day in days[days >= 0].astype("datetime64[D]"))
    return Trace(shown, path, row, column, dates, tuple(differences))


def _find_cube(store: Path, tile: str, cubes: Path | None) -> Path:
    if cubes is not None:
        places = [cubes / f"{tile}.zarr"]
    else:
        places = [parent / "cubes" / f"{tile}.zarr" for parent in store.resolve().parents[:4]]
    for place in places:
        if place.is_dir():
            return place
    raise SampleError(
        f"the cube of {tile} is not at {places[0] if cubes else places[1]}; name the folder of "
        "cubes with --cubes, or export it again"
    )


def _place_differences(tile: grid.Tile, facts: dict[str, Any], row: int, column: int) -> list[str]:
    if facts["epsg"] != tile.epsg:
        return [f"UTM zone: {facts['epsg']} in the store, {tile.epsg} in the cube"]
    if not (0 <= row < tile.size and 0 <= column < tile.size):
        return [f"place: row {row}, column {column} lies outside of the cube"]
    found = []
    if (tile.x[column], tile.y[row]) != (facts["x"], facts["y"]):
        found.append(f"place: ({facts['x']}, {facts['y']}) m is not the centre of a pixel")
    lon, lat = grid.to_lonlat(tile.epsg, tile.x[column : column + 1], tile.y[row : row + 1])
    if abs(lon[0] - facts["lon"]) > _DEGREES or abs(lat[0] - facts["lat"]) > _DEGREES:
        found.append(f"place: lon {facts['lon']}, lat {facts['lat']}, but x and y say otherwise")
    return found


def _label_differences(source: Any, common: About, label: int, row: int, column: int) -> list[str]:
    if common.label not in source:
        return [f"label: the cube has no layer {common.label!r}"]
    code = int(source[common.label][row, column])
    classes = [k for k, codes in enumerate(common.classes.codes) if code in codes]
    expected = classes[0] if classes else -1
    if expected == label:
        return []
    return [f"label: class {label} in the store, code {code} (class {expected}) in the cube"]


def _around(path: Path, tile: grid.Tile, row: int, column: int, half: int) -> NDArray[np.uint16]:
    """The patch (time, band, py, px) of a pixel, with the cubes beside this one at its edges."""
    neighbours = []
    if not (half <= row < tile.size - half and half <= column < tile.size - half):
        step = tile.size * tile.pixel
        places = [
            (tile.west + a * step, tile.north + b * step) for a in (-1, 0, 1) for b in (-1, 0, 1)
        ]
        named = [path.with_name(f"{tile.epsg}_{west}_{north}.zarr") for west, north in places]
        neighbours = [one for one in named if one != path and one.is_dir()]
    here = Ground(path, neighbours, half)
    return here.read("reflectance", slice(row, row + 1), slice(column, column + 1))


def _step_differences(
    path: Path,
    source: Any,
    patch: NDArray[np.uint16],
    days: NDArray[np.int32],
    doy: NDArray[np.int16],
    row: int,
    column: int,
) -> list[str]:
    half = patch.shape[-1] // 2
    size = source.sizes["y"]
    if patch.shape[1] != source.sizes["band"]:
        return [f"bands: {patch.shape[1]} in the store, {source.sizes['band']} in the cube"]
    if not (0 <= row < size and 0 <= column < size):
        return []  # said by _place_differences
    around = _around(path, cube.tile_of(source), row, column, half)
    times = source.time.values.astype("datetime64[D]").astype(np.int64)
    found, first = [], 0
    for step, day in enumerate(days[days >= 0].tolist()):
        date = np.datetime64(day, "D")
        # Two overpasses of one day are two steps; take the first that fits and was not taken.
        same_day = [time for time in np.flatnonzero(times == day).tolist() if time >= first]
        fitting = [time for time in same_day if (around[time] == patch[step]).all()]
        if not same_day:
            found.append(f"step {step}: the cube has no date {date}")
        elif not fitting:
            found.append(f"step {step} ({date}): values differ")
        first = (fitting or same_day or [first - 1])[0] + 1
        if (
            doy[step]
            != (date - date.astype("datetime64[Y]").astype("datetime64[D]")).astype(int) + 1
        ):
            found.append(f"step {step} ({date}): day of year {doy[step]}")
    if (patch[days < 0] != MISSING).any() or (doy[days < 0] != 0).any():
        found.append("padding: holds values")
    return found
