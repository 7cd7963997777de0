"""A folder of GeoTIFFs -> reflectance and clear-sky score on the tile's grid.

Headers are read at once, so that mistakes show before any pixel is read; pixels are read when the
cube is written, one acquisition and block at a time, so that folders of any size fit in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Rasters
from sitsformer.cube import CLEAR_MISSING
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.imagery.rasters import clouds, values
from sitsformer.imagery.rasters.bands import whose
from sitsformer.imagery.rasters.files import Acquisition, gathered, scan
from sitsformer.imagery.rasters.headers import CLOUD, Image, Part, broken, images
from sitsformer.imagery.rasters.pixels import Block, blocks_of, on_grid
from sitsformer.imagery.rasters.series import Acquisitions, Season
from sitsformer.sensors import Sensor
from sitsformer.stored import MISSING

logger = logging.getLogger("sitsformer")


def read(
    path: Path, settings: Rasters, sensor: Sensor, season: Season, tile: Tile, where: str
) -> Acquisitions:
    """Acquisitions of a tile and season from a folder.

    Raises:
        SitsError: no file fits, a file has the wrong bands, or one is broken and
            `on_broken` is `stop`.
    """
    acquisitions = scan(path, settings, sensor, season, where)
    block = Block(tile.epsg, tile.west, tile.north, tile.size, tile.size, tile.pixel)
    kept = images(acquisitions, settings, sensor, block, where)
    if not kept:
        raise SitsError(
            f"{where}: none of the {len(acquisitions)} files of the season reaches tile "
            f"{tile.name} (EPSG:{tile.epsg}, west {tile.bounds[0]}, south {tile.bounds[1]}, east "
            f"{tile.bounds[2]}, north {tile.bounds[3]} m); {_extent(acquisitions)}"
            f"{whose((), sensor, acquisitions[0].path.name)}"
        )
    _tell(kept, settings, sensor, where)
    together = gathered([(image.time, image.exact) for image in kept])
    datatakes = [[kept[i] for i in members] for members in together]
    reflectance, clear = _stack(datatakes, settings, sensor, tile, where)
    return Acquisitions(
        np.array([members[0].time for members in datatakes]),
        reflectance,
        clear,
        {
            "source": "folder of rasters",
            "files": ["+".join(image.name for image in members) for members in datatakes],
        },
        tuple("+".join(sorted({image.form for image in members})) for members in datatakes),
    )


def glance(path: Path, settings: Rasters, sensor: Sensor, season: Season, where: str) -> None:
    """Check the names of a folder's files, and the header of the first.

    Raises:
        SitsError: as `read` does for them.
    """
    from sitsformer.imagery.rasters.headers import inspect

    first = scan(path, settings, sensor, season, where)[0]
    inspect(first, settings, sensor, None, where)


def load(
    members: Sequence[Image], block: Block, settings: Rasters, sensor: Sensor, where: str
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Read a datatake at the pixels of a block; the first image that has a pixel gives it.

    Returns:
        Reflectance (band, y, x) and score (y, x) of the cube contract.
    """
    from rasterio.errors import RasterioError

    shape = (block.rows, block.columns)
    reflectance = np.full((len(sensor.bands), *shape), MISSING, np.uint16)
    score = np.full(shape, CLEAR_MISSING, np.uint8)
    for image in members:
        stored = np.full((len(sensor.bands), *shape), MISSING, np.uint16)
        flags: NDArray[Any] | None = None
        known: NDArray[np.bool_] | None = None
        for part in image.parts:
            try:
                flags_here = _load_part(part, image, block, stored, settings, sensor, where)
            except RasterioError as error:
                broken(part.path, error, settings, where)
                stored[:] = MISSING
                break
            if flags_here is not None:
                flags, known = flags_here
        missing = (reflectance == MISSING).all(0)
        reflectance[:, missing] = stored[:, missing]
        found = clouds.score(stored, flags, known, settings.clouds, sensor, where)
        score[missing] = found[missing]
    return reflectance, score


def _load_part(
    part: Part,
    image: Image,
    block: Block,
    stored: NDArray[np.uint16],
    settings: Rasters,
    sensor: Sensor,
    where: str,
) -> tuple[NDArray[Any], NDArray[np.bool_]] | None:
    """Fill the bands of a file into an image (band, y, x); its cloud band (y, x), and where known.

    The cloud band is read apart: it may have another dtype, and its values are no reflectances.
    """
    import rasterio

    places = [(i, at) for i, at in zip(part.positions, part.indices, strict=True) if i != CLOUD]
    with rasterio.open(part.path) as dataset, on_grid(dataset, block) as view:
        if places:
            pixels, seen = view.read(tuple(at for _, at in places))
            packings = [
                values.packing(tags, settings, sensor, image.day, part.path.name, where)
                for position, tags in zip(part.positions, part.tags, strict=True)
                if position != CLOUD
            ]
            stored[[i for i, _ in places]] = values.to_stored(pixels, seen, packings)
        if CLOUD not in part.positions:
            return None
        at = part.positions.index(CLOUD)
        flags, seen = view.read((part.indices[at],))
        own, first = part.tags[at], part.tags[0]
        known = seen & values.known(flags[0], clouds.none(own.missing, settings.clouds))
        # A scale that all bands share was meant for the reflectances.
        return values.unpack(flags[0], own, alone=at == 0 or own.scale != first.scale), known


def _tell(kept: Sequence[Image], settings: Rasters, sensor: Sensor, where: str) -> None:
    parts = [part for image in kept for part in image.parts]
    values.tell(
        ((part.path.name, part.tags[0]) for part in parts if part.positions[0] != CLOUD),
        settings,
        where,
    )
    spared = [part for part in parts if values.without_offset(settings, sensor, part.path.name)]
    if spared:
        logger.info(
            "%s.offset: not for %d files whose names say a processing baseline before 04.00 (%s)",
            where,
            len(spared),
            spared[0].path.name,
        )
    for image in kept:  # a list of offsets that leaves out a date is refused before pixels are read
        values.offset_on(settings, sensor, image.day, image.parts[0].path.name, where)


def _extent(acquisitions: Sequence[Acquisition]) -> str:
    """Where the first readable file lies, for a message."""
    import rasterio
    from rasterio.errors import RasterioError

    for item in acquisitions:
        try:
            with rasterio.open(item.path) as dataset:
                west, south, east, north = dataset.bounds
                code = dataset.crs.to_epsg() if dataset.crs else None
        except RasterioError:
            continue
        return (
            f"{item.path.name} covers west {west:g}, south {south:g}, east {east:g}, north "
            f"{north:g} in EPSG:{code}; check the area's bounds"
        )
    return "none of them can be read"


def _stack(
    datatakes: Sequence[Sequence[Image]],
    settings: Rasters,
    sensor: Sensor,
    tile: Tile,
    where: str,
) -> tuple[Any, Any]:
    """Lazy arrays (time, band, y, x) and (time, y, x), a datatake and block at a time."""
    import dask.array as da
    from dask.delayed import delayed

    task = delayed(partial(load, settings=settings, sensor=sensor, where=where), pure=False, nout=2)
    count = len(sensor.bands)
    reflectances, scores = [], []
    for members in datatakes:
        image_rows, score_rows = [], []
        for line in blocks_of(tile):
            pairs = [(task(tuple(members), block), (block.rows, block.columns)) for block in line]
            image_rows.append(
                [da.from_delayed(pair[0], (count, *size), np.uint16) for pair, size in pairs]
            )
            score_rows.append([da.from_delayed(pair[1], size, np.uint8) for pair, size in pairs])
        reflectances.append(da.block(image_rows))
        scores.append(da.block(score_rows))
    return da.stack(reflectances), da.stack(scores)
