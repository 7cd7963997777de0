"""A cube -> the samples of one tile, in a store of their own.

Two passes: the cloud scores tell how many clear dates each pixel has; pixels are drawn
(sampling.py); the scores of the drawn ones give their dates (thinning.py); then the reflectance is
read once, box by box (cutting.py). Memory is bounded by `patches.memory_gb`, not by the cube.
The merge (merge.py) makes a set of all its tiles' stores and assigns the splits.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitsformer import artefacts, cube, threads
from sitsformer.classes import Legend
from sitsformer.config import Config, Patches, SampleSet, expand
from sitsformer.grid import Tile, find_tile
from sitsformer.labels import confidence_layers, products
from sitsformer.legends import group
from sitsformer.patches import splits
from sitsformer.patches.clear import PIXELS, ClearDates
from sitsformer.patches.cutting import patches as cut_patches
from sitsformer.patches.edges import Edges, Surrounded
from sitsformer.patches.sampling import Draw, Layers, draw_pixels, tile_seed
from sitsformer.patches.spool import Spool
from sitsformer.patches.surveyed import SurveyedTile, survey_of_tile
from sitsformer.patches.thinning import thin
from sitsformer.patches.tile_facts import account, columns_of, origin
from sitsformer.samples import contract as samplelayout
from sitsformer.samples import shards
from sitsformer.samples.contract import SampleError
from sitsformer.sensors import Sensor, recorded, sensor_of
from sitsformer.stored import MISSING

if TYPE_CHECKING:
    import xarray as xr

log = logging.getLogger(__name__)


def make_tile_store(
    config: Config,
    set_name: str,
    area_name: str,
    tile_name: str,
    cube_path: Path,
    out: Path,
    neighbours: Sequence[Path] = (),
) -> dict[str, Any]:
    """Cut the samples of one tile out of its cube.

    Args:
        config: of the set.
        set_name: in it.
        area_name: an area of the set.
        tile_name: a tile of the area.
        cube_path: its cube.
        out: the tile store.
        neighbours: cubes of the tiles around it, for patches of a survey that reach into them.

    Returns:
        The manifest: what was kept, and what was dropped for which reason.

    Raises:
        SampleError: the cube does not fit the request.
    """
    chosen, settings = _sample_set(config, set_name, area_name), config.patches
    tile = find_tile(area_name, config.areas[area_name], tile_name)
    dataset = cube.open_cube(cube_path, dask=False)
    _check_cube(dataset, tile, sensor_of(config.areas[area_name]), cube_path)
    placed = _placed(config, chosen, area_name, tile)
    legend = _legend(dataset, chosen, cube_path) if placed is None else placed.surveyed.legend
    classes = group(legend, chosen.classes)
    seed = tile_seed(chosen.seed, area_name, tile_name)
    split_map = _split_map(tile, chosen)
    of_tile = ClearDates(cube_path, settings)
    clear: ClearDates | Surrounded = of_tile
    edges = None
    if placed is not None and neighbours and settings.size > 1:
        edges = Edges(cube_path, neighbours, settings, placed.placed.feature > 0)
        clear = Surrounded(of_tile, edges)
    drawn = draw_pixels(
        Layers(
            codes=_codes(dataset, chosen, placed),
            dates=clear.counts(),
            one_split=_one_split(tile, chosen, settings, split_map),
            beyond=None if edges is None else edges.whole,
            confidence=confidence_values(dataset, str(chosen.label), chosen.confidence, cube_path),
        ),
        classes,
        chosen,
        settings.size,
        settings.min_dates,
        seed,
    )
    x, y = tile.x[drawn.column], tile.y[drawn.row]
    steps = _choose_dates(clear, settings.max_length, drawn, tile.epsg, x, y)
    shape = (len(steps), settings.max_length, dataset.sizes["band"], settings.size, settings.size)
    record = {"set": chosen.model_dump(mode="json"), "patches": _lasting(settings)}
    inputs = {"cube": cube_path}
    if placed is not None:
        record["labels"] = placed.surveyed.survey.model_dump(mode="json")
        inputs["labels"] = expand(placed.surveyed.survey.path)
    if edges is not None:
        inputs |= {f"neighbours/{path.stem}": path for path in neighbours}
    with artefacts.create(
        out, samplelayout.TILE_KIND, config=record, inputs=inputs, seed=chosen.seed
    ) as partial:
        with Spool(shape, settings.memory_gb, partial) as spool:
            place = (drawn.row, drawn.column)
            inner = place if edges is None else edges.within(*place)
            gaps = cut_patches(cube_path, *inner, steps, settings, spool)
            if edges is not None:
                edges.cut(*place, steps, spool, gaps)
            kept, steps = _write_reflectance(spool, steps, gaps, settings.min_dates, partial)
        columns = columns_of(dataset, tile, chosen, x, y, drawn.label, steps)
        if split_map is not None:
            columns["split"] = split_map[drawn.row, drawn.column]
        if placed is not None:
            columns |= placed.columns(drawn)
        columns = {name: values[kept] for name, values in columns.items()}
        samplelayout.write_arrays(
            partial,
            int(kept.sum()),
            shape[1:],
            columns,
            origin(config, set_name, area_name, tile, classes),
        )
        manifest = account(tile, dataset, chosen, classes, drawn, kept)
        if placed is not None:
            manifest["features"] = placed.account(drawn, kept)
        samplelayout.write_manifest(partial, manifest)
    for line in manifest["warnings"]:
        log.warning("%s/%s: %s", area_name, tile_name, line)
    return manifest


def _sample_set(config: Config, set_name: str, area_name: str) -> SampleSet:
    if set_name not in config.sets:
        raise SampleError(f"no set {set_name!r} in the config; there are {sorted(config.sets)}")
    chosen = config.sets[set_name]
    if area_name not in chosen.areas:
        raise SampleError(
            f"set {set_name!r} has no area {area_name!r}; it has {list(chosen.areas)}"
        )
    smallest = config.patches.size * sensor_of(config.areas[area_name]).pixel
    if chosen.split.by == "block" and chosen.split.block < smallest:
        raise SampleError(
            f"sets.{set_name}.split.block: no patch of {config.patches.size} pixels fits into a "
            f"block of {chosen.split.block:g} m; use {smallest} m or more"
        )
    return chosen


def _placed(config: Config, chosen: SampleSet, area_name: str, tile: Tile) -> SurveyedTile | None:
    """What a survey says of the tile; None where the labels are a layer of the cube."""
    survey = config.labels.get(str(chosen.label))
    if survey is None:
        return None
    return survey_of_tile(
        str(chosen.label), survey, area_name, config.areas[area_name], tile,
        size=config.patches.size, block=chosen.split.block if chosen.split.by == "block" else None,
    )  # fmt: skip


def _codes(
    dataset: xr.Dataset, chosen: SampleSet, placed: SurveyedTile | None
) -> NDArray[np.integer[Any]]:
    if placed is not None:
        return placed.placed.codes
    return cube.layer_values(dataset[str(chosen.label)])


def _check_cube(dataset: xr.Dataset, tile: Tile, sensor: Sensor, path: Path) -> None:
    found, own = cube.tile_of(dataset), recorded(dataset.attrs)
    if own is not sensor:
        raise SampleError(
            f"{path} holds images of {own.title}, and the area {tile.area} is to be of "
            f"{sensor.title}: export it again, or change the area's `sensor`"
        )
    if found != tile:
        raise SampleError(
            f"{path} is not the cube of {tile.area}/{tile.name} of this config: it covers "
            f"{found.area}/{found.name}, {found.size} px, origin ({found.west}, {found.north}) m, "
            f"EPSG:{found.epsg}; expected {tile.size} px, ({tile.west}, {tile.north}) m, "
            f"EPSG:{tile.epsg}. Export it again"
        )


def _legend(dataset: xr.Dataset, chosen: SampleSet, path: Path) -> Legend:
    layers = cube.label_layers(dataset)
    if str(chosen.label) not in layers:
        raise SampleError(
            f"{path} has no label layer {chosen.label!r}; it has {sorted(layers)}. Add it to "
            "`labels` of the area and export again"
        )
    return layers[str(chosen.label)]


def confidence_values(
    dataset: xr.Dataset, label: str, least: int, path: Path
) -> NDArray[np.uint8] | None:
    """Confidence (y, x) of a label layer of a cube, percent; None where none is asked for.

    Args:
        dataset: the cube.
        label: layer.
        least: confidence that is wanted, percent; 0: any.
        path: of the cube.

    Raises:
        SampleError: the cube has no such layer.
    """
    if least == 0:
        return None
    product = products().get(label)
    own = product.confidence_layer if product else None
    # A label without a confidence of its own may be held to that of another label there.
    known = (own,) if own else confidence_layers()
    found = [layer for layer in known if layer in dataset]
    if not found:
        raise SampleError(
            f"{path} has no layer {' or '.join(map(repr, known))}, which "
            f"`confidence: {least}` needs; not every year of a label product has one: "
            "set `confidence: 0`"
        )
    layer: NDArray[np.uint8] = cube.layer_values(dataset[found[0]]).astype(np.uint8)
    return layer


def _split_map(tile: Tile, chosen: SampleSet) -> NDArray[np.uint8] | None:
    """Splits (y, x) where they are known before the merge."""
    if chosen.split.by != "polygons":
        return None
    return splits.polygon_map(tile, str(chosen.split.polygons))


def _one_split(
    tile: Tile, chosen: SampleSet, settings: Patches, split_map: NDArray[np.uint8] | None
) -> NDArray[np.bool_]:
    """Pixels (y, x) whose patch lies wholly within what one split may use."""
    from sitsformer.patches.sampling import uniform_window

    if chosen.split.by == "block":
        return splits.inside_blocks(tile, chosen.split.block, settings.size)
    if split_map is not None:
        half = settings.size // 2
        around = replace(
            tile,
            west=tile.west - half * tile.pixel,
            north=tile.north + half * tile.pixel,
            size=tile.size + 2 * half,
        )
        wide = splits.polygon_map(around, str(chosen.split.polygons))
        same = uniform_window(wide, settings.size)[half : half + tile.size, half : half + tile.size]
        allowed: NDArray[np.bool_] = same & (split_map != samplelayout.UNASSIGNED)
        return allowed
    return np.ones((tile.size, tile.size), bool)


def _choose_dates(
    clear: ClearDates | Surrounded,
    length: int,
    drawn: Draw,
    epsg: int,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> NDArray[np.int16]:
    """Positions (sample, length) on the time axis of the dates that each sample keeps."""
    east, north = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)

    steps = np.empty((len(x), length), np.int16)
    with ThreadPoolExecutor(threads.count()) as pool:
        for start in range(0, len(x), clear.at_once):
            stop = min(start + clear.at_once, len(x))
            dates = clear.of(drawn.row[start:stop], drawn.column[start:stop])

            def choose(first: int, start: int = start, dates: NDArray[np.bool_] = dates) -> None:
                clear_here = dates[first - start : first - start + PIXELS]
                some = slice(first, first + len(clear_here))
                steps[some] = thin(clear_here, length, epsg, east[some], north[some])

            list(pool.map(choose, range(start, stop, PIXELS)))
    return steps


def _write_reflectance(
    spool: Spool,
    steps: NDArray[np.int16],
    gaps: NDArray[np.bool_],
    min_dates: int,
    directory: Path,
) -> tuple[NDArray[np.bool_], NDArray[np.int16]]:
    """Take out dates with missing values, drop samples left with too few, write the others.

    Returns:
        (sample,) which samples are kept, and (sample, length) their steps, front-packed.
    """
    chunk = shards.chunk_rows(spool.sample_bytes)
    kept = (steps >= 0).sum(axis=1) - gaps.sum(axis=1) >= min_dates
    steps = steps.copy()

    def piece(first: int) -> NDArray[np.uint16]:
        here = slice(first, first + chunk)
        part, broken = spool.read(first, first + chunk), gaps[here]
        if broken.any():
            part = _repair(part, steps[here], broken)
        return part if kept[here].all() else part[kept[here]]

    def whole() -> Iterator[NDArray[np.uint16]]:
        with ThreadPoolExecutor(threads.count()) as pool:
            yield from shards.ahead(pool, piece, range(0, len(steps), chunk), 4)

    pieces = samplelayout.rechunk(whole(), chunk)
    samplelayout.write_reflectance(directory, samplelayout.encoded(pieces, chunk))
    return kept, steps


def _repair(
    part: NDArray[np.uint16], steps: NDArray[np.int16], broken: NDArray[np.bool_]
) -> NDArray[np.uint16]:
    """Take broken steps out of samples and close the gaps, in `steps` in place."""
    part = part.copy()
    for sample in np.flatnonzero(broken.any(axis=1)):
        good = np.flatnonzero((steps[sample] >= 0) & ~broken[sample])
        part[sample, : len(good)] = part[sample, good]
        part[sample, len(good) :] = MISSING
        steps[sample, : len(good)] = steps[sample, good]
        steps[sample, len(good) :] = -1
    return part


def _lasting(settings: Patches) -> dict[str, Any]:
    """Settings that decide on the samples; how much memory and which scheduler do not."""
    return settings.model_dump(mode="json", exclude={"memory_gb", "scheduler"})
