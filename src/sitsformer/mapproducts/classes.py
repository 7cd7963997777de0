"""The map: a GeoTIFF of the legend's codes, with their colours and names.

A class of several codes has the first of them. uint8, or uint16 where there are codes above 255.
"""

from sitsformer.mapproducts.product import Mapped, MapProduct


def _make(mapped: Mapped) -> bytes:
    from sitsformer.geotiff import geotiff
    from sitsformer.maps import map_codes

    codes = map_codes(mapped.classes)
    return geotiff(
        codes.encode(mapped.found.classes), mapped.cube, "crop", codes.tags,
        nodata=codes.nodata, colours=codes.colours, resampling="mode",
        about=mapped.about,
    )  # fmt: skip


PRODUCT = MapProduct(
    name="classes", title="predicted classes, as codes of the legend", ending=".tif", kind="map",
    make=_make, order=1, resampling="mode",
)  # fmt: skip
