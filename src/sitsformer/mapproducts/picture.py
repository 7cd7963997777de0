"""The map of an area beside its labels, its confidence and its areas, as a PNG."""

from typing import TYPE_CHECKING

from sitsformer.mapproducts.product import AreaProduct

if TYPE_CHECKING:
    from sitsformer.maps.area import MappedArea


def _make(mapped: "MappedArea") -> bytes:
    from sitsformer.plots import crop_map

    return crop_map.png(mapped)


PRODUCT = AreaProduct(
    name="picture", title="labels, predicted crops, confidence and areas", ending=".png",
    kind="picture", make=_make, order=12,
)  # fmt: skip
