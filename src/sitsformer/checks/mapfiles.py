"""What the mask and the parcels of the maps say against a config; their heads alone are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from sitsformer.config import Config, ConfigError, MaskRaster, expand
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.userfiles import is_there

Tiles = Callable[[str], list[Tile]]
"""Mapped tiles of an area by its name."""


def problems(config: Config, tiles: Tiles) -> Iterator[str]:
    """The problems of both files, as far as the files are there.

    Args:
        config: whose maps are drawn.
        tiles: mapped tiles of an area; those that the area has not are left out.
    """
    mapped = [tile for area in config.maps.tiles for tile in tiles(area)]
    mask, parcels = config.maps.mask, config.maps.parcels
    if isinstance(mask, MaskRaster) and is_there(mask.path):
        from sitsformer.maps.mask import refuse_raster

        try:
            refuse_raster(mask, mapped)
        except SitsError as error:
            yield str(error)
    if parcels is not None and is_there(parcels):
        try:
            _refuse_parcels(expand(parcels), mapped)
        except SitsError as error:
            yield str(error)


def _refuse_parcels(path: Path, tiles: list[Tile]) -> None:
    """Refuse parcels that cannot be read, have columns of the map, or lie elsewhere.

    Raises:
        SitsError: with what to do.
    """
    import pyogrio
    from pyproj import CRS
    from rasterio.warp import transform_bounds

    from sitsformer.maps.fields import refuse_columns
    from sitsformer.polygons import layer_of

    where = f"maps.parcels: {path}"
    try:
        found = pyogrio.read_info(path, layer=layer_of(path, where), force_total_bounds=True)
    except ConfigError:
        raise
    except Exception as error:
        raise SitsError(f"{where} cannot be read: {error}") from None
    refuse_columns(path, found["fields"])
    shape = str(found["geometry_type"])
    if not any(kind in shape for kind in ("Polygon", "Unknown", "Geometry", "Surface")):
        raise SitsError(f"{where} holds shapes of the type {shape}; give polygons")
    if found["crs"] is None:
        raise SitsError(f"{where} has no coordinate reference system; set the one it is in")
    crs, (left, low, right, high) = CRS.from_user_input(found["crs"]), found["total_bounds"]
    for tile in tiles:
        west, south, east, north = transform_bounds(f"EPSG:{tile.epsg}", crs, *tile.bounds)
        if west <= right and east >= left and south <= high and north >= low:
            return
    if tiles:
        raise SitsError(
            f"{where} lies elsewhere than all mapped tiles: {left:.9g} to {right:.9g} and "
            f"{low:.9g} to {high:.9g} in {crs.name}; check its coordinate system, or leave it out"
        )
