"""Cubes from Google Earth Engine; docs/earthengine.md says what is exported and why.

collections.py  what is asked for            session.py   credentials, project, client
listing.py      images of a tile, grouped    transport.py connections, deadlines
layers.py       what label products ask for  limiter.py   concurrency, rate, retries
requests.py     packing, splitting, graphs   errors.py    transient, too big, permanent
fetch.py        requests into the cache      cache.py     finished requests on disk
batch.py        the same by export tasks     stored.py    arrays that live in the cache
source.py       a tile from list to cube     doctor.py    what answers
plan.py         the estimate                 view.py      area, imagery and labels on a map
embeddings.py   yearly embeddings of a tile
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sitsformer.labels import products
from sitsformer.sources import Source

if TYPE_CHECKING:
    from sitsformer.config import Area


def _early(name: str, area: Area) -> Iterator[str]:
    """Seasons and labels that no request could bring; nothing is asked."""
    from sitsformer.errors import SitsError
    from sitsformer.grid import tiles
    from sitsformer.imagery.earthengine.collections import check_area

    try:
        for tile in tiles(name, area):
            check_area(name, area, tile)
    except SitsError as error:
        yield str(error)


SOURCE = Source(
    name="earthengine",
    module="sitsformer.imagery.earthengine.source",
    labels=lambda area: products(),
    confidences=True,
    section="config",
    early=_early,
    decisive=("min_clear", "clear_score", "cloud_score"),
    order=3,
)
