"""What answers of the catalogues of a config, and how much there is of its areas."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from sitsformer.config import Config
from sitsformer.imagery.findings import Finding, attempt

if TYPE_CHECKING:
    from sitsformer.config import Area
    from sitsformer.grid import Tile
    from sitsformer.imagery.stac.listing import Listing


def examine(config: Config) -> Iterator[Finding]:
    """Test list and pixels of the first tile of each area; what rests on a failed one is not."""
    from sitsformer.grid import tiles

    yield Finding(True, "client", f"pystac-client {version('pystac-client')}")
    for name, area in _areas(config):
        tile = tiles(name, area)[0]
        found: list[Listing] = []
        yield attempt(f"{name}: items", partial(_items, found, name, area, tile))
        if found:
            yield attempt(f"{name}: pixels", partial(_pixel, found[0], name, area, tile))


def report(config: Config) -> str:
    """Items and dates of each tile; lists that are on disk are not asked for again."""
    from sitsformer.grid import tiles
    from sitsformer.imagery.stac import listing

    lines = []
    for name, area in _areas(config):
        scenes = files = 0
        for tile in tiles(name, area):
            found = listing.look(area, tile, f"areas.{name}.stac")
            told = "asked for now" if found.asked else "as listed before"
            lines.append(f"{name} {tile.name}: {_count(found)} ({told})")
            scenes += len(found.scenes)
            files += sum(len({layer.href for layer in one.layers}) for one in found.scenes)
        lines.append(f"{name}: {scenes} items of all tiles, parts of {files} files to read")
    return "\n".join(lines)


def _areas(config: Config) -> Iterator[tuple[str, Area]]:
    yield from ((name, area) for name, area in config.areas.items() if area.source == "stac")


def _count(found: Listing) -> str:
    text = f"{len(found.scenes)} items in {len(found.times)} dates"
    for count, what in (
        (len(found.superseded), "of older processings"),
        (len(found.cloudy), "too cloudy"),
        (len(found.incomplete), "incomplete"),
    ):
        text += f", {count} {what} left out" if count else ""
    return text


def _items(found: list[Listing], name: str, area: Area, tile: Tile) -> str:
    """Ask for the items of a tile, and put them into `found`."""
    from sitsformer.imagery.stac import listing

    found.append(listing.ask(area, tile, f"areas.{name}.stac"))
    return f"{_count(found[0])}, tile {tile.name}"


def _pixel(found: Listing, name: str, area: Area, tile: Tile) -> str:
    """Read the middle pixel of a tile from every file of one scene."""
    from sitsformer.cube import CLEAR_MISSING
    from sitsformer.imagery.rasters.pixels import Block
    from sitsformer.imagery.stac.reading import Reader
    from sitsformer.sensors import sensor_of

    assert area.stac is not None  # config.Area checks it
    scene = found.datatakes[len(found.datatakes) // 2][0]
    half = tile.size // 2 * tile.pixel
    block = Block(tile.epsg, tile.west + half, tile.north - half, 1, 1, tile.pixel)
    with ThreadPoolExecutor(area.stac.concurrent) as pool:
        where = f"areas.{name}.stac"
        reader = Reader(area.stac, sensor_of(area), where, pool, lambda: None, listed=False)
        _, score = reader.load([scene], block)
    empty = score[0, 0] == CLEAR_MISSING
    return f"read from {scene.id}{', which is empty in the middle of the tile' if empty else ''}"
