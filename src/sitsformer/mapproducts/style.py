"""Colours and names of the classes as a style of QGIS, which it loads with the map."""

from typing import TYPE_CHECKING

from sitsformer.mapproducts.product import AreaProduct

if TYPE_CHECKING:
    from sitsformer.maps.area import MappedArea


def _make(mapped: "MappedArea") -> bytes:
    from sitsformer.maps.codes import style

    return style(mapped.codes).encode()


PRODUCT = AreaProduct(
    name="style", title="style for QGIS", ending=".qml", kind="style", make=_make, order=7
)
