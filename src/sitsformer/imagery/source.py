"""Where pixels come from: each source turns a tile of an area into a cube.

To add a source, write a module here with a class that has `cube`, name it in `SOURCES` and in
`config.Area.source`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import xarray as xr

    from sitsformer.config import Area, Config
    from sitsformer.grid import Tile

SOURCES = {
    "synthetic": "sitsformer.imagery.synthetic",
    "rasters": "sitsformer.imagery.rasters",
    "earthengine": "sitsformer.imagery.earthengine",
}
"""Name in the config -> module with a function `open_source(config) -> Source`."""


class Source(Protocol):
    """What the export stage asks of a source."""

    def cube(self, area_name: str, area: Area, tile: Tile) -> xr.Dataset:
        """Build the cube of a tile and season; its arrays may be lazy.

        Raises:
            SitsError: it cannot be had; the message says why and what to do.
        """
        ...


def get_source(config: Config, area_name: str) -> Source:
    """The source of an area, imported only now."""
    module = import_module(SOURCES[config.areas[area_name].source])
    source: Source = module.open_source(config)
    return source
