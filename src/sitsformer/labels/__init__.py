"""Label products: maps that give labels to pixels, one module and one legend a product.

docs/extending.md has the recipe for another one. Nothing here imports more than the standard
library: Snakemake looks through it at every start.
"""

from sitsformer.labels.product import LabelProduct, confidence_layers, products

__all__ = ["LabelProduct", "confidence_layers", "products"]
