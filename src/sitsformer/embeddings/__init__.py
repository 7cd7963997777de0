"""Yearly embeddings of others at the pixels of tiles and samples, and the learners they join as.

    product.py               the record of a product of Earth Engine
    satellite_embedding.py   Satellite Embedding
    learners.py              who learns from a layer in the sweep
    store.py                 how tiles and samples of a layer lie on disk
    tiles.py, rows.py        the stages: a tile of an area, the samples of a set

The records and `learners` import the standard library alone: config and Snakemake look through them
at every start.
"""

from sitsformer.embeddings.learners import (
    LEARNERS,
    Member,
    learner_name,
    main_learners,
    members,
    of_products,
)
from sitsformer.embeddings.product import EmbeddingProduct, products

__all__ = [
    "LEARNERS",
    "EmbeddingProduct",
    "Member",
    "learner_name",
    "main_learners",
    "members",
    "of_products",
    "products",
]
