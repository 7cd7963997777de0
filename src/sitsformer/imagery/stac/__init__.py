"""Cubes from a SpatioTemporal Asset Catalog; docs/stac.md says what is taken and why.

catalogue.py  what an API or a static catalogue has for a place and a season
items.py      an item -> a scene: its time, its place, its files band by band
offsets.py    what stored values mean, by the metadata of an item
listing.py    the scenes of a tile: which are taken, which belong together; kept on disk
reading.py    files on servers -> pixels on the tile's grid, several at once
source.py     a tile from list to cube
doctor.py     what answers, and how much there is
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sitsformer.sources import Source

if TYPE_CHECKING:
    from sitsformer.config import Area


def _files(area: Area) -> Iterator[tuple[str, str]]:
    """A catalogue in a file, and label rasters; what lies on a server is asked for by its job."""
    from sitsformer.config import is_address

    if area.stac is None:
        return
    named = {"url": area.stac.url}
    named |= {f"labels.{layer}.path": label.path for layer, label in area.stac.labels.items()}
    for key, path in named.items():
        if not is_address(path):
            yield f"stac.{key}", path


SOURCE = Source(
    name="stac",
    module="sitsformer.imagery.stac.source",
    labels=lambda area: () if area.stac is None else area.stac.labels,
    sensors=None,
    section="area",
    decisive=(
        "url",
        "collection",
        "max_cloud",
        "exclude",
        "assets",
        "scale",
        "offset",
        "nodata",
        "on_broken",
        "clouds",
        "labels",
    ),
    foresees=True,
    files=_files,
    order=4,
)
