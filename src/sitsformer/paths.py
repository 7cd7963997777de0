"""Where the workflow puts things, and which artefacts a config asks for.

The Snakefiles take every path from here, so that the DAG is a pure function of the config and can
be tested without Snakemake. All paths are relative to the working directory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache

from sitsformer import mapproducts
from sitsformer.config import Config, ConfigError, Shots, expand
from sitsformer.config.learners import controlled, learners, map_layers, map_learners
from sitsformer.fewshot import Learner, seed_jobs
from sitsformer.grid import Tile, tiles
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
        self._places = cache(
            lambda area: {(tile.west, tile.north): tile for tile in self._tiles(area)}
        )
        self._names = cache(lambda area: {tile.name: tile for tile in self._tiles(area)})

    def tiles(self, area: str) -> list[Tile]:
        """Tiles of an area."""
        return self._tiles(area)

    def cube(self, area: str, tile: str) -> str:
        """Cube of a tile."""
        return f"{self.results}/cubes/{area}/{tile}.zarr"

    def cubes(self, *sets: str) -> list[str]:
        """Cubes that the named sets are cut from, each once; all cubes by default."""
        areas = [area for name in sets or self.config.sets for area in self.config.sets[name].areas]
        found = [self.cube(area, tile.name) for area in areas for tile in self.tiles(area)]
        for area in () if sets else self.config.maps.tiles:
            for tile in self.mapped_tiles(area):
                found += [self.cube(area, tile.name), *self.neighbours(area, tile.name)]
        return list(dict.fromkeys(found))

    def tile_stores(self, name: str) -> list[str]:
        """Tile stores that a set is merged from."""
        return [
            f"{self.results}/patches/{name}/{area}/{tile.name}.zarr"
            for area in self.config.sets[name].areas
            for tile in self.tiles(area)
        ]

    def embedded_tile(self, layer: str, area: str, tile: str) -> str:
        """Embeddings of a layer over a tile."""
        return f"{self.results}/embeddings/{layer}/{area}/{tile}.zarr"

    def embedded_tiles(self, layer: str) -> list[str]:
        """Embeddings of a layer over every tile that the sweep's samples are of."""
        return [
            self.embedded_tile(layer, area, tile.name)
            for area in self.config.sets[self.config.fewshot.set].areas
            for tile in self.tiles(area)
        ]

    def embeddings_of(self, area: str, tile: str) -> list[str]:
        """Embeddings that the map of a tile may be drawn from."""
        return [self.embedded_tile(layer, area, tile) for layer in map_layers(self.config)]

    def mapped_embeddings(self) -> list[str]:
        """The same of every mapped tile."""
        return [
            path
            for area in self.config.maps.tiles
            for tile in self.mapped_tiles(area)
            for path in self.embeddings_of(area, tile.name)
        ]

    def embedding_tiles(self) -> dict[tuple[str, str], list[Tile]]:
        """Tiles that embeddings are taken over, by layer and area: of the sweep, and mapped."""
        config, found = self.config, dict[tuple[str, str], list[Tile]]()
        if config.learns:
            for layer in config.embeddings:
                for area in config.sets[config.fewshot.set].areas:
                    found[layer, area] = list(self.tiles(area))
        for layer in map_layers(config):
            for area in config.maps.tiles:
                known = found.setdefault((layer, area), [])
                known += [tile for tile in self.mapped_tiles(area) if tile not in known]
        return found

    def map_embedded(self) -> list[str]:
        """Embeddings of the samples that those who may draw the maps learn from."""
        return [self.embedded(layer) for layer in map_layers(self.config)]

    def embedded(self, layer: str) -> str:
        """Embeddings of a layer at the samples of the sweep."""
        return f"{self.results}/embeddings/{layer}/{self.config.fewshot.set}.zarr"

    def kept(self) -> list[str]:
        """Intermediate stores that are made again when they are missing (`keep`)."""
        stores = [path for name in self.config.sets for path in self.tile_stores(name)]
        if self.config.learns:
            names = self.config.embeddings
            stores += [path for name in names for path in self.embedded_tiles(name)]
        stores = list(dict.fromkeys([*stores, *self.mapped_embeddings()]))
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
        if not self.config.learns:
            return []
        return [
            self.model(objective, seed)
            for objective in self.config.pretrain.objectives
            for seed in self.config.pretrain.seeds
        ]

    def model(self, objective: str, seed: int | str) -> str:
        """Artefact of a pretrained model: the user's own, or one that is trained."""
        if objective in self.config.pretrain.models:
            return str(expand(self.config.pretrain.models[objective]))
        return f"{self.results}/models/{objective}-p{seed}"

    def learners(self) -> Iterator[Learner]:
        """Everyone who takes part in the sweep."""
        return learners(self.config)

    def cells(self) -> list[str]:
        """Every table of predictions of the sweep."""
        return [
            path
            for learner in self.learners()
            for shots in self.config.fewshot.shots
            for path in self._cells_of(learner, shots)
        ]

    def _cells_of(self, learner: Learner, shots: Shots) -> list[str]:
        sweep = self.config.fewshot
        return [
            f"{self.results}/fewshot/{learner.name}/{shots}/{seeds}.parquet"
            for seeds in seed_jobs(sweep.seeds, sweep.seeds_per_job)
        ]

    def fits(self, learner: Learner, shots: Shots | str, seeds: str) -> list[str]:
        """Fits that the cells of a learner are made of; none where it is fitted for itself."""
        if learner.method not in controlled(self.config):
            return []
        return [f"{self.results}/fits/{learner.method}/{shots}/{seeds}"]

    def map_learners(self) -> list[Learner]:
        """Who may draw the maps: one, or those whom validation chooses among."""
        return map_learners(self.config)

    def map_cells(self) -> list[str]:
        """Predictions of the sweep that tell who of several is to draw the maps."""
        among = self.map_learners()
        if len(among) < 2:
            return []
        return [
            path for learner in among for path in self._cells_of(learner, self.config.maps.shots)
        ]

    def starts(self, learner: Learner) -> list[str]:
        """The pretrained model that a learner starts from or knows land cover by; none for none."""
        if learner.init == SCRATCH.name:
            return []
        return [self.model(learner.init, learner.pretrain_seed)]

    def map_model(self) -> str:
        """The model that draws the maps: the user's own, or the one that is fine-tuned for it."""
        own = self.config.maps.model
        return f"{self.results}/models/crop" if own is None else str(expand(own))

    def mapped_tiles(self, area: str) -> list[Tile]:
        """Tiles of an area that are mapped."""
        wanted, found = self.config.maps.tiles[area], self.tiles(area)
        if wanted == "all":
            return found
        if isinstance(wanted, int):
            return found[:wanted]
        return [tile for tile in found if tile.name in wanted]

    def neighbours(self, area: str, name: str) -> list[str]:
        """Cubes of the tiles of an area that touch one of them, whose patches reach into them."""
        known: dict[tuple[int, int], Tile] = self._places(area)
        tile: Tile = self._names(area)[name]
        side = tile.side
        places = [
            (tile.west + right * side, tile.north + up * side)
            for up in (1, 0, -1)
            for right in (-1, 0, 1)
            if up or right
        ]
        return [self.cube(area, known[place].name) for place in places if place in known]

    def mapped_cubes(self, area: str) -> list[str]:
        """Cubes of the mapped tiles of an area."""
        return [self.cube(area, tile.name) for tile in self.mapped_tiles(area)]

    def tile_maps(self, area: str, *products: str) -> list[str]:
        """Products of the mapped tiles of an area by name, all by default."""
        known = mapproducts.products(self.config.maps.layers)
        return [
            self.map(area, tile.name, name)
            for name in products or known
            for tile in self.mapped_tiles(area)
        ]

    def map(self, area: str, tile: str, product: str) -> str:
        """A product of the map of a tile."""
        ending = mapproducts.products(self.config.maps.layers)[product].ending
        return f"{self.results}/maps/{area}/tiles/{tile}{ending}"

    def maps(self, *products: str) -> list[str]:
        """Products of the map of every mapped area by name (`classes`, `areas`), all by default."""
        known = mapproducts.area_endings(self.config.maps.products)
        return [
            self.area_map(area, name)
            for name in products or known
            for area in self.config.maps.tiles
        ]

    def area_map(self, area: str, product: str) -> str:
        """A product of the map of an area."""
        ending = mapproducts.area_endings(self.config.maps.products)[product]
        return f"{self.results}/maps/{area}/{area}{ending}"
