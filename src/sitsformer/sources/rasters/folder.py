"""A folder of GeoTIFFs -> reflectance and clear-sky score on the tile's grid.

Headers are read at once, so that mistakes show before any pixel is read; pixels are read when the
cube is written, one acquisition and block at a time, so that folders of any size fit in memory.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import BANDS, Rasters
from sitsformer.cube import CLEAR_MISSING, MISSING
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.sources.rasters import clouds
from sitsformer.sources.rasters.files import Acquisition, group, scan
from sitsformer.sources.rasters.pixels import Block, blocks_of, known, overlaps
from sitsformer.sources.rasters.pixels import read as read_pixels
from sitsformer.sources.rasters.series import Season, Series, to_stored

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

logger = logging.getLogger("sitsformer")


@dataclass(frozen=True)
class Image:
    """A file that reaches the tile, and where its bands are (counted from 1)."""

    path: Path
    bands: tuple[int, ...]
    cloud_band: int | None
    nodata: float | None


def read(path: Path, settings: Rasters, season: Season, tile: Tile, where: str) -> Series:
    """Series of a tile and season from a folder.

    Raises:
        SitsError: no file fits, a file has the wrong bands, or one is broken and
            `on_broken` is `stop`.
    """
    acquisitions = scan(path, settings, season, where)
    block = Block(tile.epsg, tile.west, tile.north, tile.size, tile.size)
    images: dict[Path, Image] = {}
    for item in acquisitions:
        image = _inspect(item.path, settings, block, where)
        if image is not None:
            images[item.path] = image
    kept = [item for item in acquisitions if item.path in images]
    if not kept:
        raise SitsError(
            f"{where}: none of the {len(acquisitions)} files of the season reaches tile "
            f"{tile.name} (EPSG:{tile.epsg}, west {tile.bounds[0]}, south {tile.bounds[1]}, east "
            f"{tile.bounds[2]}, north {tile.bounds[3]} m); {_extent(acquisitions)}"
        )
    datatakes = group(kept)
    reflectance, clear = _stack(
        [[images[item.path] for item in members] for members in datatakes], settings, tile, where
    )
    return Series(
        np.array([members[0].time for members in datatakes]),
        reflectance,
        clear,
        {
            "source": "folder of rasters",
            "files": ["+".join(item.path.name for item in members) for members in datatakes],
        },
    )


def load(
    images: Sequence[Image], block: Block, settings: Rasters, where: str
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Read a datatake at the pixels of a block; the first file that has a pixel gives it.

    Returns:
        Reflectance (band, y, x) and score (y, x) of the cube contract.
    """
    import rasterio
    from rasterio.errors import RasterioError

    shape = (block.rows, block.columns)
    reflectance = np.full((len(BANDS), *shape), MISSING, np.uint16)
    score = np.full(shape, CLEAR_MISSING, np.uint8)
    for image in images:
        indices = image.bands + ((image.cloud_band,) if image.cloud_band is not None else ())
        try:
            with rasterio.open(image.path) as dataset:
                values, inside = read_pixels(dataset, indices, block)
        except RasterioError as error:
            _broken(image.path, error, settings, where)
            continue
        pixels = values[: len(BANDS)]
        stored = to_stored(pixels, inside & known(pixels, image.nodata), settings)
        flags = values[-1] if image.cloud_band is not None else None
        missing = (reflectance == MISSING).all(0)
        reflectance[:, missing] = stored[:, missing]
        score[missing] = clouds.score(stored, flags, settings.clouds)[missing]
    return reflectance, score


def _inspect(path: Path, settings: Rasters, block: Block, where: str) -> Image | None:
    """Check a file's header; None where it does not reach the block or is broken and skipped."""
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(path) as dataset:
            bands = _bands(dataset, settings, where)
            if not overlaps(dataset, block):
                return None
            wanted = clouds.needs_band(settings.clouds, where)
            cloud_band = None if wanted is None else _cloud_band(dataset, wanted, settings, where)
            nodata = dataset.nodata if settings.nodata is None else settings.nodata
    except RasterioError as error:
        _broken(path, error, settings, where)
        return None
    return Image(path, bands, cloud_band, 0 if nodata is None else nodata)


def _names(dataset: DatasetReader, settings: Rasters) -> list[str]:
    """Names of a file's bands: configured order, or descriptions; `b2` is `B02`."""
    names = settings.bands or tuple(text or "" for text in dataset.descriptions)
    return [re.sub(r"^B(\d)$", r"B0\1", name.strip().upper()) for name in names]


def _bands(dataset: DatasetReader, settings: Rasters, where: str) -> tuple[int, ...]:
    names, file = _names(dataset, settings), Path(dataset.name).name
    if settings.bands is not None and len(settings.bands) > dataset.count:
        raise SitsError(
            f"{where}.bands: {len(settings.bands)} names for the {dataset.count} bands of {file}"
        )
    absent = [band for band in BANDS if band not in names]
    if absent:
        found = ", ".join(name or "(no description)" for name in names)
        raise SitsError(
            f"{where}.bands: {file} lacks {', '.join(absent)}; its bands are {found}; "
            "set `bands` to the names in the order of the file"
        )
    return tuple(names.index(band) + 1 for band in BANDS)


def _cloud_band(dataset: DatasetReader, wanted: str, settings: Rasters, where: str) -> int:
    names = _names(dataset, settings)
    if wanted.strip().upper() in names:
        return names.index(wanted.strip().upper()) + 1
    if wanted.isdigit() and 1 <= int(wanted) <= dataset.count:
        return int(wanted)
    raise SitsError(
        f"{where}.clouds.band: {Path(dataset.name).name} has no band {wanted!r}; it has "
        f"{dataset.count} bands: {', '.join(name or '(no description)' for name in names)}"
    )


def _broken(path: Path, error: Exception, settings: Rasters, where: str) -> None:
    if settings.on_broken == "stop":
        raise SitsError(
            f"{path} cannot be read: {error}; replace or remove it, or set {where}.on_broken: skip"
        ) from None
    logger.warning("%s cannot be read and is skipped: %s", path, error)


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
    datatakes: Sequence[Sequence[Image]], settings: Rasters, tile: Tile, where: str
) -> tuple[Any, Any]:
    """Lazy arrays (time, band, y, x) and (time, y, x), a datatake and block at a time."""
    import dask.array as da
    from dask.delayed import delayed

    task = delayed(partial(load, settings=settings, where=where), pure=False, nout=2)
    images, scores = [], []
    for members in datatakes:
        image_rows, score_rows = [], []
        for line in blocks_of(tile):
            pairs = [(task(tuple(members), block), (block.rows, block.columns)) for block in line]
            image_rows.append(
                [da.from_delayed(pair[0], (len(BANDS), *size), np.uint16) for pair, size in pairs]
            )
            score_rows.append([da.from_delayed(pair[1], size, np.uint8) for pair, size in pairs])
        images.append(da.block(image_rows))
        scores.append(da.block(score_rows))
    return da.stack(images), da.stack(scores)
