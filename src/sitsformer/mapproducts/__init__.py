"""Products of a map: files made of a predicted tile, or of a whole area, one module a product.

docs/extending.md has the recipe for another one. What the modules need is imported inside
functions: Snakemake looks through them at every start.
"""

from sitsformer.mapproducts.product import (
    AreaProduct,
    Mapped,
    MapProduct,
    area_endings,
    area_products,
    products,
    refuse_name,
    write,
)

__all__ = [
    "AreaProduct",
    "MapProduct",
    "Mapped",
    "area_endings",
    "area_products",
    "products",
    "refuse_name",
    "write",
]
