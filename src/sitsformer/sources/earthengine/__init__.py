"""Cubes from Google Earth Engine; docs/earthengine.md says what is exported and why.

collections.py  what is asked for            session.py   credentials, project, client
listing.py      images of a tile, grouped    transport.py connections, deadlines
early.py        scores beside the listing    limiter.py   concurrency, rate, retries
layers.py       what label products ask for  errors.py    transient, too big, permanent
requests.py     packing, splitting, graphs   cache.py     finished requests on disk
fetch.py        requests into the cache      stored.py    arrays that live in the cache
batch.py        the same by export tasks     doctor.py    what answers
export.py       a tile from list to cube     view.py      area, imagery and labels on a map
plan.py         the estimate
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sitsformer.config import Config
    from sitsformer.sources.earthengine.export import EarthEngineSource


def source(config: Config) -> EarthEngineSource:
    """The source for `sources.get_source`."""
    from sitsformer.sources.earthengine.export import EarthEngineSource

    return EarthEngineSource(config)
