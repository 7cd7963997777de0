"""How a network learns crops from a few labels: one small module an adaptation.

docs/extending.md has the recipe for another one. The modules are light: Snakemake looks through
them at every start, and what trains is imported when it trains.
"""

from sitsformer.fewshot.adaptations.adaptation import Adaptation, Choice, adaptations

__all__ = ["Adaptation", "Choice", "adaptations"]
