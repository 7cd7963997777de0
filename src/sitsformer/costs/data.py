"""Jobs that make data: cubes, samples of tiles, sample stores."""

from __future__ import annotations

import math
from functools import cache

from sitsformer.config import Area, Config
from sitsformer.costs import rates
from sitsformer.costs.job import Job
from sitsformer.costs.sizes import dates, implied_samples, store
from sitsformer.embeddings import products
from sitsformer.errors import SitsError
from sitsformer.paths import Paths
from sitsformer.sensors import sensor_of

CUBE_CHUNK = {"time": 12, "y": 126, "x": 126}
"""Chunks of a cube (`sitsformer.cube`, which Snakemake's start does not load)."""
EMBEDDED_ROWS, EMBEDDED_FILES = 4096, 12
"""Samples of a chunk of embeddings (`embedded.store`); files of a store that hold none."""
SHARD = 32 * 2**23
"""Bytes of a shard of a sample store before compression."""


def cube(paths: Paths, area_name: str) -> Job:
    """The cube of a tile."""
    config = paths.config
    area = config.areas[area_name]
    values = _values(config, area)
    seconds = rates.DATA.seconds + values / rates.CUBE_VALUES
    if area.source == "earthengine":
        seconds += 2 * values / rates.LINE
    pixels, steps = area.tiles.size, dates(config, area)
    sides = math.ceil(pixels / CUBE_CHUNK["y"]) ** 2
    files = sides * (2 * math.ceil(steps / CUBE_CHUNK["time"]) + len(area.labels))
    held = rates.CUBE_BYTES.get(area.source, rates.CUBE_BYTES_ELSE)
    memory = rates.DATA.memory + values * held / 1e6
    return Job(seconds, memory, 2 * values * rates.CUBE_KEPT / 1e6, files + rates.STORE_FILES)


def patches(paths: Paths, set_name: str, area_name: str) -> Job:
    """The samples of a tile."""
    config = paths.config
    area = config.areas[area_name]
    samples = implied_samples(config, set_name, area.tiles.size)
    size = _sample_bytes(config, area)
    values = _values(config, area)
    seconds = rates.DATA.seconds + values / rates.CUT_VALUES + samples * size / rates.CUT_BYTES
    memory = rates.DATA.memory + 1000 * config.patches.memory_gb
    return Job(seconds, memory, samples * size * rates.SAMPLES_KEPT / 1e6, _files(samples * size))


def merge(paths: Paths, set_name: str) -> Job:
    """The store of a set."""
    found = store(paths, set_name)
    seconds = rates.DATA.seconds + found.bytes / rates.MERGE_BYTES
    memory = rates.DATA.memory + found.samples * rates.MERGE_SAMPLE / 1e6
    return Job(seconds, memory, found.bytes * rates.SAMPLES_KEPT / 1e6, _files(found.bytes))


def embeddings(paths: Paths, layer: str, area_name: str) -> Job:
    """The embeddings of a layer over a tile."""
    area = paths.config.areas[area_name]
    size = embedded_bytes(paths.config, layer, area_name)
    seconds = rates.DATA.seconds + size / rates.EMBEDDED_BYTES
    if not paths.config.embeddings[layer].rasters:
        seconds += size / rates.LINE
    memory = rates.DATA.memory + rates.EMBEDDED_HELD * size / 1e6
    files = math.ceil(area.tiles.size / CUBE_CHUNK["x"]) ** 2 + EMBEDDED_FILES
    return Job(seconds, memory, size / 1e6, files)


def embedded_samples(paths: Paths, layer: str) -> Job:
    """The embeddings of the samples of the sweep."""
    config = paths.config
    found, areas = store(paths, config.fewshot.set), config.sets[config.fewshot.set].areas
    read = sum(len(paths.tiles(area)) * embedded_bytes(config, layer, area) for area in areas)
    kept = found.samples * max((_vector(config, layer, area) for area in areas), default=0)
    seconds = rates.DATA.seconds + read / rates.EMBEDDED_READ + kept / rates.EMBEDDED_BYTES
    memory = rates.DATA.memory + rates.EMBEDDED_HELD * kept / 1e6
    files = math.ceil(found.samples / EMBEDDED_ROWS) + EMBEDDED_FILES
    return Job(seconds, memory, kept / 1e6, files)


def embedded_bytes(config: Config, layer: str, area_name: str) -> int:
    """Bytes of the embeddings of a tile."""
    return config.areas[area_name].tiles.size ** 2 * _vector(config, layer, area_name)


def _vector(config: Config, layer: str, area_name: str) -> int:
    """Bytes of an embedding: a product's are bytes, those of rasters are float32."""
    product, rasters = products().get(layer), config.embeddings[layer].rasters
    if rasters or product is None:
        return 4 * (_axes(rasters[area_name]) if area_name in rasters else rates.AXES)
    return len(product.bands)


@cache
def _axes(raster: str) -> int:
    """Axes of a raster of the user's; as many as are usual where it cannot be read (yet)."""
    from sitsformer.embedded.tiles import look

    try:
        return look(raster, "").axes
    except SitsError:
        return rates.AXES


def _values(config: Config, area: Area) -> int:
    """Reflectances of a cube."""
    return area.tiles.size**2 * dates(config, area) * len(sensor_of(area).names)


def _sample_bytes(config: Config, area: Area) -> int:
    steps = min(config.patches.max_length, dates(config, area))
    return steps * (2 * len(sensor_of(area).names) * config.patches.size**2 + 2)


def _files(size: float) -> int:
    return math.ceil(size / SHARD) + rates.STORE_FILES
