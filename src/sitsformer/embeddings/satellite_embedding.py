"""Satellite Embedding (AlphaEarth Foundations): 64 numbers for each year and pixel of 10 m.

Sources: id, bands, years and properties from
https://developers.google.com/earth-engine/datasets/catalog/GOOGLE_SATELLITE_EMBEDDING_V1_ANNUAL;
the bytes, licence and attribution from
https://developers.google.com/earth-engine/guides/aef_on_gcs_readme; what it learned from: Brown et
al. 2025, arXiv:2507.22291. Vectors have length 1, so that their angles are what counts.
"""

from sitsformer.embeddings.product import EmbeddingProduct

PRODUCT = EmbeddingProduct(
    name="satellite_embedding",
    title="Satellite Embedding",
    collection="GOOGLE/SATELLITE_EMBEDDING/V1/ANNUAL",
    bands=tuple(f"A{number:02d}" for number in range(64)),
    zone="UTM_ZONE",
    since=2017,
    divisor=127.5,
    power=2.0,
    licence="CC BY 4.0",
    attribution=(
        "The AlphaEarth Foundations Satellite Embedding dataset is produced by Google and Google "
        "DeepMind."
    ),
    page="https://developers.google.com/earth-engine/datasets/catalog/"
    "GOOGLE_SATELLITE_EMBEDDING_V1_ANNUAL",
    colour="#1a73e8",
    order=10,
)
