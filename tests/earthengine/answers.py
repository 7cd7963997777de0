"""What the service answers with: descriptions, grids, and pixels in its formats."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from earthengine.images import Grid, Image, known_crs


def asset(image: Image) -> dict[str, Any]:
    """The description of an image."""
    return {
        "type": "IMAGE",
        "name": f"projects/earthengine-public/assets/{image.id}",
        "id": image.id,
        "properties": {k: v for k, v in image.properties.items() if not k.startswith("system:")},
    }


def grid(given: Mapping[str, Any] | None, image: Image) -> Grid:
    """The grid that was asked for; without one, that of the first band."""
    if given is None:
        return image.bands[0].native
    size, shift = given["dimensions"], given["affineTransform"]
    transform = (
        float(shift["scaleX"]),
        float(shift.get("shearX", 0)),
        float(shift["translateX"]),
        float(shift.get("shearY", 0)),
        float(shift["scaleY"]),
        float(shift["translateY"]),
    )
    crs = given.get("crsCode") or image.bands[0].native.crs
    return Grid(known_crs(crs), transform, int(size["width"]), int(size["height"]))


def npy(image: Image, grid: Grid) -> bytes:
    """A structured array (y, x) with a field a band; masked pixels are 0."""
    out = np.zeros(
        (grid.height, grid.width), [(band.name, band.type.dtype) for band in image.bands]
    )
    for band in image.bands:
        values, mask = band.read(grid)
        out[band.name] = np.where(mask, values, 0)
    stream = io.BytesIO()
    np.save(stream, out)
    return stream.getvalue()


def geotiff(image: Image, grid: Grid) -> bytes:
    """A file with a layer a band; masked pixels are 0."""
    from affine import Affine
    from rasterio.io import MemoryFile

    dtype = np.result_type(*(band.type.dtype for band in image.bands))
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=grid.width,
            height=grid.height,
            count=len(image.bands),
            dtype=dtype,
            crs=grid.crs,
            transform=Affine(*grid.transform),
            compress="lzw",
        ) as target:
            for number, band in enumerate(image.bands, start=1):
                values, mask = band.read(grid)
                target.write(np.where(mask, values, 0).astype(dtype), number)
                target.set_band_description(number, band.name)
        return bytes(memory.read())
