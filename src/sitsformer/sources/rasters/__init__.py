"""A folder of GeoTIFFs, or one NetCDF or Zarr cube, as a source of cubes; see docs/rasters.md.

files.py    which files are acquisitions, and when each was taken
pixels.py   from any grid to the tile's, by nearest neighbour
folder.py   a folder of files -> reflectance and clear-sky score, lazily
store.py    one NetCDF or Zarr cube -> the same
clouds.py   clear pixels by a scene classification, a mask, or a simple test
labels.py   label rasters -> layers of codes
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sitsformer.config import Config, expand

if TYPE_CHECKING:
    import xarray as xr

    from sitsformer.config import Area
    from sitsformer.grid import Tile

STORES = (".nc", ".nc4", ".zarr")
"""Endings of a path that is one cube; anything else is a folder."""


class RasterSource:
    """Cubes from files that the user has."""

    def cube(self, area_name: str, area: Area, tile: Tile) -> xr.Dataset:
        """Build the cube of a tile and season; its arrays are lazy.

        Raises:
            SitsError: the files are missing, damaged, or do not fit the tile or the season.
        """
        from sitsformer import cube
        from sitsformer.sources.rasters import folder, labels, store

        settings = area.rasters
        assert settings is not None  # config.Area checks it
        path = expand(settings.path)
        where = f"areas.{area_name}.rasters"
        read = store.read if path.suffix.lower() in STORES else folder.read
        series = read(path, settings, (area.start, area.end), tile, where)
        layers = {
            name: labels.read(settings.labels[name], tile, f"{where}.labels.{name}")
            for name in area.labels
        }
        return cube.build(
            tile, series.times, series.reflectance, series.clear, layers, series.attrs
        )


def source(config: Config) -> RasterSource:
    """The source; its settings stand with each area."""
    return RasterSource()
