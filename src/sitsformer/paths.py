"""Where the workflow puts things, and which artefacts a config asks for.

The Snakefiles take every path from here, so that the DAG is a pure function of the config and can
be tested without Snakemake. All paths are relative to the working directory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from sitsformer import foresight, mapproducts, userfiles
from sitsformer.classes import group, legend_of
from sitsformer.config import Config, ConfigError, expand
from sitsformer.config.checks import outlook
from sitsformer.fewshot import NETWORK, Learner, seed_jobs
from sitsformer.grid import Tile, tiles
from sitsformer.overlap import overlap_problems
from sitsformer.training.objectives import SCRATCH


class Paths:
    """Paths and lists of artefacts of one config."""

    def __init__(self, config: Config) -> None:
        self.config = config
        # As Snakemake writes paths: `out/` and `./out` are `out`.
        try:
            self.results = os.path.normpath(expand(config.results))
        except ConfigError as error:
            raise ConfigError(f"results: {error}") from None
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

    def kept(self) -> list[str]:
        """Intermediate stores that are made again when they are missing (`keep`)."""
        stores = [path for name in self.config.sets for path in self.tile_stores(name)]
        return {"all": [*stores, *self.cubes()], "cubes": self.cubes(), "none": []}[
            self.config.keep
        ]

    def shown_cubes(self) -> list[str]:
        """Cubes that the report shows."""
        return [] if self.config.keep == "none" else self.cubes()

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
            for run in (-1,) if init == SCRATCH.name else self.config.pretrain.seeds:
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

    def map_learner(self) -> Learner:
        """Whose model draws the maps: the first pretraining seed of `maps.init`."""
        maps = self.config.maps
        run = -1 if maps.init == SCRATCH.name else self.config.pretrain.seeds[0]
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

    def maps(self, *products: str) -> list[str]:
        """Products of every map by name (`classes`, `areas`), all by default."""
        known = mapproducts.products()
        return [
            self.map(area, tile, name)
            for name in products or known
            for area, tile in self.mapped_tiles()
        ]

    def map(self, area: str, tile: str, product: str) -> str:
        """A product of the map of a tile."""
        return f"{self.results}/maps/{area}/{tile}{mapproducts.products()[product].ending}"


def problems(config: Config, *, learned: bool = True) -> list[str]:
    """What the files that a config names say against it, as `path.of.key: message`.

    Config values are checked where they are parsed; here are files that do not exist, codes that
    a legend lacks, areas without tiles, splits that tiles cannot give, ground learned and tested.

    Args:
        config: the config.
        learned: also look in files of split polygons for what pretraining and the sweep need; a
            run that makes cubes and samples alone does without.
    """
    found = [*outlook(config), *_missing(config), *_class_problems(config)]
    found += foresight.baseline_problems(config)
    return list(dict.fromkeys([*found, *_tile_problems(config, learned)]))


def _class_problems(config: Config) -> Iterator[str]:
    """Legends that cannot be read, and classes that a legend does not give."""
    legends = {}
    for name, area in config.areas.items():
        for layer in area.labels:
            try:
                legends[name, layer] = legend_of(area, layer)
            except ConfigError as error:
                yield f"areas.{name}.rasters.labels.{layer}.legend: {error}"
    for name, sample_set in config.sets.items():
        for area_name in sample_set.areas:
            legend = legends.get((area_name, str(sample_set.label)))
            if legend is None:
                continue
            try:
                classes = group(legend, sample_set.classes)
            except ConfigError as error:
                yield f"sets.{name}.classes: {error}"
                continue
            if len(classes.names) < 2 and name == config.fewshot.set:
                yield (
                    f"sets.{name}.label: {sample_set.label} has one class, {classes.names[0]}; "
                    "there is nothing to tell apart"
                )


def _tile_problems(config: Config, learned: bool) -> list[str]:
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
    found += foresight.results_problems(Path(layout.results))
    found += foresight.split_problems(config, layout.tiles)
    found += foresight.map_problems(config, layout.tiles)
    found += overlap_problems(config, layout.tiles)
    found += foresight.polygon_problems(config, layout.tiles, learned=learned)
    return found


def _missing(config: Config) -> Iterator[str]:
    """Files and folders that do not exist, and paths with variables that are not set."""
    for key, text in userfiles.named(config):
        try:
            path = expand(text)
        except ConfigError as error:
            yield f"{key}: {error}"
            continue
        if not path.exists():
            yield f"{key}: {path} does not exist"
        elif {"{", "}"} & set(str(path)):
            yield f"{key}: {path} has a brace, which Snakemake takes for a wildcard; rename it"
