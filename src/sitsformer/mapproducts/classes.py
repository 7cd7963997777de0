"""The map: a GeoTIFF of classes, with their colours, and their names as tags of the band.

uint8, or uint16 where there are more than 255 classes; class k is k + 1, 0 none.
"""

from sitsformer.mapproducts.product import Mapped, MapProduct


def _make(mapped: Mapped) -> bytes:
    import numpy as np

    from sitsformer.geotiff import geotiff

    names, found = mapped.classes.names, mapped.found.classes
    dtype = np.uint8 if len(names) <= np.iinfo(np.uint8).max else np.uint16
    tags = {f"CLASS_{k + 1}": name for k, name in enumerate(names)}
    return geotiff(found.astype(dtype), mapped.cube, "crop", tags, mapped.classes.colours)


PRODUCT = MapProduct(
    name="classes", title="predicted classes", ending=".tif", kind="map", make=_make, order=1
)
