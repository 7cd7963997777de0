"""Products of a map: files made of a predicted tile, one module a product.

docs/extending.md has the recipe for another one. What the modules need is imported inside
functions: Snakemake looks through them at every start.
"""

from sitsformer.mapproducts.product import Mapped, MapProduct, products, write

__all__ = ["MapProduct", "Mapped", "products", "write"]
