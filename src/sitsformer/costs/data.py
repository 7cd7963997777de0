"""Jobs that make data: cubes, samples of tiles, sample stores."""

from __future__ import annotations

import math

from sitsformer.config import Area, Config
from sitsformer.costs import rates
from sitsformer.costs.job import Job
from sitsformer.costs.sizes import dates, implied_samples, store
from sitsformer.paths import Paths
from sitsformer.sensors import sensor_of

CUBE_CHUNK = {"time": 12, "y": 126, "x": 126}
"""Chunks of a cube (`sitsformer.cube`, which Snakemake's start does not load)."""
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


def _values(config: Config, area: Area) -> int:
    """Reflectances of a cube."""
    return area.tiles.size**2 * dates(config, area) * len(sensor_of(area).names)


def _sample_bytes(config: Config, area: Area) -> int:
    steps = min(config.patches.max_length, dates(config, area))
    return steps * (2 * len(sensor_of(area).names) * config.patches.size**2 + 2)


def _files(size: float) -> int:
    return math.ceil(size / SHARD) + rates.STORE_FILES
