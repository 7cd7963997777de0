"""One band as a cloud-optimised GeoTIFF on the grid of a tile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sitsformer.cube import tile_of

if TYPE_CHECKING:
    import xarray as xr


NOTHING = 0
"""Value of a pixel without one."""


def geotiff(
    values: npt.NDArray[np.uint8 | np.uint16],
    cube: xr.Dataset,
    name: str,
    tags: Mapping[str, str],
    colours: Sequence[str] = (),
) -> bytes:
    """The file with values (y, x), 0 where there is none; `colours` are '#rrggbb' of 1, 2, ..."""
    from rasterio.io import MemoryFile

    tile = tile_of(cube)
    with MemoryFile(ext=".tif") as whole:
        with whole.open(
            driver="COG",
            width=tile.size,
            height=tile.size,
            count=1,
            dtype=values.dtype.name,
            crs=f"EPSG:{tile.epsg}",
            transform=tile.transform,
            nodata=NOTHING,
            compress="deflate",
            blocksize=256,
            overview_resampling="nearest",
        ) as target:
            target.write(values, 1)
            if colours:
                target.write_colormap(1, _colour_table(colours))
            target.set_band_description(1, name)
            target.update_tags(1, **tags)
        return bytes(whole.getbuffer())


def _colour_table(colours: Sequence[str]) -> dict[int, tuple[int, int, int, int]]:
    table = {NOTHING: (0, 0, 0, 0)}
    for k, colour in enumerate(colours):
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        table[k + 1] = (red, green, blue, 255)
    return table
