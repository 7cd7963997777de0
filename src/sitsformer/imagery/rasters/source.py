"""A folder of GeoTIFFs, or one NetCDF or Zarr cube, as a source of cubes; see docs/rasters.md.

files.py      which files are acquisitions, and which belong together
dates.py      when each was taken, by its name
headers.py    which file holds which band
folder.py     a folder of files -> reflectance and clear-sky score, lazily
store.py      one NetCDF or Zarr cube -> the same
dialects.py   how its dates, axes and coordinate system may be called
bands.py      names of bands
values.py     scale, offset and missing values, by file and by config
pixels.py     from any grid to the tile's, by nearest neighbour
clouds.py     clear pixels by a scene classification, a mask, probabilities, or a simple test
plausible.py  whether values can be reflectances
labels.py     label rasters -> layers of codes

In all of them `where` is the path of the section of the config, for messages.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from sitsformer.config import Config, expand
from sitsformer.sensors import sensor_of

if TYPE_CHECKING:
    import xarray as xr

    from sitsformer.config import Area
    from sitsformer.grid import Tile


class RasterSource:
    """Cubes from files that the user has."""

    def cube(self, area_name: str, area: Area, tile: Tile) -> xr.Dataset:
        """Build the cube of a tile and season; its arrays are lazy.

        Raises:
            SitsError: the files are missing, damaged, or do not fit the tile or the season.
        """
        from sitsformer import cube
        from sitsformer.imagery.rasters import clouds, dialects, folder, labels, plausible, store

        clouds.forget_warnings()
        settings = area.rasters
        assert settings is not None  # config.Area checks it
        path = expand(settings.path)
        where = f"areas.{area_name}.rasters"
        sensor = sensor_of(area)
        read = folder.read if dialects.split(path) is None else store.read
        series = read(path, settings, sensor, (area.start, area.end), tile, where)
        plausible.check(series, settings, sensor, where)
        layers = {
            name: labels.read(settings.labels[name], area, tile, f"{where}.labels.{name}")
            for name in area.labels
        }
        return cube.build(
            tile, series.times, series.reflectance, series.clear, layers, series.attrs, sensor
        )


def problems(area_name: str, area: Area) -> list[str]:
    """What can be known against a `rasters` area before a pixel is read, as `path.of.key: message`.

    The files that match, the dates in their names, the header of the first; the headers of label
    rasters.
    """
    from rasterio.errors import RasterioError

    from sitsformer.errors import SitsError
    from sitsformer.imagery.rasters import dialects, folder, labels, store

    settings = area.rasters
    if settings is None:
        return []
    where = f"areas.{area_name}.rasters"
    path = expand(settings.path)
    look = folder.glance if dialects.split(path) is None else store.glance
    checks: list[Callable[[], None]] = [
        partial(look, path, settings, sensor_of(area), (area.start, area.end), where),
        *(
            partial(labels.glance, settings.labels[name], f"{where}.labels.{name}")
            for name in area.labels
        ),
    ]
    found = []
    for check in checks:
        try:
            check()
        except (SitsError, RasterioError) as error:
            text = str(error)
            found.append(text if text.startswith(where) else f"{where}: {text}")
    return found


def open_source(config: Config) -> RasterSource:
    """The source; its settings stand with each area."""
    return RasterSource()
