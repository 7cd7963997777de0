"""Cloud-optimised GeoTIFFs on the grid of a tile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from sitsformer.cube import tile_of

if TYPE_CHECKING:
    import xarray as xr

COG: Mapping[str, Any] = {"driver": "COG", "compress": "deflate", "blocksize": 256}
"""How every GeoTIFF of a map is written."""


def geotiff(
    values: npt.NDArray[Any],
    cube: xr.Dataset,
    name: str | Sequence[str],
    tags: Mapping[str, str],
    *,
    nodata: float = 0,
    colours: Mapping[int, str] | None = None,
    resampling: str = "nearest",
    about: Mapping[str, str] | None = None,
) -> bytes:
    """The file.

    Args:
        values: (y, x), or (band, y, x); float16 is stored as such, and read as float32.
        cube: whose grid they are on.
        name: description of the band, or of each band.
        tags: of the file's first band.
        nodata: value of a pixel without one.
        colours: '#rrggbb' of values.
        resampling: of the overviews.
        about: further tags of the file.
    """
    from rasterio.io import MemoryFile

    tile = tile_of(cube)
    bands = values if values.ndim == 3 else values[None]
    names = [name] if isinstance(name, str) else name
    half = values.dtype.name == "float16"
    with MemoryFile(ext=".tif") as whole:
        with whole.open(
            **COG,
            width=tile.size,
            height=tile.size,
            count=len(bands),
            # GDAL's half floats are float32 of 16 bits.
            dtype="float32" if half else values.dtype.name,
            crs=f"EPSG:{tile.epsg}",
            transform=tile.transform,
            nodata=nodata,
            overview_resampling=resampling,
            **({"nbits": 16} if half else {}),
        ) as target:
            target.write(bands.astype("float32") if half else bands)
            if colours is not None:
                target.write_colormap(1, colour_table(colours, int(nodata)))
            for k, text in enumerate(names):
                target.set_band_description(k + 1, text)
            target.update_tags(1, **tags)
            target.update_tags(
                AREA=cube.attrs["area"],
                TILE=cube.attrs["tile"],
                START=str(cube.time.values[0])[:10],
                END=str(cube.time.values[-1])[:10],
                **(about or {}),
            )
        return bytes(whole.getbuffer())


def colour_table(colours: Mapping[int, str], nodata: int) -> dict[int, tuple[int, int, int, int]]:
    """Red, green, blue and opacity of each value; what is nodata is not seen."""
    table = {nodata: (0, 0, 0, 0)}
    for value, colour in colours.items():
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        table[value] = (red, green, blue, 255)
    return table
