"""The map of an area as a VRT over the maps of its tiles, with the names of its classes."""

from typing import TYPE_CHECKING

from sitsformer.mapproducts.product import AreaProduct

if TYPE_CHECKING:
    from sitsformer.maps.area import MappedArea


def _make(mapped: "MappedArea") -> bytes:
    from sitsformer.maps.mosaic import vrt

    return vrt(mapped.pieces, mapped.out.parent, mapped.codes).encode()


PRODUCT = AreaProduct(
    name="virtual", title="the same map as a VRT over its tiles", ending=".vrt", kind="map",
    make=_make, order=6,
)  # fmt: skip
