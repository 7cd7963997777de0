"""What the store of a tile says of its samples: columns, origin, and where every pixel went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sitsformer.classes import NO_CLASS_NAME, Classes
from sitsformer.config import Config, SampleSet
from sitsformer.grid import Tile, to_lonlat
from sitsformer.patches import splits
from sitsformer.patches.sampling import Draw
from sitsformer.samples.contract import About
from sitsformer.sensors import sensor_of

if TYPE_CHECKING:
    import xarray as xr


def columns_of(
    dataset: xr.Dataset,
    tile: Tile,
    chosen: SampleSet,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    label: NDArray[np.int16],
    steps: NDArray[np.int16],
) -> dict[str, NDArray[Any]]:
    """Columns (sample, ...) of the store, from places (m), labels and kept steps (sample, time)."""
    times = dataset.time
    days = times.values.astype("datetime64[D]").astype(np.int64).astype(np.int32)
    lon, lat = to_lonlat(tile.epsg, x, y)
    padding = steps < 0
    return {
        "doy": np.where(padding, 0, times.dt.dayofyear.values[steps]).astype(np.int16),
        "date": np.where(padding, -1, days[steps]).astype(np.int32),
        "label": label,
        "block": splits.block_ids(tile.epsg, x, y, chosen.split.block),
        "epsg": np.full(len(x), tile.epsg, np.int32),
        "lon": np.asarray(lon),
        "lat": np.asarray(lat),
        "x": x,
        "y": y,
    }


def origin(config: Config, set_name: str, area_name: str, tile: Tile, classes: Classes) -> About:
    """What the samples of a tile are of."""
    chosen, sensor = config.sets[set_name], sensor_of(config.areas[area_name])
    return About(
        name=set_name,
        classes=classes,
        label=str(chosen.label),
        tiles=(f"{area_name}/{tile.name}",),
        areas=(area_name,),
        years=(config.areas[area_name].start.year,),
        split_by=chosen.split.by,
        block=chosen.split.block,
        bands=sensor.names,
        sensor=sensor,
    )


def account(
    tile: Tile,
    dataset: xr.Dataset,
    chosen: SampleSet,
    classes: Classes,
    drawn: Draw,
    kept: NDArray[np.bool_],
) -> dict[str, Any]:
    """Where every pixel of the tile went: kept + dropped = pixels."""
    names = (*classes.names, NO_CLASS_NAME)
    lost = np.where(drawn.label < 0, len(classes.names), drawn.label)
    dropped = {
        **drawn.dropped,
        "missing": np.bincount(lost[~kept], minlength=len(names)),
    }
    taken = np.bincount(lost[kept], minlength=len(names))

    def by_class(counts: NDArray[np.int64]) -> dict[str, int]:
        return {name: int(n) for name, n in zip(names, counts, strict=True) if n}

    warnings = []
    if not kept.any():
        reasons = {name: int(n.sum()) for name, n in dropped.items() if n.any()}
        warnings.append(f"no samples: {tile.size**2} pixels, dropped for {reasons}")
    if chosen.per_tile != "all" and chosen.quota == "balanced":
        share = chosen.per_tile // max(1, int(np.count_nonzero(drawn.candidates)))
        warnings += [
            f"class {name!r} has only {found} pixels that could be drawn; its share was {share}"
            for name, found in zip(names, drawn.candidates.tolist(), strict=True)
            if 0 < found < share
        ]
    return {
        "pixels": tile.size**2,
        "dates": int(dataset.sizes["time"]),
        "kept": by_class(taken),
        "dropped": {name: by_class(counts) for name, counts in dropped.items() if counts.any()},
        "warnings": warnings,
    }
