"""How much there is: dates, samples and bytes, by the config alone.

Numbers are upper bounds: each tile gives all the samples that it is asked for, each sample has as
many time steps as fit. Where a sample store is there, its own numbers count.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sitsformer.config import PARTS, Area, Config, ConfigError, Split
from sitsformer.legends import legend_of
from sitsformer.paths import Paths
from sitsformer.sensors import DEFAULT, sensor_of, sensors
from sitsformer.sources import source_of

REVISIT = 2.5
"""Days between two dates where a source does not say: two Sentinel-2 satellites, and the orbits of
two neighbours over the same ground, which is the densest there is outside the high latitudes."""
SURVEYED = 0.05
"""Share of a tile's pixels that a survey labels, assumed; only cutting the samples tells."""
OCCUR = 12
"""Classes of a legend that is not grouped, assumed: few of its codes occur in one area."""


@dataclass(frozen=True)
class Store:
    """A sample store.

    Attributes:
        samples: of all splits.
        steps: time steps of a sample.
        bands: of a time step.
        patch: side of a patch, pixels.
        shares: of train, validation and test.
        classes: crops or land covers.
        there: whether it was looked at; else what the config says.
    """

    samples: int
    steps: int
    bands: int
    patch: int
    shares: tuple[float, float, float]
    classes: int
    there: bool

    @property
    def bytes(self) -> int:
        """Of its reflectance and days, uncompressed: two a value."""
        return self.samples * self.steps * (2 * self.bands * self.patch**2 + 2)

    def part(self, split: Split) -> int:
        """Samples of a split."""
        return math.ceil(self.samples * self.shares[PARTS.index(split)])


def dates(config: Config, area: Area) -> int:
    """Dates of a cube, at most."""
    days = (area.end - area.start).days + 1
    said = source_of(area).revisit(config)
    return min(days, math.ceil(days / (said if said > 1 else REVISIT)) + 1)


def store(paths: Paths, name: str) -> Store:
    """A sample store of a set: as it is, or as the config implies it."""
    wanted = _implied(paths, name)
    shape = _shape(Path(paths.samples(name)))
    if shape is None:
        return wanted
    samples, steps, bands, patch, _ = shape
    return Store(samples, steps, bands, patch, wanted.shares, wanted.classes, True)


def implied_samples(config: Config, name: str, size: int) -> int:
    """Samples that a tile of so many pixels a side gives to a set, at most."""
    wanted = config.sets[name].per_tile
    if isinstance(wanted, int):
        return min(wanted, size**2)
    surveyed = str(config.sets[name].label) in config.labels
    return math.ceil(size**2 * (SURVEYED if surveyed else 1))


@cache
def _implied(paths: Paths, name: str) -> Store:
    config, chosen = paths.config, paths.config.sets[name]
    samples = length = 0
    sensor = sensors()[DEFAULT]
    for area_name in chosen.areas:
        area = config.areas[area_name]
        sensor = sensor_of(area)
        each = implied_samples(config, name, area.tiles.size)
        samples += len(paths.tiles(area_name)) * each
        length = max(length, min(config.patches.max_length, dates(config, area)))
    return Store(
        samples,
        length or config.patches.max_length,
        len(sensor.names),
        config.patches.size,
        _shares(config, name),
        _classes(config, name),
        False,
    )


def _shares(config: Config, name: str) -> tuple[float, float, float]:
    """Of the splits; where no share is said, each may have all samples but a few."""
    split = config.sets[name].split
    if config.sets[name].store is None and split.by in ("block", "group"):
        return split.fractions
    return (1.0, 1.0, 1.0)


def _classes(config: Config, name: str) -> int:
    chosen = config.sets[name]
    if chosen.classes is not None:
        return len(chosen.classes)
    label = str(chosen.label)
    found = OCCUR
    for area in chosen.areas:
        if label in config.areas[area].labels:
            try:
                found = min(OCCUR, len(legend_of(config.areas[area], label).codes))
            except ConfigError:
                continue
    return found


def _shape(path: Path) -> tuple[int, ...] | None:
    """Shape (sample, time, band, py, px) of the reflectance of a store; None: it is not there."""
    try:
        shape = json.loads((path / "reflectance" / "zarr.json").read_bytes())["shape"]
        return tuple(int(side) for side in shape) if len(shape) == 5 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
