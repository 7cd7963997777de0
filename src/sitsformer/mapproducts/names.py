"""Names of the classes of a tile or an area, where GDAL and QGIS look for them.

GeoTIFF has no place for category names and attribute tables; GDAL reads them from a file beside it.
"""

from typing import TYPE_CHECKING

from sitsformer.mapproducts.product import AreaProduct, Mapped, MapProduct

if TYPE_CHECKING:
    from sitsformer.maps.area import MappedArea


def _make(mapped: Mapped) -> bytes:
    from sitsformer.maps.codes import map_codes, sidecar

    return sidecar(map_codes(mapped.classes)).encode()


def _make_of_area(mapped: "MappedArea") -> bytes:
    from sitsformer.maps.codes import sidecar

    return sidecar(mapped.codes).encode()


PRODUCT = MapProduct(
    name="names", title="names of the classes, for GDAL and QGIS", ending=".tif.aux.xml",
    kind="names", make=_make, order=5,
)  # fmt: skip

OF_AREA = AreaProduct(
    name="names", title="names of the classes, for GDAL and QGIS", ending=".tif.aux.xml",
    kind="names", make=_make_of_area, order=5,
)  # fmt: skip
