"""Products of yearly embeddings, a module each, and the learners that layers of them join as.

Nothing here imports more than the standard library: config and Snakemake look through it at every
start. How embeddings are taken and kept is in `sitsformer.embedded`.
"""

from sitsformer.embeddings.learners import (
    JOINED,
    LEARNERS,
    Member,
    joined_learners,
    learner_name,
    main_learners,
    members,
    of_products,
)
from sitsformer.embeddings.product import EmbeddingProduct, products

__all__ = [
    "JOINED",
    "LEARNERS",
    "EmbeddingProduct",
    "Member",
    "joined_learners",
    "learner_name",
    "main_learners",
    "members",
    "of_products",
    "products",
]
