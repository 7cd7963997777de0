"""Jobs that tell and show: tables, maps, the report."""

from __future__ import annotations

from sitsformer import mapproducts
from sitsformer.config import Config
from sitsformer.config.learners import map_layers, map_learners
from sitsformer.costs import rates
from sitsformer.costs.data import cube, embedded_bytes
from sitsformer.costs.job import Job
from sitsformer.costs.sizes import dates, store
from sitsformer.costs.work import network
from sitsformer.embeddings import members
from sitsformer.evaluation import tables
from sitsformer.paths import Paths
from sitsformer.sensors import sensor_of


def evaluate(paths: Paths) -> Job:
    """The tables."""
    config = paths.config
    found = store(paths, config.fewshot.set)
    cells = sum(1 for _ in paths.learners()) * len(config.fewshot.shots) * config.fewshot.seeds
    rows = cells * found.part("test")
    seconds = rates.TABLES.seconds + cells * rates.SCORED_CELL + rows * rates.SCORED_ROW
    memory = rates.TABLES.memory + rows * found.classes * 4 * rates.HELD_CELLS / 1e6
    return Job(seconds, memory, 1, 2 * len(tables.NAMES) + 2)


def map_tile(paths: Paths, area_name: str) -> Job:
    """The map of a tile."""
    config = paths.config
    area = config.areas[area_name]
    pixels, steps = area.tiles.size**2, min(config.patches.max_length, dates(config, area))
    bands = len(sensor_of(area).names)
    shape = network(config, steps, bands)
    passes = 2 if "embeddings" in config.maps.layers else 1
    operations = passes * pixels * shape.operations
    gathered = pixels * dates(config, area) / rates.MAP_VALUES
    if _embeddings_alone(config):
        operations = gathered = 0.0
    gpu = config.compute.device_of("map") == "cuda" and operations > 0
    rate = (rates.mapping_on_gpu if gpu else rates.predicting)(shape.hidden)
    if rate is not None and not gpu and config.maps.precision == "bf16":
        rate *= rates.faster_in_bf16(shape.hidden)
    seconds = None if rate is None else rates.TORCH.seconds + gathered + operations / rate
    classes = _classes(paths)
    layers = pixels * 2 * (
        (classes if "probabilities" in config.maps.layers else 0)
        + (shape.hidden if "embeddings" in config.maps.layers else 0)
    )  # fmt: skip
    read = min(504, area.tiles.size) * 126 * dates(config, area) * 2 * bands
    batch = config.maps.batch_size * steps * (2 * bands * config.patches.size**2) * 4
    memory = rates.TORCH.memory + rates.PREDICT_MB + (2 * layers + 2 * read + batch) / 1e6
    for layer in map_layers(config):
        size = embedded_bytes(config, layer, area_name)
        memory += rates.EMBEDDED_HELD * size / 1e6
        seconds = None if seconds is None else seconds + size / rates.EMBEDDED_READ
    kept = (pixels * rates.MAP_PIXEL + layers) / 1e6
    files = 2 * len(mapproducts.products(config.maps.layers)) + 3
    return Job(seconds, memory, kept, files, gpu, operations)


def _embeddings_alone(config: Config) -> bool:
    """Whether the maps are drawn from nothing but embeddings of others."""
    known = members(config.embeddings)
    among = [] if config.maps.model is not None else map_learners(config)
    return bool(among) and all(
        one.method in known and not known[one.method].kind.series and not one.control
        for one in among
    )


def mosaic(paths: Paths, area_name: str) -> Job:
    """The map of an area."""
    config = paths.config
    pixels = len(paths.mapped_tiles(area_name)) * config.areas[area_name].tiles.size ** 2
    seconds = rates.MOSAIC.seconds + pixels / rates.MOSAIC_PIXELS
    strip = rates.MOSAIC_ROW * pixels**0.5
    memory = rates.MOSAIC.memory + rates.MOSAIC_MB + strip + pixels * rates.MOSAIC_BYTES / 1e6
    files = len(mapproducts.area_endings(config.maps.layers)) + 3
    return Job(seconds, memory, pixels * rates.MAP_PIXEL / 1e6, files)


def report(paths: Paths) -> Job:
    """The page."""
    config = paths.config
    # A handful of cubes is drawn, one after the other; of samples the places are.
    largest = max((cube(paths, name).memory for name in config.areas), default=0.0)
    samples = sum(store(paths, name).samples for name in config.sets)
    seconds = rates.PAGE.seconds + samples * rates.PAGE_SAMPLE
    memory = rates.PAGE.memory + samples * rates.PAGE_BYTES / 1e6
    memory = max(memory, largest) if paths.shown_cubes() else memory
    return Job(seconds, memory, 10, 40)


def _classes(paths: Paths) -> int:
    config: Config = paths.config
    return store(paths, config.fewshot.set).classes if config.learns else 20
