"""The export stage: a tile of an area -> a cube, from whatever source the config names."""

from __future__ import annotations

import logging
import zlib
from pathlib import Path

import numpy as np

from sitsformer import cube
from sitsformer.classes import legend_path
from sitsformer.config import Area, Config, ConfigError, expand
from sitsformer.errors import SitsError, no_room
from sitsformer.grid import find_tile, geometry_file, tiles
from sitsformer.imagery import get_source

logger = logging.getLogger("sitsformer")


def export(config: Config, area_name: str, tile_name: str, out: Path) -> None:
    """Write the cube of one tile.

    Raises:
        ConfigError: the config has no such area or tile.
        SitsError: the source cannot give it; the message says why and what to do.
    """
    area = find_area(config, area_name)
    tile = find_tile(area_name, area, tile_name)
    dataset = get_source(config, area_name).cube(area_name, area, tile)
    try:
        cube.write(
            dataset,
            out,
            config=settings(config, area_name),
            inputs=_label_files(area),
            seed=_seed(config, area),
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


def season_problems(config: Config) -> list[str]:
    """Seasons and labels of Earth Engine areas that no request could bring; nothing is asked."""
    from sitsformer.imagery.earthengine import collections

    found = []
    for name, area in config.areas.items():
        try:
            for tile in tiles(name, area) if area.source == "earthengine" else ():
                collections.check_area(name, area, tile)
        except SitsError as error:
            found.append(str(error))
    return found


def settings(config: Config, area_name: str) -> dict[str, object]:
    """The config values that decide what the cubes of an area hold (not how they are fetched)."""
    area = config.areas[area_name]
    values: dict[str, object] = {
        "area": area.model_dump(mode="json", exclude={"tiles": {"count", "seed"}})
    }
    if area.source == "synthetic":
        values["synthetic"] = config.synthetic.model_dump(mode="json")
    if area.source == "earthengine":
        values["earthengine"] = config.earthengine.model_dump(
            mode="json", include={"min_clear", "clear_score", "cloud_score"}
        )
    return values


def _label_files(area: Area) -> dict[str, Path]:
    """Label rasters, legends and outline that an area is made from, by the key that names them."""
    files = {"geometry": geometry_file(area)}
    for layer, label in (area.rasters.labels if area.rasters else {}).items():
        files[f"labels.{layer}"] = expand(label.path)
        files[f"legends.{layer}"] = legend_path(label.legend)
    return {key: path for key, path in files.items() if path is not None}


def _seed(config: Config, area: Area) -> int | None:
    return config.synthetic.seed if area.source == "synthetic" else None
