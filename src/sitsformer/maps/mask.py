"""Which pixels of a tile are mapped: all, its area's, cropland, or those of the user's raster."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sitsformer.config import Config, MaskRaster, expand
from sitsformer.cube import label_layers, layer_values, tile_of
from sitsformer.errors import SitsError
from sitsformer.grid import Tile, outline
from sitsformer.labels import products

Inside = Callable[[xr.Dataset], NDArray[np.bool_]]
"""Cube -> (y, x) which of its pixels are mapped."""


def mask_of(setting: str | MaskRaster) -> Inside | None:
    """The mask that `maps.mask` asks for; None where every pixel is mapped."""
    if isinstance(setting, MaskRaster):
        return lambda cube: of_raster(cube, setting)
    return cropland if setting == "cropland" else None


def mask_of_config(config: Config) -> Inside | None:
    """What `maps.mask` and `maps.within` ask for together; None where every pixel is mapped."""
    chosen = mask_of(config.maps.mask)
    if config.maps.within == "tiles":
        return chosen
    if chosen is None:
        return lambda cube: within_area(cube, config)
    return lambda cube: within_area(cube, config) & chosen(cube)


def within_area(cube: xr.Dataset, config: Config) -> NDArray[np.bool_]:
    """The pixels (y, x) of a tile whose centre lies in the outline of its area.

    Raises:
        SitsError: the config has no such area, or the tile is not of its grid.
    """
    from rasterio.features import geometry_mask

    tile = tile_of(cube)
    area = config.areas.get(tile.area)
    if area is None:
        raise SitsError(
            f"maps.within: area needs the area of the cube, {tile.area}, among `areas`; there are "
            f"{', '.join(config.areas) or 'none'}"
        )
    epsg, shape = outline(tile.area, area)
    if epsg != tile.epsg:
        raise SitsError(
            f"areas.{tile.area} lies in the zone EPSG:{epsg}, its cube in EPSG:{tile.epsg}: its "
            "outline has changed; make the cube again"
        )
    inside: NDArray[np.bool_] = geometry_mask(
        [shape], (tile.size, tile.size), tile.transform, invert=True
    )
    return inside


def cropland(cube: xr.Dataset) -> NDArray[np.bool_]:
    """Where a label product that knows cropland says so.

    Raises:
        SitsError: the cube has no layer of such a product.
    """
    knowing = {name: item.cropland for name, item in products().items() if item.cropland}
    # In an area of rasters the layer may be called as its user likes: its legend tells the product.
    known = [
        (layer, codes)
        for name, codes in knowing.items()
        for layer, legend in label_layers(cube).items()
        if name in (layer, legend.name)
    ]
    if not known:
        raise SitsError(
            f"maps.mask: cropland needs the label layer {' or '.join(f'`{n}`' for n in knowing)} "
            "in the cube: add it to `labels` of the area, or set maps.mask: none"
        )
    layer, codes = min(known, key=lambda pair: pair[0] not in knowing)
    return np.isin(layer_values(cube[layer]), codes)


def of_raster(cube: xr.Dataset, setting: MaskRaster) -> NDArray[np.bool_]:
    """Where a raster has one of the values asked for, by nearest neighbour; not beyond it.

    Args:
        cube: of the tile.
        setting: file, band, values.

    Raises:
        SitsError: the file cannot be read, has no such band, or does not reach the tile.
    """
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.errors import RasterioError
    from rasterio.vrt import WarpedVRT

    tile, path = tile_of(cube), expand(setting.path)
    refuse_raster(setting, [tile])
    try:
        with (
            rasterio.open(path) as source,
            WarpedVRT(
                source, crs=f"EPSG:{tile.epsg}", transform=tile.transform, width=tile.size,
                height=tile.size, resampling=Resampling.nearest, add_alpha=source.nodata is None,
            ) as view,
        ):  # fmt: skip
            values = view.read(setting.band)
            seen = view.read_masks(setting.band) > 0
    except RasterioError as error:
        raise SitsError(f"maps.mask.path: {path} cannot be read as a raster: {error}") from None
    chosen = values != 0 if setting.values is None else np.isin(values, setting.values)
    inside: NDArray[np.bool_] = seen & chosen
    return inside


def refuse_raster(setting: MaskRaster, tiles: Iterable[Tile]) -> None:
    """Refuse a raster that can be no mask of some tiles; no pixel is read.

    Raises:
        SitsError: the file cannot be read, has no such band, or does not reach one of the tiles.
    """
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.warp import transform_bounds

    path = expand(setting.path)
    try:
        with rasterio.open(path) as source:
            bands, crs, frame = source.count, source.crs, source.bounds
    except RasterioError as error:
        raise SitsError(f"maps.mask.path: {path} cannot be read as a raster: {error}") from None
    if setting.band > bands:
        raise SitsError(f"maps.mask.band: {path} has {bands} bands, not {setting.band}")
    if crs is None:
        raise SitsError(
            f"maps.mask.path: {path} has no coordinate system; give it one (gdal_translate -a_srs)"
        )
    for tile in tiles:
        # A raster of the whole world has no bounds in a zone, so the tile goes to it.
        west, south, east, north = transform_bounds(f"EPSG:{tile.epsg}", crs, *tile.bounds)
        if west > frame.right or east < frame.left or south > frame.top or north < frame.bottom:
            raise SitsError(
                f"maps.mask.path: {path} does not reach tile {tile.name} of {tile.area}: give a "
                "raster that covers the area, or check its coordinate system"
            )
