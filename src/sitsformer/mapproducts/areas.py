"""Areas of the classes with intervals and the accuracy of the map, as a table of the area."""

from typing import TYPE_CHECKING

from sitsformer.mapproducts.product import AreaProduct

if TYPE_CHECKING:
    from sitsformer.maps.area import MappedArea


def _make(mapped: "MappedArea") -> bytes:
    text: str = mapped.table.to_csv(index=False, float_format="%.6g")
    return text.encode()


PRODUCT = AreaProduct(
    name="areas", title="areas of the classes and accuracy", ending="_areas.csv", kind="areas",
    make=_make, order=11,
)  # fmt: skip
