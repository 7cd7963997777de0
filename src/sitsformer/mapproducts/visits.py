"""Places to visit next, where the map of an area is least certain, as a GeoPackage of points."""

from typing import TYPE_CHECKING

from sitsformer.mapproducts.product import AreaProduct

if TYPE_CHECKING:
    from sitsformer.maps.area import MappedArea


def _make(mapped: "MappedArea") -> bytes:
    from sitsformer.geopackage import geopackage
    from sitsformer.maps.visits import suggest

    points = suggest(mapped.out, mapped.file("margin"), mapped.codes, mapped.visits)
    return geopackage(points, "visits")


PRODUCT = AreaProduct(
    name="visits", title="places to visit next, where the map is least certain",
    ending="_visits.gpkg", kind="points", make=_make, order=13,
)  # fmt: skip
