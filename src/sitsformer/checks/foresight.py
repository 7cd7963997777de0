"""What tiles and files say against a config before the first job, as `path.of.key: message`."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from sitsformer.baselines import file_options
from sitsformer.config import PARTS, Config, ConfigError, SampleSet, Split, expand
from sitsformer.config.learners import map_layers
from sitsformer.embeddings import products
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.sensors import recorded, sensor_of
from sitsformer.sources import source_of
from sitsformer.training.objectives import objectives
from sitsformer.userfiles import dated_ahead, is_there

Tiles = Callable[[str], Sequence[Tile]]
"""Name of an area -> its tiles."""

LEARNED: tuple[Split, Split] = ("train", "validation")
"""Splits that pretraining looks at."""


def season_problems(config: Config) -> list[str]:
    """What sources know against areas without a look at a file: seasons, labels, places."""
    found = [
        problem
        for name, area in config.areas.items()
        for problem in source_of(area).early(name, area)
    ]
    return [*found, *_embedding_years(config)]


def _embedding_years(config: Config) -> Iterator[str]:
    """Seasons of the sweep, and of maps, whose year a product of embeddings has not."""
    sweep = config.sets.get(config.fewshot.set)
    for name, layer in config.embeddings.items():
        mapped = config.maps.tiles if name in map_layers(config) else ()
        areas = dict.fromkeys([*(() if sweep is None else sweep.areas), *mapped])
        for area in () if layer.rasters else areas:
            season = config.areas[area]
            if wrong := products()[name].no_year(season.season_year):
                yield (
                    f"embeddings.{name}: {wrong}; the season of areas.{area} is {season.start} to "
                    f"{season.end}"
                )


def split_problems(config: Config, tiles: Tiles) -> Iterator[str]:
    """Splits and shots that the tiles of a set cannot give."""
    for name, chosen in config.sets.items():
        if not chosen.areas:
            continue
        path = f"sets.{name}.split"
        if chosen.split.by == "block":
            wanted = [part for part in PARTS if chosen.split.has(part)]
            found = _blocks(_of(chosen, tiles), chosen.split.block, len(wanted))
            if found < len(wanted):
                yield (
                    f"{path}.block: its areas touch {found} block{'s' if found > 1 else ''} of "
                    f"{chosen.split.block:g} m, and {', '.join(wanted)} need one each; use smaller "
                    "blocks or more tiles"
                )
    if not config.learns:
        return
    chosen = config.sets[config.fewshot.set]
    numbers = [shots for shots in config.fewshot.shots if shots != "all"]
    if chosen.areas and chosen.per_tile != "all" and numbers:
        most = chosen.per_tile * len(_of(chosen, tiles))
        if max(numbers) > most:
            yield (
                f"fewshot.shots: {max(numbers)} samples a class asked for; sets."
                f"{config.fewshot.set} has {most} samples at most (per_tile {chosen.per_tile}, "
                f"{len(_of(chosen, tiles))} tiles)"
            )


def _of(chosen: SampleSet, tiles: Tiles) -> list[Tile]:
    return [tile for area in chosen.areas for tile in tiles(area)]


def _blocks(tiles: Sequence[Tile], side: float, enough: int) -> int:
    """Blocks of the UTM grid that tiles touch, counted up to `enough`."""
    found: set[tuple[int, int, int]] = set()
    for tile in tiles:
        west, south, east, north = (int(edge // side) for edge in _inner(tile))
        for column, row in product(range(west, east + 1), range(south, north + 1)):
            found.add((tile.epsg, column, row))
            if len(found) >= enough:
                return enough
    return len(found)


def _inner(tile: Tile) -> tuple[float, float, float, float]:
    """Centres of the outermost pixels of a tile: west, south, east, north, metres."""
    return float(tile.x[0]), float(tile.y[-1]), float(tile.x[-1]), float(tile.y[0])


def polygon_problems(config: Config, tiles: Tiles, *, learned: bool) -> Iterator[str]:
    """Files of split polygons that cannot be used, or cover nothing of the tiles of their set.

    Args:
        config: names the files.
        tiles: of the areas.
        learned: also ask for the polygons that pretraining and the sweep need samples of; sets
            can be made without them.
    """
    from sitsformer import splitpolygons

    for name, chosen in config.sets.items():
        file = chosen.split.polygons
        if file is None or not expand(file).exists():
            continue
        wanted: dict[Split, str] = {}
        if learned and name == config.fewshot.set:
            wanted |= dict.fromkeys(PARTS, "the sweep")
        if learned and name == config.pretrain.set:
            wanted |= dict.fromkeys(LEARNED, "pretraining")
        try:
            lacking = list(splitpolygons.problems(file, _of(chosen, tiles), wanted))
        except ConfigError as error:
            lacking = [str(error)]
        yield from (f"sets.{name}.split.polygons: {line}" for line in lacking)


def survey_problems(config: Config, tiles: Tiles) -> Iterator[str]:
    """Labelled points and polygons that cannot be used, or lie elsewhere than their areas."""
    there = [one for one in config.labels.values() if is_there(one.path)]
    if there and len(there) == len(config.labels):
        from sitsformer.surveys import foresight

        yield from foresight.problems(config, tiles)


def map_problems(config: Config, tiles: Tiles) -> Iterator[str]:
    """Tiles of maps that an area has not."""
    for area, wanted in config.maps.tiles.items():
        known = [tile.name for tile in tiles(area)]
        if isinstance(wanted, int) and wanted > len(known):
            yield f"maps.tiles.{area}: {wanted} tiles asked for, the area has {len(known)}"
        for tile in wanted if isinstance(wanted, tuple) else ():
            if tile not in known:
                yield (f"maps.tiles.{area}: no tile {tile!r}; `sitsformer config tiles` lists them")


def model_problems(config: Config) -> Iterator[str]:
    """Models of the user that do not fit what the config makes of its samples."""
    given = {f"pretrain.models.{name}": path for name, path in config.pretrain.models.items()}
    if config.maps.model is not None:
        given["maps.model"] = config.maps.model
    for key, text in given.items():
        try:
            path = expand(text)
            if path.exists():
                yield from (f"{key}: {path} {line}" for line in _misfits(config, key, path))
        except SitsError as error:
            yield f"{key}: {error}"


def _misfits(config: Config, key: str, path: Path) -> Iterator[str]:
    from sitsformer.modelfiles import describe, refuse_no_network

    found = describe(path)
    shape = found["architecture"]
    if shape["patch"] != config.patches.size:
        yield (
            f"reads patches of {shape['patch']} pixels, and patches.size is "
            f"{config.patches.size}: set it to {shape['patch']}, or give another model"
        )
    yield from _other_images(config, key, found)
    if key == "maps.model":
        yield from _other_embeddings(config, found)
        if not found["classes"]:
            yield "has no classes: give a model that was fine-tuned on labelled samples"
        return
    refuse_no_network(path, found)
    objective = key.rpartition(".")[2]
    if found["task"] != objective and found["task"] in {*objectives(), "classification"}:
        yield f"was made for {found['task']}, not for {objective}: give a model of {objective}"
    if shape["hidden"] != config.model.hidden:
        yield (
            f"has the hidden size {shape['hidden']}, and model.hidden is {config.model.hidden}: "
            f"set that to {shape['hidden']}, so that all learners are of one size"
        )


def _other_embeddings(config: Config, found: Mapping[str, Any]) -> Iterator[str]:
    """Embeddings that a described model reads and the config does not name, or the reverse."""
    read = found.get("learner", {}).get("embeddings", {}).get("layer")
    if read is not None and read not in config.embeddings:
        yield (
            f"reads the embeddings {read} of every pixel, which the config does not name: add "
            f"`embeddings: {{{read}: {{}}}}` (or its rasters, docs/embeddings.md)"
        )
    if not config.learns and (idle := sorted(set(config.embeddings) - {read})):
        yield (
            f"reads no embeddings {', '.join(idle)}, and nothing else of this config does: leave "
            "them out of `embeddings`"
        )


def _other_images(config: Config, key: str, found: Mapping[str, Any]) -> Iterator[str]:
    """Areas of another sensor, or with other bands, than a described model was trained on."""
    learned = {config.sets[name].areas for name in (config.pretrain.set, config.fewshot.set)
               if name in config.sets}  # fmt: skip
    names = config.maps.tiles if key == "maps.model" else [n for some in learned for n in some]
    own, told = recorded(found), set()
    for name in sorted(names):
        sensor = sensor_of(config.areas[name])
        if sensor.name in told:
            continue
        told.add(sensor.name)
        if sensor is not own:
            yield (
                f"reads images of {own.title}, and areas.{name} is of {sensor.title}: give a "
                f"model that was trained on {sensor.title}"
            )
        elif tuple(found["bands"]) != sensor.names:
            yield f"reads the bands {found['bands']}, and cubes have {list(sensor.names)}"


def results_problems(folder: Path) -> Iterator[str]:
    """Places where no folder of results can be made."""
    place = folder
    try:
        while not (place.exists() or place.is_symlink()):
            place = place.parent
        if not place.is_dir():
            yield f"results: {place} is there and no folder; name another place"
        elif place != folder and not os.access(place, os.W_OK | os.X_OK):
            yield f"results: {folder} cannot be made, there is no right to write in {place}"
    except OSError as error:
        yield f"results: {folder} cannot be a folder: {error.strerror}"


def baseline_problems(config: Config) -> Iterator[str]:
    """Files of the user's own baselines that cannot be used; they are read, not run."""
    for name, options in config.fewshot.options.items():
        for key, given in file_options(name, options).items():
            path = f"fewshot.options.{name}.{key}"
            try:
                file = expand(given)
            except ConfigError as error:
                yield f"{path}: {error}"
                continue
            # Features are made from the samples, and so may come later.
            if not file.is_file() and (key != "features" or file.exists()):
                yield f"{path}: {file} is not a file"
            elif key == "file":
                yield from (f"{path}: {found}" for found in _module_problems(file, name))


def _module_problems(file: Path, name: str) -> Iterator[str]:
    """What a Python file that should hold a baseline lacks, as far as it can be read."""
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        yield f"{file} is not Python: {error.msg} (line {error.lineno})"
        return
    except (OSError, ValueError) as error:
        yield f"{file} cannot be read: {error}"
        return
    written = [node for node in tree.body if "BASELINES" in _assigned(node)]
    starred = any(
        isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in tree.body
    )
    if not written and not starred:
        yield f"{file} has no dictionary BASELINES (docs/evaluation.md)"
    elif len(written) == 1 and isinstance(getattr(written[0], "value", None), ast.Dict):
        keys = written[0].value.keys  # type: ignore[attr-defined]
        names = [key.value for key in keys if isinstance(key, ast.Constant)]
        if len(names) == len(keys) and name not in names and not _changed_later(tree):
            yield f"{file} has no baseline {name!r} in its BASELINES, which has {names}"


def _assigned(node: ast.stmt) -> set[str]:
    """Names that a statement at the head of a module gives a value."""
    return {
        child.id if isinstance(child, ast.Name) else child.asname or child.name
        for child in ast.walk(node)
        if (isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store))
        or isinstance(child, ast.alias)
    }


def _changed_later(tree: ast.Module) -> bool:
    """Whether BASELINES is used after it was made: entries may have been added."""
    return any(
        isinstance(node, ast.Name) and node.id == "BASELINES" and isinstance(node.ctx, ast.Load)
        for node in ast.walk(tree)
    )


def notes(config: Config) -> Iterator[str]:
    """What is not wrong, but may not be meant."""
    used = {area for chosen in config.sets.values() for area in chosen.areas}
    for area in config.areas:
        if area not in used and area not in config.maps.tiles:
            yield f"areas.{area}: no set and no map uses it; nothing is made of it"
    for name, options in config.fewshot.options.items():
        if "features" in options and not expand(options["features"]).exists():
            yield (
                f"fewshot.options.{name}.features: {options['features']} does not exist yet; the "
                "sweep waits for it (docs/evaluation.md)"
            )
    labels = {chosen.label for chosen in config.sets.values()}
    for name in config.labels:
        if name not in labels:
            yield f"labels.{name}: no set uses it; nothing is made of it"
    for name in config.sets:
        if name not in (config.pretrain.set, config.fewshot.set):
            yield f"sets.{name}: is made, but neither pretraining nor the sweep uses it"
    yield from dated_ahead(config)
