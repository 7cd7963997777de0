"""Files on servers -> pixels on the tile's grid, several files at once.

GDAL asks for the parts of a file that a block needs, tries again what fails for a while, and asks
the Planetary Computer for its signatures, which no file or message of ours ever holds.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Stac, is_address
from sitsformer.cube import CLEAR_MISSING
from sitsformer.errors import SitsError, TemporaryError
from sitsformer.imagery.rasters import clouds, values
from sitsformer.imagery.rasters.pixels import Block, check_place, on_grid
from sitsformer.imagery.stac.catalogue import BUSY, shown
from sitsformer.imagery.stac.items import CLOUD, Layer, Scene
from sitsformer.sensors import Sensor
from sitsformer.stored import MISSING

logger = logging.getLogger("sitsformer")

STORES = {"s3": "/vsis3/", "gs": "/vsigs/", "az": "/vsiaz/", "abfs": "/vsiadls/"}
"""Schemes of addresses -> the file system of GDAL, which takes credentials from the environment."""
GONE, FORBIDDEN, NO_ANSWER = (404, 410), (401, 403, 409), -1
"""Statuses of answers; Azure forbids by 409, too."""
ALL_CLIPPED = 0.5
"""Above this share of blue values at 0 or below, an offset was taken from values without it."""


@dataclass(frozen=True)
class Reader:
    """Reads the scenes of an area.

    Attributes:
        settings: of the area.
        sensor: of the area.
        where: path of the section of the config, for messages.
        pool: threads that files are read in.
        on_missing: called when a file is gone, before the error.
        listed: whether the items were listed before, so that a file may be gone since.
    """

    settings: Stac
    sensor: Sensor
    where: str
    pool: ThreadPoolExecutor
    on_missing: Callable[[], None]
    listed: bool

    def load(
        self, scenes: Sequence[Scene], block: Block
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """Read a datatake at the pixels of a block; the first scene that has a pixel gives it.

        Returns:
            Reflectance (band, y, x) and score (y, x) of the cube contract.

        Raises:
            TemporaryError: a server does not answer, or has files no more that it had.
            SitsError: a file cannot be read, and `on_broken` is `stop`.
        """
        shape = (block.rows, block.columns)
        reflectance = np.full((len(self.sensor.bands), *shape), MISSING, np.uint16)
        score = np.full(shape, CLEAR_MISSING, np.uint8)
        missing = np.ones(shape, bool)
        for scene in scenes:
            try:
                stored, flags, known = self._scene(scene, block)
            except BrokenError as error:
                if self.settings.on_broken == "stop":
                    raise SitsError(
                        f"{self.where}: {error}; leave the item out by `exclude`, or all such ones "
                        "by `on_broken: skip`"
                    ) from None
                logger.warning("%s: %s; it is skipped", self.where, error)
                continue
            self._look(scene, stored)
            reflectance[:, missing] = stored[:, missing]
            own = clouds.score(stored, flags, known, self.settings.clouds, self.sensor, self.where)
            score[missing] = own[missing]
            missing = (reflectance == MISSING).all(0)
            if not missing.any():
                break
        return reflectance, score

    def _scene(
        self, scene: Scene, block: Block
    ) -> tuple[NDArray[np.uint16], NDArray[Any] | None, NDArray[np.bool_] | None]:
        """Bands (band, y, x) of a scene; its cloud band (y, x), and where that is known."""
        stored = np.full((len(self.sensor.bands), block.rows, block.columns), MISSING, np.uint16)
        flags: NDArray[Any] | None = None
        known: NDArray[np.bool_] | None = None
        # Bands of one file are read one after the other: it is opened once.
        files: dict[str, list[Layer]] = {}
        for layer in scene.layers:
            files.setdefault(layer.href, []).append(layer)
        tasks = [self.pool.submit(self._file, scene, layers, block) for layers in files.values()]
        found = [one for task in tasks for one in task.result()]
        for layer, pixels, seen, tags in found:
            if layer.name == CLOUD:
                missing = clouds.none(tags.missing, self.settings.clouds)
                flags, known = pixels, seen & values.known(pixels, missing)
                continue
            day = scene.time.astype("datetime64[D]").item()
            named = "" if scene.baseline is None else f"N{scene.baseline:04d}"
            packing = values.packing(tags, self.settings, self.sensor, day, named, self.where)
            at = self.sensor.names.index(layer.name)
            stored[at : at + 1] = values.to_stored(pixels[None], seen, [packing])
        return stored, flags, known

    def _file(
        self, scene: Scene, layers: Sequence[Layer], block: Block
    ) -> list[tuple[Layer, NDArray[Any], NDArray[np.bool_], values.Tags]]:
        """Bands of a file: values (y, x), where they are the file's, what they mean."""
        import rasterio
        from rasterio.errors import RasterioError

        href = layers[0].href
        found = []
        try:
            with (
                environment(self.settings),
                rasterio.open(place(href, scene.collection, self.settings, self.where)) as dataset,
            ):
                self._check_place(scene, dataset)
                count = dataset.count
                if max(layer.index for layer in layers) > count:
                    raise BrokenError(f"item {scene.id}: {shown(href)} has {count} bands only")
                with on_grid(dataset, block) as view:
                    for layer in layers:
                        pixels, seen = view.read((layer.index,))
                        own = values.of_geotiff(dataset, layer.index)
                        missing = (*layer.missing, *own.missing)
                        tags = values.Tags(layer.scale, layer.offset or None, missing)
                        found.append((layer, pixels[0], seen, tags))
        except RasterioError as error:
            raise self._trouble(scene, href, error) from None
        return found

    def _check_place(self, scene: Scene, dataset: Any) -> None:
        try:
            check_place(dataset, self.where)
        except SitsError as error:
            told = str(error).removeprefix(f"{self.where}: ")
            raise BrokenError(f"item {scene.id}: {told}") from None

    def _trouble(self, scene: Scene, href: str, error: Exception) -> Exception:
        """Why a file cannot be read."""
        what = f"{shown(href)} of item {scene.id}"
        signed = self.settings.sign != "none"
        status = _status(error)
        if status is None and is_address(href):
            # Nobody else is asked with a signature: without a status, one was not to be had.
            status = NO_ANSWER if signed else answer(href, self.settings)
        if status in BUSY or status == NO_ANSWER or (signed and status in FORBIDDEN):
            said = "gives no answer" if status == NO_ANSWER else f"is busy (status {status})"
            if signed and status in FORBIDDEN:
                said = f"takes no signature now (status {status})"
            return TemporaryError(
                f"{self.where}: the server {said} for {what}, after {self.settings.attempts} "
                "tries; try again later"
            )
        if status in GONE and self.listed:
            self.on_missing()
            return TemporaryError(
                f"{self.where}: {what} is there no more; the catalogue has changed since its items "
                "were listed. The list is dropped: run it again, and they are asked for anew"
            )
        if status in FORBIDDEN:
            return SitsError(
                f"{self.where}.sign: {what} may not be read as it is listed (status {status}); "
                "files of the Planetary Computer need `sign: planetary_computer`, those of other "
                "places an account (docs/stac.md)"
            )
        if status is not None and status >= 400:
            return BrokenError(f"{what} cannot be read (status {status})")
        return BrokenError(f"{what} cannot be read: {_plain(error, href)}")

    def _look(self, scene: Scene, stored: NDArray[np.uint16]) -> None:
        """Warn of a scene whose metadata say wrongly that its values have the offset."""
        if not any(layer.offset < 0 for layer in scene.layers):
            return
        blue = stored[0][stored[0] != MISSING]
        if blue.size and (blue == 0).mean() > ALL_CLIPPED:
            logger.warning(
                "%s: %.0f %% of the blue values of item %s are 0 or less with the offset that its "
                "metadata ask for; if its values have none, leave it out by `exclude`, or set "
                "`offset`",
                self.where,
                100 * (blue == 0).mean(),
                scene.id,
            )


class BrokenError(Exception):
    """A file that cannot be read, now or later."""


def place(href: str, collection: str, settings: Stac, where: str) -> str:
    """How GDAL is asked for a file.

    Args:
        href: as the catalogue has it.
        collection: of its item: signatures are given for one.
        settings: of the area.
        where: path of the section of the config, for messages.

    Raises:
        SitsError: it is at no place that can be read.
    """
    if is_address(href):
        if settings.sign == "planetary_computer":
            options = f"pc_url_signing=yes&pc_collection={quote(collection, safe='')}"
            return f"/vsicurl?{options}&url={quote(href, safe='')}"
        return f"/vsicurl/{href}"
    parts = urlsplit(href)
    if parts.scheme in STORES:
        return f"{STORES[parts.scheme]}{parts.netloc}{parts.path}"
    # A catalogue on a server does not say which files of this computer are read.
    if "://" in href or href.startswith("/vsi") or is_address(settings.url):
        raise SitsError(
            f"{where}: {shown(href)} is no address that images are read from: these begin with "
            f"http, https, {', '.join(STORES)}"
        )
    return href


def environment(settings: Stac) -> Any:
    """The settings of GDAL under which files on servers are read; those of the user go before."""
    import rasterio

    wanted = {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        "GDAL_HTTP_MAX_RETRY": str(settings.attempts - 1),
        "GDAL_HTTP_RETRY_DELAY": "0.5",
        "GDAL_HTTP_TIMEOUT": f"{settings.timeout:g}",
        "GDAL_HTTP_CONNECTTIMEOUT": f"{settings.timeout:g}",
        "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
        "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
        "VSI_CACHE": "YES",
    }
    return rasterio.Env(**{key: value for key, value in wanted.items() if key not in os.environ})


def _status(error: Exception) -> int | None:
    """Status of an answer, as GDAL tells it."""
    found = re.search(r"response code: (\d{3})", str(error))
    return int(found[1]) if found else None


def answer(href: str, settings: Stac) -> int:
    """Status that a server answers a request for the first byte of a file with, or NO_ANSWER."""
    import requests

    try:
        with requests.get(
            href, headers={"Range": "bytes=0-0"}, timeout=settings.timeout, stream=True
        ) as found:
            return found.status_code
    except requests.RequestException:
        return NO_ANSWER


def _plain(error: Exception, href: str) -> str:
    """A message of GDAL without the query of an address, where signatures stand."""
    query = urlsplit(href).query
    # "See previous exception for details."
    text = " ".join(str(error.__cause__ or error).split())
    return text.replace(f"?{query}", "") if query else text
