"""The cube of a tile: listed, looked at, and read when it is written."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from sitsformer.config import Config, LabelRaster, Stac, is_address
from sitsformer.errors import SitsError, TemporaryError

if TYPE_CHECKING:
    import xarray as xr

    from sitsformer.config import Area
    from sitsformer.grid import Tile
    from sitsformer.imagery.stac.listing import Listing
    from sitsformer.imagery.stac.reading import Reader

logger = logging.getLogger("sitsformer")


class StacSource:
    """Cubes from the items of a catalogue."""

    def cube(self, area_name: str, area: Area, tile: Tile) -> xr.Dataset:
        """Build the cube of a tile and season; its arrays are lazy.

        Raises:
            TemporaryError: a server does not answer.
            SitsError: there is no catalogue, nothing for the tile, or nothing that can be read.
        """
        import numpy as np

        from sitsformer import cube
        from sitsformer.imagery.rasters import clouds, plausible
        from sitsformer.imagery.rasters.series import Acquisitions
        from sitsformer.imagery.stac import listing
        from sitsformer.imagery.stac.reading import Reader
        from sitsformer.sensors import sensor_of

        clouds.forget_warnings()
        settings, where = _section(area), f"areas.{area_name}.stac"
        sensor = sensor_of(area)
        found = listing.look(area, tile, where)
        logger.info(
            "%s: %d items in %d dates for tile %s, %s",
            where,
            len(found.scenes),
            len(found.times),
            tile.name,
            "listed now" if found.asked else "as listed before",
        )
        pool = ThreadPoolExecutor(settings.concurrent)
        gone = partial(listing.drop, area, tile)
        reader = Reader(settings, sensor, where, pool, gone, listed=not found.asked)
        times = np.array(found.times)
        reflectance, clear = _stack(found, reader, tile)
        named = {"files": [_named(scenes) for scenes in found.datatakes]}
        series = Acquisitions(times, reflectance, clear, named)
        plausible.check(series, _as_offset(settings, found), sensor, where)
        layers = {
            name: _label(settings.labels[name], area, tile, f"{where}.labels.{name}")
            for name in area.labels
        }
        attrs = _attributes(found, settings)
        return cube.build(tile, times, reflectance, clear, layers, attrs, sensor)


def problems(area_name: str, area: Area) -> list[str]:
    """What can be known against a `stac` area before a server is asked, as `path.of.key: message`.

    The headers of label rasters on this computer, and their legends.
    """
    from rasterio.errors import RasterioError

    from sitsformer.imagery.rasters import labels
    from sitsformer.legends import load_legend

    found = []
    settings, where = _section(area), f"areas.{area_name}.stac"
    for name in area.labels:
        label, key = settings.labels[name], f"{where}.labels.{name}"
        try:
            if is_address(label.path):
                load_legend(label.legend)
            else:
                labels.glance(label, key)
        except (SitsError, RasterioError) as error:
            text = str(error)
            found.append(text if text.startswith(where) else f"{key}: {text}")
    return found


def open_source(config: Config) -> StacSource:
    """The source; its settings stand with each area."""
    return StacSource()


def _stack(found: Listing, reader: Reader, tile: Tile) -> tuple[Any, Any]:
    """Lazy arrays (time, band, y, x) and (time, y, x), a datatake and block at a time."""
    import dask.array as da
    import numpy as np
    from dask.delayed import delayed

    from sitsformer.imagery.rasters.pixels import blocks_of

    task = delayed(reader.load, pure=False, nout=2)
    count = len(reader.sensor.bands)
    reflectances, scores = [], []
    for scenes in found.datatakes:
        image_rows, score_rows = [], []
        for line in blocks_of(tile):
            pairs = [(task(scenes, block), (block.rows, block.columns)) for block in line]
            image_rows.append(
                [da.from_delayed(pair[0], (count, *size), np.uint16) for pair, size in pairs]
            )
            score_rows.append([da.from_delayed(pair[1], size, np.uint8) for pair, size in pairs])
        reflectances.append(da.block(image_rows))
        scores.append(da.block(score_rows))
    return da.stack(reflectances), da.stack(scores)


def _named(scenes: Any) -> str:
    """A datatake by its items and the processing baseline of the first, as a product has it."""
    baseline = scenes[0].baseline
    names = "+".join(one.id for one in scenes)
    return names if baseline is None else f"{names}_N{baseline:04d}"


def _as_offset(settings: Stac, found: Listing) -> Stac:
    """The settings as if the config gave the offset that items ask for: it may be wrong there."""
    asked = {layer.offset for one in found.scenes for layer in one.layers if layer.offset}
    if settings.offset is not None or len(asked) != 1:
        return settings
    return settings.model_copy(update={"offset": asked.pop()})


def _label(label: LabelRaster, area: Area, tile: Tile, where: str) -> Any:
    """A label layer and its legend; of a raster on a server, what stands in its way may pass."""
    from sitsformer.imagery.rasters import labels
    from sitsformer.imagery.stac.catalogue import BUSY, shown
    from sitsformer.imagery.stac.reading import NO_ANSWER, answer, environment

    settings = _section(area)
    with environment(settings):
        try:
            return labels.read(label, area, tile, where)
        except SitsError:
            status = answer(label.path, settings) if is_address(label.path) else None
            if status == NO_ANSWER or status in BUSY:
                raise TemporaryError(
                    f"{where}.path: the server of {shown(label.path)} does not answer, "
                    f"or is busy (status {status}), after {settings.attempts} tries; try again "
                    "later"
                ) from None
            raise


def _attributes(found: Listing, settings: Stac) -> dict[str, Any]:
    """What made a cube: JSON values, without a word that changes between runs."""
    from importlib.metadata import version

    from sitsformer.imagery.stac.catalogue import shown

    scenes = found.scenes
    attrs: dict[str, Any] = {
        "source": "STAC",
        "catalogue": shown(settings.url),
        "items": ["+".join(one.id for one in members) for members in found.datatakes],
        "processing_baselines": sorted(
            {
                f"{one.baseline // 100:02d}.{one.baseline % 100:02d}"
                for one in scenes
                if one.baseline
            }
        ),
        "offsets": sorted({layer.offset for one in scenes for layer in one.layers}),
        "superseded_items": list(found.superseded),
        "items_too_cloudy": list(found.cloudy),
        "incomplete_items": list(found.incomplete),
        "pystac_client": version("pystac-client"),
    }
    if settings.collections:
        attrs["collection"] = ", ".join(settings.collections)
    return attrs


def _section(area: Area) -> Stac:
    assert area.stac is not None  # config.Area checks it
    return area.stac
