"""The job of a rule and its wildcards, and every job of a config by stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sitsformer.config.learners import controlled
from sitsformer.costs import data, learning, outcome
from sitsformer.costs.job import Job
from sitsformer.fewshot import NETWORK, parse_learner, parse_seeds, parse_shots, seed_jobs
from sitsformer.paths import Paths

Counted = tuple[int, Job]
"""How many jobs of a stage are alike, and one of them."""


def job_of(paths: Paths, stage: str, wildcards: Mapping[str, str]) -> Job:
    """The job of a rule, by its wildcards."""
    if stage in ("fewshot", "baseline"):
        learner = parse_learner(wildcards["learner"])
        make = learning.cells if stage == "fewshot" else learning.baseline
        shots, seeds = parse_shots(wildcards["shots"]), parse_seeds(wildcards["seeds"])
        return make(paths, learner, shots, len(seeds))
    if stage == "fit":
        shots, seeds = parse_shots(wildcards["shots"]), parse_seeds(wildcards["seeds"])
        return learning.fits(paths, wildcards["method"], shots, len(seeds))
    return {
        "cube": lambda: data.cube(paths, wildcards["area"]),
        "patches": lambda: data.patches(paths, wildcards["set"], wildcards["area"]),
        "merge": lambda: data.merge(paths, wildcards["set"]),
        "embeddings": lambda: data.embeddings(paths, wildcards["layer"], wildcards["area"]),
        "embedded_samples": lambda: data.embedded_samples(paths, wildcards["layer"]),
        "pretrain": lambda: learning.pretrain(paths),
        "crop_model": lambda: learning.crop_model(paths),
        "evaluate": lambda: outcome.evaluate(paths),
        "map": lambda: outcome.map_tile(paths, wildcards["area"]),
        "mosaic": lambda: outcome.mosaic(paths, wildcards["area"]),
        "report": lambda: outcome.report(paths),
    }[stage]()


def jobs(paths: Paths) -> dict[str, list[Counted]]:
    """Every job of a config by stage, in the order the data flow; stages without any left out."""
    config = paths.config
    found: dict[str, list[Counted]] = {"cube": list(_cubes(paths))}
    found["embeddings"] = list(_embeddings(paths))
    if config.learns:
        found["embedded_samples"] = [
            (1, data.embedded_samples(paths, layer)) for layer in config.embeddings
        ]
        sets = {name: chosen for name, chosen in config.sets.items() if chosen.areas}
        found["patches"] = [
            (len(paths.tiles(area)), data.patches(paths, name, area))
            for name, chosen in sets.items()
            for area in chosen.areas
        ]
        found["merge"] = [(1, data.merge(paths, name)) for name in sets]
        trained = [
            name for name in config.pretrain.objectives if name not in config.pretrain.models
        ]
        found["pretrain"] = [
            (len(config.pretrain.seeds), learning.pretrain(paths)) for name in trained
        ]
        found["fewshot"] = list(_sweep(paths, network=True))
        found["fit"] = list(_fits(paths))
        found["baseline"] = list(_sweep(paths, network=False))
        found["evaluate"] = [(1, outcome.evaluate(paths))]
    if config.maps.tiles:
        if config.maps.model is None:
            found["crop_model"] = [(1, learning.crop_model(paths))]
        found["map"] = [
            (len(paths.mapped_tiles(area)), outcome.map_tile(paths, area))
            for area in config.maps.tiles
        ]
        found["mosaic"] = [(1, outcome.mosaic(paths, area)) for area in config.maps.tiles]
    if config.learns or config.maps.tiles:
        found["report"] = [(1, outcome.report(paths))]
    return {stage: several for stage, several in found.items() if several}


def _cubes(paths: Paths) -> Iterator[Counted]:
    """Cubes by area: those of sets, of mapped tiles and of their neighbours."""
    wanted = [path.split("/")[-2] for path in paths.cubes()]
    for area in dict.fromkeys(wanted):
        yield wanted.count(area), data.cube(paths, area)


def _embeddings(paths: Paths) -> Iterator[Counted]:
    """Embeddings over tiles by layer and area: those of the sweep, and of mapped tiles."""
    for (layer, area), wanted in paths.embedding_tiles().items():
        yield len(wanted), data.embeddings(paths, layer, area)


def _sweep(paths: Paths, *, network: bool) -> Iterator[Counted]:
    sweep = paths.config.fewshot
    for learner in paths.learners():
        if (learner.method == NETWORK) != network:
            continue
        make = learning.cells if network else learning.baseline
        for shots in sweep.shots:
            for seeds in seed_jobs(sweep.seeds, sweep.seeds_per_job):
                yield 1, make(paths, learner, shots, len(parse_seeds(seeds)))


def _fits(paths: Paths) -> Iterator[Counted]:
    """Baselines that are fitted once for themselves and their controls."""
    sweep = paths.config.fewshot
    for method in controlled(paths.config):
        for shots in sweep.shots:
            for seeds in seed_jobs(sweep.seeds, sweep.seeds_per_job):
                yield 1, learning.fits(paths, method, shots, len(parse_seeds(seeds)))
