"""The export stage: a tile of an area -> a cube, from whatever source the config names."""

from __future__ import annotations

import logging
import zlib
from pathlib import Path

import numpy as np

from sitsformer import cube, decisive, userfiles
from sitsformer.config import Area, Config, ConfigError, expand
from sitsformer.errors import SitsError, no_room
from sitsformer.grid import find_tile
from sitsformer.sources import source_of

logger = logging.getLogger("sitsformer")


def sharing(config: Config, requests: int) -> Config:
    """The config of a job that may have so many requests under way; 0: as it is."""
    if not requests:
        return config
    settings = config.earthengine
    shared = {"concurrent": requests, "rate": settings.rate * requests / settings.concurrent}
    return config.model_copy(update={"earthengine": settings.model_copy(update=shared)})


def export(config: Config, area_name: str, tile_name: str, out: Path) -> None:
    """Write the cube of one tile.

    Raises:
        ConfigError: the config has no such area or tile.
        SitsError: the source cannot give it; the message says why and what to do.
    """
    area = find_area(config, area_name)
    tile = find_tile(area_name, area, tile_name)
    source = source_of(area)
    dataset = source.open(config).cube(area_name, area, tile)
    try:
        cube.write(
            dataset,
            out,
            config=decisive.cube(config, area_name),
            inputs=userfiles.recorded(area),
            seed=source.settings(config).get(source.name, {}).get("seed"),
        )
    except (OSError, RuntimeError, ValueError, zlib.error) as error:
        if area.rasters is None or no_room(error) or getattr(error, "errno", None) is not None:
            raise
        # Libraries have errors of their own for a damaged chunk, which is read only now.
        raise SitsError(
            f"areas.{area_name}.rasters: pixels of {expand(area.rasters.path)} cannot be read: "
            f"{error}; get the file again"
        ) from error
    days = dataset.time.values.astype("datetime64[D]")
    logger.info(
        "%s: %d dates from %s to %s, %d x %d px, labels %s",
        out,
        np.unique(days).size,
        days[0],
        days[-1],
        tile.size,
        tile.size,
        ", ".join(cube.label_layers(dataset)) or "none",
    )


def find_area(config: Config, name: str) -> Area:
    """An area by its name.

    Raises:
        ConfigError: the config has no such area.
    """
    if name not in config.areas:
        raise ConfigError(f"no area {name!r} in the config; it has {', '.join(config.areas)}")
    return config.areas[name]
