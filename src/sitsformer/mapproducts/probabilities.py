"""Probabilities of all classes, a band each, as half floats (`maps.layers`)."""

from sitsformer.mapproducts.product import Mapped, MapProduct


def _make(mapped: Mapped) -> bytes:
    from sitsformer.geotiff import geotiff

    values = mapped.found.probabilities
    assert values is not None, "kept where maps.layers asks for them"
    return geotiff(
        values, mapped.cube, mapped.classes.names, {}, nodata=float("nan"), resampling="average"
    )


PRODUCT = MapProduct(
    name="probabilities", title="probabilities of all classes, a band each",
    ending="_probabilities.tif", kind="map", make=_make, order=20, wanted=True,
    resampling="average",
)  # fmt: skip
