"""Cubes -> samples: `tile_store.py` a tile, `merge.py` a set."""

from sitsformer.patches.tile_store import (
    make_tile_store,
)

__all__ = [
    "make_tile_store",
]
