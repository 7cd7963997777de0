"""Where labels come from: maps that others made (products), and surveys of the user's own.

A module each, with its record; docs/extending.md has the recipe for another product. Nothing here
imports more than the standard library: Snakemake looks through it at every start.
"""

from sitsformer.labels.kind import SurveyKind, kinds
from sitsformer.labels.product import LabelProduct, confidence_layers, products

__all__ = ["LabelProduct", "SurveyKind", "confidence_layers", "kinds", "products"]
