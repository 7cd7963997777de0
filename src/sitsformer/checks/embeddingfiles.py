"""What rasters of embeddings say against a config; their heads alone are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sitsformer.config import Config
from sitsformer.errors import SitsError
from sitsformer.grid import Tile
from sitsformer.userfiles import is_there

Wanted = Mapping[tuple[str, str], Sequence[Tile]]
"""Tiles that embeddings are taken over, by layer and area."""


def problems(config: Config, wanted: Wanted) -> Iterator[str]:
    """Rasters that cannot be read, lie elsewhere, or are of several models, where they are there.

    Args:
        config: names the files.
        wanted: tiles that embeddings are taken over.
    """
    axes: dict[str, tuple[str, int]] = {}
    for (layer, area), tiles in wanted.items():
        where = f"embeddings.{layer}.rasters.{area}"
        named = config.embeddings[layer].rasters.get(area)
        if named is None or not is_there(named):
            continue
        from sitsformer.embedded.tiles import look

        try:
            head = look(named, where)
        except SitsError as error:
            yield str(error)
            continue
        if tiles and not any(head.reaches(tile) for tile in tiles):
            yield (
                f"{where}: {named} reaches none of the {len(tiles)} tiles of {area}; give the "
                "embeddings of this area, or check its coordinate system"
            )
        first, count = axes.setdefault(layer, (where, head.axes))
        if count != head.axes:
            yield (
                f"{where}: {named} has {head.axes} bands, and {first} has {count}; the rasters of "
                "a layer must be of one model"
            )
