"""Headers of a folder's files -> images: which file holds which band, and what its values mean."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sitsformer.config import Rasters, expand
from sitsformer.errors import SitsError
from sitsformer.imagery.rasters import bands, clouds, values
from sitsformer.imagery.rasters.files import Acquisition
from sitsformer.imagery.rasters.pixels import Block, check_place, overlaps
from sitsformer.sensors import Sensor

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

logger = logging.getLogger("sitsformer")

CLOUD = 10_000
"""Position of the cloud band, after the bands of any sensor."""


@dataclass(frozen=True)
class Part:
    """A file of an image.

    Attributes:
        path: of the file.
        positions: of its bands in the image: those of the sensor from 0 on, and CLOUD.
        indices: of the same bands in the file, counted from 1.
        tags: what the file says of their values.
        pixel: side of a pixel, in the units of the file's coordinate system.
        reaches: whether it reaches the block in question.
    """

    path: Path
    positions: tuple[int, ...]
    indices: tuple[int, ...]
    tags: tuple[values.Tags, ...]
    pixel: float
    reaches: bool


@dataclass(frozen=True)
class Image:
    """An image of one time: a file with all bands, or a file for each.

    Attributes:
        time: datetime64[s], UTC.
        exact: whether the time of day is known.
        parts: its files.
    """

    time: np.datetime64
    exact: bool
    parts: tuple[Part, ...]

    @property
    def day(self) -> date:
        """Day of the time."""
        found: date = self.time.astype("datetime64[D]").item()
        return found

    @property
    def name(self) -> str:
        """Names of the files."""
        return "+".join(part.path.name for part in self.parts)


def images(
    acquisitions: Iterable[Acquisition],
    settings: Rasters,
    sensor: Sensor,
    block: Block,
    where: str,
) -> list[Image]:
    """Images that reach a block, in the order of their first files.

    Raises:
        SitsError: a file is of another sensor or lacks bands, or an image whose bands are files
            does, or a file is broken and `on_broken` is `stop`.
    """
    whole: list[Image] = []
    scenes: dict[tuple[str, np.datetime64], tuple[Acquisition, list[Part | None]]] = {}
    for item in acquisitions:
        part = inspect(item, settings, sensor, block, where)
        if part is not None and len(part.positions) > 1:
            if part.reaches:
                whole.append(Image(item.time, item.exact, (part,)))
        elif part is None or part.positions:
            key = (item.scene, item.time)
            scenes.setdefault(key, (item, []))[1].append(part)
    for item, parts in scenes.values():
        present = [part for part in parts if part is not None]
        if len(present) < len(parts):
            continue  # a broken band, named already: its date is left out
        if any(part.reaches for part in present):
            image = Image(item.time, item.exact, _finest(present))
            _check_whole(image, item, settings, sensor, where)
            whole.append(image)
    return _in_order(whole, sensor)


def _in_order(images: list[Image], sensor: Sensor) -> list[Image]:
    """By time and the name of the first file; of two processings of a granule the newer first."""

    def made(image: Image) -> tuple[str, ...]:
        found = re.search(sensor.made, str(image.parts[0].path)) if sensor.made else None
        return found.groups() if found else ()

    def name(image: Image) -> str:
        text = image.parts[0].path.name
        for part in made(image):
            text = text.replace(part, "", 1)
        return text

    newest = sorted(images, key=made, reverse=True)
    return sorted(newest, key=lambda image: (image.time, name(image)))


def inspect(
    item: Acquisition, settings: Rasters, sensor: Sensor, block: Block | None, where: str
) -> Part | None:
    """Check a file's header; None where it is broken and skipped."""
    import rasterio
    from rasterio.errors import RasterioError

    bands.refuse_other_product(item.path, expand(settings.path), sensor, where)
    try:
        with rasterio.open(item.path) as dataset:
            check_place(dataset, where)
            # A picture in natural colours (TCI) has three bands, none of which is one of these.
            single = item.band is not None and (dataset.count == 1 or item.band in bands.OTHERS)
            read = partial(_one, item) if single else partial(_places, dataset)
            found = read(settings, sensor, where)
            return Part(
                item.path,
                tuple(found),
                tuple(found.values()),
                tuple(values.of_geotiff(dataset, index) for index in found.values()),
                abs(dataset.transform.a) + abs(dataset.transform.b),
                block is None or overlaps(dataset, block),
            )
    except RasterioError as error:
        broken(item.path, error, settings, where)
        return None


def broken(path: Path, error: Exception, settings: Rasters, where: str) -> None:
    """Refuse or warn of a file that cannot be read, as `on_broken` says."""
    if settings.on_broken == "stop":
        raise SitsError(
            f"{path} cannot be read: {error}; replace or remove it, or set {where}.on_broken: skip"
        ) from None
    logger.warning("%s cannot be read and is skipped: %s", path, error)


def _places(
    dataset: DatasetReader, settings: Rasters, sensor: Sensor, where: str
) -> dict[int, int]:
    """Positions -> indices of the bands of a file that has all of them."""
    file = Path(dataset.name).name
    if dataset.count == 1:
        raise SitsError(
            f"{where}: {file} has one band, and its name does not say which; where each band is a "
            "file, find the band with a group (?P<band>...) in `date_pattern`"
            f"{bands.whose((), sensor, file)}"
        )
    if any("complex" in str(dtype) for dtype in dataset.dtypes):
        raise SitsError(f"{where}: {file} holds complex numbers, which are no reflectances")
    names = bands.in_order(dataset.descriptions, settings, sensor, file, where)
    places = bands.positions(names, sensor, file, where)
    found = {i: at + 1 for i, at in enumerate(places)}
    wanted = clouds.needs_band(settings.clouds, sensor, where)
    if wanted is not None:
        own = names + [""] * (dataset.count - len(names))
        found[CLOUD] = bands.extra(wanted, own, sensor, file, where) + 1
    return found


def _one(item: Acquisition, settings: Rasters, sensor: Sensor, where: str) -> dict[int, int]:
    """The same of a file with one band; empty where it is none of those that are needed."""
    if item.band in sensor.names:
        return {sensor.names.index(item.band): 1}
    wanted = clouds.needs_band(settings.clouds, sensor, where)
    if wanted is not None and item.band == sensor.spelled(wanted, item.path.name):
        return {CLOUD: 1}
    return {}


def _finest(parts: list[Part]) -> tuple[Part, ...]:
    """Of each band the file with the smallest pixels (products hold bands at 10, 20 and 60 m)."""
    best: dict[int, Part] = {}
    for part in parts:
        position = part.positions[0]
        if position not in best or part.pixel < best[position].pixel:
            best[position] = part
    return tuple(best[position] for position in sorted(best))


def _check_whole(
    image: Image, item: Acquisition, settings: Rasters, sensor: Sensor, where: str
) -> None:
    names = dict(enumerate(sensor.names))
    wanted = clouds.needs_band(settings.clouds, sensor, where)
    if wanted is not None:
        names[CLOUD] = wanted
    there = {part.positions[0] for part in image.parts}
    absent = [name for i, name in names.items() if i not in there]
    if absent:
        raise SitsError(
            f"{where}: the image of {str(item.time).replace('T', ' ')} ({item.path.name} and the "
            f"files named like it) lacks {', '.join(absent)}; there are "
            f"{', '.join(names[i] for i in sorted(there))}. Add the files, or change `pattern` or "
            f"`date_pattern`{bands.whose((), sensor, item.path.name)}"
        )
