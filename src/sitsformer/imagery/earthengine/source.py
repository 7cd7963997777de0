"""The export of one tile: list, score, choose, fetch, assemble."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sitsformer import cube
from sitsformer.classes import Legend
from sitsformer.config import Area, Config, EarthEngine, expand
from sitsformer.grid import Tile
from sitsformer.imagery.earthengine import batch, listing, requests
from sitsformer.imagery.earthengine.cache import GIGABYTE, TileCache, open_group, trim
from sitsformer.imagery.earthengine.collections import (
    IMAGES,
    RECIPE,
    SCORES,
    check_area,
    outside,
    wanted,
)
from sitsformer.imagery.earthengine.errors import EarthEngineError, VanishedError
from sitsformer.imagery.earthengine.fetch import fetch
from sitsformer.imagery.earthengine.listing import Listing, Observation
from sitsformer.imagery.earthengine.plan import announce
from sitsformer.imagery.earthengine.requests import UNSCORED, Request
from sitsformer.imagery.earthengine.session import Session, connect
from sitsformer.imagery.earthengine.stored import Stored
from sitsformer.legends import load_legend
from sitsformer.sensors import BANDS

logger = logging.getLogger("sitsformer")


class EarthEngineSource:
    """Cubes from Earth Engine, for the export stage."""

    def __init__(self, config: Config) -> None:
        self.settings = config.earthengine

    def cube(self, area_name: str, area: Area, tile: Tile) -> xr.Dataset:
        """Export a tile into the cache and give its cube, which reads from there.

        Raises:
            EarthEngineError: there is nothing to export, or Earth Engine refuses.
        """
        check_area(area_name, area, tile)
        group = open_group(expand(self.settings.cache), area_name, area, tile)
        try:
            return self._cube(group, area_name, area, tile)
        except VanishedError as error:
            logger.warning("%s; listing the images anew", error)
            group.drop_listing()
            return self._cube(group, area_name, area, tile)

    def _cube(self, group: TileCache, area_name: str, area: Area, tile: Tile) -> xr.Dataset:
        trim(expand(self.settings.cache), self.settings.cache_gb * GIGABYTE)
        session = partial(connect, self.settings)
        labels = requests.label_requests(tile, area)
        found = _look(session, group, area_name, area, tile)
        announce(tile, found, area, self.settings)
        scores = requests.pack("scores", tile, found.observations, (self.settings.cloud_score,))
        fetch(session, group, [*scores, *labels])
        score = Stored(group, scores, 1)
        shares = clear_shares(score, self.settings.clear_score)
        kept = _choose(area_name, found.observations, shares, self.settings)
        label = _stored_labels(group, labels, found)
        for product in wanted(area):
            if product.complete and not (label[product.name][0] != product.no_label).any():
                raise outside(area_name, tile, product)

        observations = [found.observations[index] for index in kept]
        pixels = requests.pack("reflectance", tile, observations)
        if self.settings.export == "batch":
            pixels = batch.repack(pixels)
            batch.fetch(session, group, pixels, self.settings)
        else:
            fetch(session, group, pixels)
        trim(expand(self.settings.cache), self.settings.cache_gb * GIGABYTE)
        return cube.build(
            tile,
            np.array([seen.time for seen in observations], "datetime64[ms]"),
            Stored(group, pixels, len(BANDS)).lazy(),
            _clear(score.lazy()[kept, 0]),
            label,
            attributes(found, shares, kept, area, self.settings),
        )


def _look(
    connection: partial[Session], group: TileCache, area_name: str, area: Area, tile: Tile
) -> Listing:
    """The list of images, from the cache or into it."""
    known = listing.kept(group.load_listing(), area)
    if known is not None:
        return known
    found = listing.ask(connection(), area_name, area, tile)
    group.save_listing(found.to_json())
    return found


def clear_shares(score: Stored, threshold: int) -> NDArray[np.float64]:
    """Share of the tile that is clear, by date; NaN where no pixel was seen.

    Pixels that were seen but not scored count as clear: a date is not lost for want of a score.
    """
    seen, clear = np.zeros((2, score.shape[0]), np.int64)
    for request in score.requests:
        # As it lies on disk, (y, x, date): one pass over at most half of a request's limit.
        values = score.group.load(request.key)
        here = slice(request.first, request.first + values.shape[2])
        known = (values == UNSCORED) | ((values >= threshold) & (values < UNSCORED))
        clear[here] += np.count_nonzero(known, axis=(0, 1))
        seen[here] += np.count_nonzero(values != cube.CLEAR_MISSING, axis=(0, 1))
    return np.where(seen > 0, clear / (score.shape[2] * score.shape[3]), np.nan)


def _choose(
    area_name: str,
    observations: Sequence[Observation],
    shares: NDArray[np.float64],
    settings: EarthEngine,
) -> list[int]:
    seen = ~np.isnan(shares)
    kept = [i for i in range(len(observations)) if seen[i] and shares[i] >= settings.min_clear]
    logger.info(
        "%d dates: %d kept, %d without a pixel on the tile, %d less than %.0f %% clear",
        len(observations), len(kept), int((~seen).sum()), int(seen.sum()) - len(kept),
        100 * settings.min_clear,
    )  # fmt: skip
    if not kept:
        best = f"{100 * np.nanmax(shares):.0f} % at best" if seen.any() else "no pixel on the tile"
        raise EarthEngineError(
            f"areas.{area_name}: none of {len(observations)} dates is at least "
            f"{100 * settings.min_clear:.0f} % clear ({best}); lower earthengine.min_clear or "
            "earthengine.clear_score, or make the season longer"
        )
    return kept


def _stored_labels(
    group: TileCache, packed: Sequence[Request], found: Listing
) -> dict[str, tuple[NDArray[Any], Legend | None]]:
    """Label layers; without those whose band the map of the year has not."""
    if not packed:
        return {}
    layers = packed[0].layers
    values = Stored(group, packed, len(layers))[:1, :, :, :][0]
    return {
        layer.name: (
            values[i].astype(layer.dtype, copy=False),
            None if layer.optional else load_legend(layer.product.name),
        )
        for i, layer in enumerate(layers)
        if not layer.optional or layer.band in found.bands[layer.product.name]
    }


def _clear(score: Any) -> Any:
    """The layer `clear`; what was seen but not scored is missing."""
    import dask.array as da

    return da.where(score == UNSCORED, np.uint8(cube.CLEAR_MISSING), score)


def attributes(
    found: Listing,
    shares: NDArray[np.float64],
    kept: Sequence[int],
    area: Area,
    settings: EarthEngine,
) -> dict[str, Any]:
    """What made a cube: JSON values, the same for both ways of export."""
    from importlib.metadata import version

    chosen = [found.observations[index] for index in kept]
    granules = [granule for seen in chosen for granule in seen.granules]
    unseen = [seen.date for seen, share in zip(found.observations, shares, strict=True)
              if np.isnan(share)]  # fmt: skip
    cloudy = {
        seen.date: round(float(share), 4)
        for seen, share in zip(found.observations, shares, strict=True)
        if share < settings.min_clear
    }
    asked = [
        RECIPE,
        settings.cloud_score,
        [[granule.index for granule in seen.granules] for seen in chosen],
    ]
    code = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    attrs: dict[str, Any] = {
        "source": "Google Earth Engine",
        "collections": [IMAGES, SCORES],
        "images": [[granule.index for granule in seen.granules] for seen in chosen],
        "processing_baselines": sorted({granule.baseline for granule in granules}),
        "cloud_score_band": settings.cloud_score,
        "missing_scores": sorted(granule.index for granule in granules if not granule.scored),
        "superseded_images": list(found.superseded),
        "dates_without_pixels": unseen,
        "dates_too_cloudy": cloudy,
        "earthengine_api": version("earthengine-api"),
        "request_sha256": code,
    }
    for product in wanted(area):
        year = product.year(area.season_year)
        collection, _ = product.source(year)
        if len(product.ids) > 1:
            attrs[f"{product.name}_collection"] = collection
        attrs[f"{product.name}_year"] = year
        attrs["collections"] = [*attrs["collections"], collection]
    return {name: json.dumps(v) if isinstance(v, dict) else v for name, v in attrs.items()}


def open_source(config: Config) -> EarthEngineSource:
    """The source with the settings of a config."""
    return EarthEngineSource(config)
