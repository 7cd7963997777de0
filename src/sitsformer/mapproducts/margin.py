"""How far the model is from another class: the difference of the two highest probabilities."""

from sitsformer.mapproducts.product import Mapped, MapProduct


def _make(mapped: Mapped) -> bytes:
    from sitsformer.geotiff import geotiff
    from sitsformer.maps.tile import UNKNOWN

    return geotiff(
        mapped.found.margin, mapped.cube, "margin", {"UNITS": "percent"},
        nodata=UNKNOWN, resampling="average",
    )  # fmt: skip


PRODUCT = MapProduct(
    name="margin", title="probability beyond that of the next class, percent",
    ending="_margin.tif", kind="map", make=_make, order=3, resampling="average",
)  # fmt: skip
