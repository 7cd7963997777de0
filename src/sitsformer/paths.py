"""Where the workflow puts things, and which artefacts a config asks for.

The Snakefiles take every path from here, so that the DAG is a pure function of the config and can
be tested without Snakemake. All paths are relative to the working directory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from sitsformer import foresight
from sitsformer.baselines import shipped
from sitsformer.classes import group, legend_of
from sitsformer.config import Config, ConfigError, expand
from sitsformer.config.checks import outlook
from sitsformer.fewshot import NETWORK, Learner, parse_learner, seed_jobs
from sitsformer.fewshot.adaptations import adaptations
from sitsformer.grid import Tile, tiles
from sitsformer.overlap import overlap_problems


class Paths:
    """Paths and lists of artefacts of one config."""

    def __init__(self, config: Config) -> None:
        self.config = config
        # As Snakemake writes paths: `out/` and `./out` are `out`.
        self.results = os.path.normpath(expand(config.results))
        self._tiles = cache(lambda area: tiles(area, config.areas[area]))

    def tiles(self, area: str) -> list[Tile]:
        """Tiles of an area."""
        return self._tiles(area)

    def cube(self, area: str, tile: str) -> str:
        """Cube of a tile."""
        return f"{self.results}/cubes/{area}/{tile}.zarr"

    def cubes(self, *sets: str) -> list[str]:
        """Cubes that the named sets are cut from, each once; all cubes by default."""
        areas = [area for name in sets or self.config.sets for area in self.config.sets[name].areas]
        areas += [] if sets else list(self.config.maps.tiles)
        return [
            self.cube(area, tile.name) for area in dict.fromkeys(areas) for tile in self.tiles(area)
        ]

    def tile_stores(self, name: str) -> list[str]:
        """Tile stores that a set is merged from."""
        return [
            f"{self.results}/patches/{name}/{area}/{tile.name}.zarr"
            for area in self.config.sets[name].areas
            for tile in self.tiles(area)
        ]

    def samples(self, name: str) -> str:
        """Sample store of a set: made by the workflow, or the user's own."""
        store = self.config.sets[name].store
        return f"{self.results}/patches/{name}.zarr" if store is None else str(expand(store))

    def pretrained(self) -> list[str]:
        """Every pretrained model."""
        return [
            self.model(objective, seed)
            for objective in self.config.pretrain.objectives
            for seed in self.config.pretrain.seeds
        ]

    def model(self, objective: str, seed: int | str) -> str:
        """Artefact of a pretrained model."""
        return f"{self.results}/models/{objective}-p{seed}"

    def learners(self) -> Iterator[Learner]:
        """Everyone who takes part in the sweep."""
        sweep = self.config.fewshot
        for init in sweep.inits:
            for run in (-1,) if init == "none" else self.config.pretrain.seeds:
                for adaptation in sweep.adaptations:
                    yield Learner(NETWORK, init, adaptation, run)
        for baseline in sweep.baselines:
            yield Learner(baseline)

    def cells(self) -> list[str]:
        """Every table of predictions of the sweep."""
        sweep = self.config.fewshot
        return [
            f"{self.results}/fewshot/{learner.name}/{shots}/{seeds}.parquet"
            for learner in self.learners()
            for shots in sweep.shots
            for seeds in seed_jobs(sweep.seeds, sweep.seeds_per_job)
        ]

    def in_steps(self, name: str) -> bool:
        """Whether a learner is trained in steps, and depends on what the config says of them."""
        learner = parse_learner(name)
        if learner.method == NETWORK:
            return adaptations()[learner.adaptation].gradient
        options = self.config.fewshot.options.get(name, {})
        if "features" in options:
            return False
        # What is in a file of the user's is not known before it is run.
        return "file" in options or name not in shipped() or shipped()[name].gradient

    def map_learner(self) -> Learner:
        """Whose model draws the maps: the first pretraining seed of `maps.init`."""
        maps = self.config.maps
        run = -1 if maps.init == "none" else self.config.pretrain.seeds[0]
        return Learner(NETWORK, maps.init, maps.adaptation, run)

    def mapped_tiles(self) -> list[tuple[str, str]]:
        """(area, tile) of every map."""
        found = []
        for area, wanted in self.config.maps.tiles.items():
            names = [tile.name for tile in self.tiles(area)]
            if isinstance(wanted, int):
                names = names[:wanted]
            elif wanted != "all":
                names = list(wanted)
            found += [(area, name) for name in names]
        return found

    def maps(self, suffix: str = ".tif") -> list[str]:
        """Crop maps, or the files beside them (`.png`, `_areas.csv`)."""
        return [f"{self.results}/maps/{area}/{tile}{suffix}" for area, tile in self.mapped_tiles()]


def user_files(path: Path) -> list[Path]:
    """A file or folder of the user, and the files beside it or in it that change when it does.

    A shapefile is several files, and its columns are not in the one that is named. A Zarr store
    is a folder, which does not change when a chunk does; whoever writes it anew writes these.
    """
    if path.suffix.lower() == ".shp":
        parts = (".shp", ".shx", ".dbf", ".prj", ".cpg")
        beside = [path.with_suffix(part) for part in parts if part != path.suffix]
        return [path, *(part for part in beside if part.exists())]
    within = [path / name for name in ("zarr.json", ".zmetadata", "provenance.json")]
    return [path, *(file for file in within if file.exists())]


def leaves(values: Any, prefix: str = "") -> list[str]:
    """`key=value` of every leaf of nested config values: the form in which rules take params."""
    if isinstance(values, dict):
        items = values.items()
    elif isinstance(values, (list, tuple)) and any(isinstance(item, dict) for item in values):
        items = enumerate(values)  # type: ignore[assignment]
    else:
        return [f"{prefix}={values}"]
    return [
        leaf
        for key, item in items
        for leaf in leaves(item, f"{prefix}.{key}" if prefix else str(key))
    ]


def problems(config: Config) -> list[str]:
    """What the files that a config names say against it, as `path.of.key: message`.

    Config values are checked where they are parsed; here are files that do not exist, codes that
    a legend lacks, areas without tiles, splits that tiles cannot give, ground learned and tested.
    """
    found = [*outlook(config), *_missing(config)]
    for name, sample_set in config.sets.items():
        for area in sample_set.areas:
            try:
                legend = legend_of(config.areas[area], str(sample_set.label))
                classes = group(legend, sample_set.classes)
            except ConfigError as error:
                found.append(f"sets.{name}.classes: {error}")
                continue
            if len(classes.names) < 2 and name == config.fewshot.set:
                found.append(
                    f"sets.{name}.label: {sample_set.label} has one class, {classes.names[0]}; "
                    "there is nothing to tell apart"
                )
    found += foresight.baseline_problems(config)
    return list(dict.fromkeys([*found, *_tile_problems(config)]))


def _tile_problems(config: Config) -> list[str]:
    """What the tiles of the areas say against a config; of areas without tiles only that."""
    layout = Paths(config)
    found = []
    for area in config.areas:
        try:
            layout.tiles(area)
        except ConfigError as error:
            message = str(error)
            own = message.startswith(f"areas.{area}")
            found.append(message if own else f"areas.{area}: {message}")
    if found:
        return found
    found += foresight.split_problems(config, layout.tiles)
    found += foresight.map_problems(config, layout.tiles)
    found += overlap_problems(config, layout.tiles)
    found += _polygon_problems(layout)
    return found


def _missing(config: Config) -> Iterator[str]:
    """Files and folders that do not exist, and paths with variables that are not set."""
    for key, text in _named(config):
        try:
            path = expand(text)
        except ConfigError as error:
            yield f"{key}: {error}"
            continue
        if not path.exists():
            yield f"{key}: {path} does not exist"
        elif {"{", "}"} & set(str(path)):
            yield f"{key}: {path} has a brace, which Snakemake takes for a wildcard; rename it"


def _polygon_problems(layout: Paths) -> Iterator[str]:
    """Sets whose split polygons cannot be used, or cover nothing of their tiles."""
    from sitsformer import splitpolygons

    for name, sample_set in layout.config.sets.items():
        path = sample_set.split.polygons
        if sample_set.split.by != "polygons" or path is None or not expand(path).exists():
            continue
        try:
            tiles = [tile for area in sample_set.areas for tile in layout.tiles(area)]
            lacking = splitpolygons.problems(path, tiles) if tiles else []
        except ConfigError as error:
            lacking = [str(error)]
        yield from (f"sets.{name}.split.polygons: {line}" for line in lacking)


def _named(config: Config) -> Iterator[tuple[str, str]]:
    """Files and folders that a config names, with their keys."""
    for name, area in config.areas.items():
        if area.geometry is not None:
            yield f"areas.{name}.geometry", area.geometry
        if area.rasters is not None:
            yield f"areas.{name}.rasters.path", area.rasters.path
            for layer, label in area.rasters.labels.items():
                yield f"areas.{name}.rasters.labels.{layer}.path", label.path
    for name, sample_set in config.sets.items():
        if sample_set.store is not None:
            yield f"sets.{name}.store", sample_set.store
        if sample_set.split.polygons is not None:
            yield f"sets.{name}.split.polygons", sample_set.split.polygons
