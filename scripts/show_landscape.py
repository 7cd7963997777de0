"""Draw a tile of the embedded landscape: true colour, clouds, labels, NDVI by class.

python scripts/show_landscape.py landscape.png [--config config/config.yaml] [--area NAME]
    [--tile NUMBER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sitsformer import tile_view
from sitsformer.config import load
from sitsformer.grid import tiles
from sitsformer.sources import get_source


def main() -> None:
    """Draw one tile of an area of a config."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--config", type=Path, default=Path("config/config.yaml"))
    parser.add_argument("--area", default=None, help="default: the last of the config")
    parser.add_argument("--tile", type=int, default=0, help="position in the area's list of tiles")
    given = parser.parse_args()
    config = load(given.config)
    name = given.area or list(config.areas)[-1]
    area = config.areas[name]
    tile = tiles(name, area)[given.tile]
    tile_view.draw(get_source(config, name).cube(name, area, tile), given.out)


if __name__ == "__main__":
    main()
