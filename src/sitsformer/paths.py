"""Where the workflow puts things, and which artefacts a config asks for.

The Snakefiles take every path from here, so that the DAG is a pure function of the config and can
be tested without Snakemake. All paths are relative to the working directory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

from sitsformer import mapproducts
from sitsformer.baselines import shipped
from sitsformer.config import Config, ConfigError, expand
from sitsformer.fewshot import NETWORK, NO_ADAPTATION, Learner, parse_learner, seed_jobs
from sitsformer.fewshot.adaptations import adaptations
from sitsformer.grid import Tile, tiles
from sitsformer.training.objectives import SCRATCH, objectives


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
        for baseline in sweep.controls:
            for run in self.config.pretrain.seeds:
                yield Learner(baseline, self.knowing_init(), NO_ADAPTATION, run)

    def knowing_init(self) -> str:
        """Whose land cover controls are given: the first init of the sweep that knows it."""
        inits = self.config.fewshot.inits
        return next(o.name for o in objectives().values() if o.name in inits and o.classifies)

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
        name = learner.method
        options = self.config.fewshot.options.get(name, {})
        if "features" in options:
            return False
        # What is in a file of the user's is not known before it is run.
        return "file" in options or name not in shipped() or shipped()[name].gradient

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
