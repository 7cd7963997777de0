"""The embedded landscape: a seeded, physically plausible stand-in; see docs/synthetic.md."""

from sitsformer.labels import products
from sitsformer.sources import Source

SOURCE = Source(
    name="synthetic",
    module="sitsformer.imagery.synthetic.source",
    labels=lambda area: [name for name, product in products().items() if product.landscape],
    section="config",
    outline=True,  # one sun and sky for all tiles of an area: those of its middle
    revisit=lambda config: config.synthetic.revisit,
    order=1,
)
