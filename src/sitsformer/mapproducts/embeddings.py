"""The vectors that the classifier reads, a band a feature, as half floats (`maps.layers`)."""

from sitsformer.mapproducts.product import Mapped, MapProduct


def _make(mapped: Mapped) -> bytes:
    from sitsformer.geotiff import geotiff

    values = mapped.found.embeddings
    assert values is not None, "kept where maps.layers asks for them"
    names = [f"feature {k}" for k in range(len(values))]
    return geotiff(values, mapped.cube, names, {}, nodata=float("nan"), resampling="average")


PRODUCT = MapProduct(
    name="embeddings", title="embeddings, a band a feature", ending="_embeddings.tif", kind="map",
    make=_make, order=21, wanted=True, resampling="average",
)  # fmt: skip
