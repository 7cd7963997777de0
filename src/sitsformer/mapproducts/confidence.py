"""How sure the model is: a GeoTIFF of the probability of each pixel's class, percent.

A file of its own: GDAL takes a second band beside a colour table for transparency.
"""

from sitsformer.mapproducts.product import Mapped, MapProduct


def _make(mapped: Mapped) -> bytes:
    from sitsformer.geotiff import geotiff

    tags = {"UNITS": "percent"}
    return geotiff(mapped.found.confidence, mapped.cube, "confidence", tags, resampling="average")


PRODUCT = MapProduct(
    name="confidence",
    title="probability of the predicted class, percent",
    ending="_confidence.tif",
    kind="map",
    make=_make,
    order=2,
    resampling="average",
)
