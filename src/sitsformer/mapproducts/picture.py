"""The map beside its labels, its confidence and its areas, as a PNG."""

from sitsformer.mapproducts.product import Mapped, MapProduct


def _make(mapped: Mapped) -> bytes:
    from sitsformer.plots import crop_map

    return crop_map.png(mapped.found, mapped.labels, mapped.classes, mapped.areas, mapped.title)


PRODUCT = MapProduct(
    name="picture",
    title="labels, predicted crops, confidence and areas",
    ending=".png",
    kind="picture",
    make=_make,
    order=3,
)
