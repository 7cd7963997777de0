"""Label layers: what the products that an area wants ask of Earth Engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sitsformer.config import Area
from sitsformer.imagery.earthengine.collections import wanted
from sitsformer.imagery.earthengine.errors import EarthEngineError
from sitsformer.labels import LabelProduct
from sitsformer.labels.product import LARGEST
from sitsformer.legends import load_legend

CONFIDENCE_MISSING = 255


@dataclass(frozen=True)
class Layer:
    """One layer of the cube, and where its pixels come from.

    Attributes:
        name: of the layer.
        product: whose layer it is.
        band: of the product.
        year: of the map.
        fill: value where the product has no pixel.
        dtype: of the layer: `uint8` or `uint16`.
        optional: the band is not in the map of every year; all `fill` where it is missing.
    """

    name: str
    product: LabelProduct
    band: str
    year: int
    fill: int
    dtype: str
    optional: bool

    def __str__(self) -> str:
        """`collection:band:year:fill`, as the keys of requests hold it; a `?` at optional bands.

        What a plain product has not stands behind, so that the keys of others stay as they were.
        """
        collection, year = self.product.source(self.year)
        mark = "?" if self.optional else ""
        wide = "" if self.dtype == "uint8" else f":{self.dtype}"
        more = "".join(f":{name}={value}" for name, value in sorted(self.product.where.items()))
        more += "" if self.product.combine == "mosaic" else f":{self.product.combine}"
        return f"{collection}:{self.band}{mark}:{year or ''}:{self.fill}{wide}{more}"

    def image(self, dtype: str) -> Any:
        """The layer as an image of `dtype`, one band."""
        import ee

        images = maps(self.product, self.year)
        if self.optional:
            # addBands gives a name that is taken a number: the map's own band keeps its name.
            substitute = _cast(ee.Image.constant(self.fill), dtype).rename([self.band])
            image = images.mosaic().addBands(substitute).select([self.band])
        else:
            image = combined(images.select([self.band]), self.product)
        # A mosaic has no pixels of its own: they are taken from the map, nearest neighbour, on the
        # grid of the request.
        return _cast(image.unmask(self.fill, False), dtype).rename([self.band])


def layers(area: Area) -> tuple[Layer, ...]:
    """Label layers of an area's cubes, each confidence behind its label.

    They follow from the season alone, so that labels need not wait for the list of images.

    Raises:
        EarthEngineError: a legend has codes that the layer could not hold.
    """
    found = []
    for product in wanted(area):
        _check_codes(product)
        year = product.year(area.season_year)
        label = (product.name, product, product.band, year, product.no_label, product.dtype)
        found.append(Layer(*label, optional=False))
        if product.confidence and product.confidence_layer:
            beside = (product.confidence_layer, product, product.confidence, year)
            found.append(Layer(*beside, CONFIDENCE_MISSING, "uint8", optional=True))
    return tuple(found)


def maps(product: LabelProduct, year: int) -> Any:
    """The images that a product's map of a year is made of, as a collection."""
    import ee

    collection, chosen = product.source(year)
    if product.images:
        return ee.ImageCollection([ee.Image(collection)])
    images = ee.ImageCollection(collection)
    for name, value in sorted(product.where.items()):
        images = images.filter(ee.Filter.eq(name, value))
    if chosen is None:
        return images
    return images.filterDate(f"{chosen}-01-01", f"{chosen + 1}-01-01")


def combined(images: Any, product: LabelProduct) -> Any:
    """The images of a product's map as one image."""
    return images.mode() if product.combine == "mode" else images.mosaic()


def _cast(image: Any, dtype: str) -> Any:
    return image.toUint8() if dtype == "uint8" else image.toUint16()


def _check_codes(product: LabelProduct) -> None:
    most = max(load_legend(product.name).codes)
    if most > LARGEST[product.dtype]:
        raise EarthEngineError(
            f"label product {product.name!r}: code {most} of its legend is above the largest of "
            f"{product.dtype}; its record needs dtype='uint16'"
        )
