"""Parcels with the class of most of their pixels, as a GeoPackage (`maps.parcels`)."""

from typing import TYPE_CHECKING

from sitsformer.mapproducts.product import AreaProduct

if TYPE_CHECKING:
    from sitsformer.maps.area import MappedArea


def _make(mapped: "MappedArea") -> bytes:
    from sitsformer.geopackage import geopackage
    from sitsformer.maps.fields import majority

    assert mapped.parcels is not None, "made where maps.parcels names a file"
    found = majority(
        mapped.out, mapped.file("confidence"), mapped.file("margin"), mapped.codes, mapped.parcels
    )
    return geopackage(found, "fields")


PRODUCT = AreaProduct(
    name="fields", title="parcels with the class of most of their pixels",
    ending="_fields.gpkg", kind="fields", make=_make, order=14, wanted=True,
)  # fmt: skip
