# What jobs ask for: memory, time, a GPU, requests to Earth Engine.
from functools import cache

from sitsformer import costs


def predicted(stage: str, wildcards) -> costs.Job:
    """What a job is predicted to take; by the stores that are there, where it reads some."""
    known = {name: value for name, value in wildcards.items() if name != "tile"}
    if stage in ("cube", "patches", "map", "embeddings"):
        return alike(stage, tuple(known.items()))
    return costs.job_of(PATHS, stage, known)


@cache
def alike(stage: str, wildcards: tuple) -> costs.Job:
    """What a job on a tile is predicted to take: on any tile of its area."""
    return costs.job_of(PATHS, stage, dict(wildcards))


def asked(stage: str) -> dict:
    """Memory and minutes of a rule: as its jobs are predicted, and more with each attempt."""

    @per_tile
    def mem_mb(wildcards, attempt):
        return costs.mem_mb(predicted(stage, wildcards), CONFIG.compute, attempt)

    @per_tile
    def runtime(wildcards, attempt):
        return costs.runtime(predicted(stage, wildcards), CONFIG.compute, attempt)

    return {"mem_mb": mem_mb, "runtime": runtime}


def asked_of_network(stage: str, of: str | None = None) -> dict:
    """The same, and what its network runs on (`compute.device`); a GPU where it uses one.

    Where the config knows no such stage, `of` is the one that this is a part of.
    """
    found = {**asked(stage), "device": CONFIG.compute.device_of(of or stage)}
    if found["device"] != "cuda":
        return found

    @per_tile
    def gpu(wildcards):
        return int(predicted(stage, wildcards).gpu)

    return {**found, "gpu": gpu}


@per_tile
def requests_of_area(wildcards):
    """Requests to Earth Engine that an export has under way at once."""
    asks = CONFIG.areas[wildcards.area].source == "earthengine"
    return CONFIG.earthengine.concurrent if asks else 0


@per_tile
def requests_of_layer(wildcards):
    """Requests to Earth Engine that a tile of embeddings has under way at once."""
    own = CONFIG.embeddings[wildcards.layer].rasters
    return 0 if own else CONFIG.earthengine.concurrent


def earthengine_requests():
    """The share of cubes in the requests that the project may have under way (the profiles).

    Where no area asks Earth Engine a number, and nothing that is asked of each job.
    """
    sources = {area.source for area in CONFIG.areas.values()}
    return requests_of_area if "earthengine" in sources else 0
