"""How many dates each prediction is made of."""

from sitsformer.mapproducts.product import Mapped, MapProduct


def _make(mapped: Mapped) -> bytes:
    from sitsformer.geotiff import geotiff
    from sitsformer.maps.tile import NO_DATES

    return geotiff(
        mapped.found.dates, mapped.cube, "dates", {}, nodata=NO_DATES, resampling="average"
    )


PRODUCT = MapProduct(
    name="dates", title="number of clear dates that were used", ending="_dates.tif", kind="map",
    make=_make, order=4, resampling="average",
)  # fmt: skip
