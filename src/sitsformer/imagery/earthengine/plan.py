"""What an export will cost, before it starts: dates, requests, bytes, minutes.

Requests and bytes follow from the images that exist and are upper bounds (cloudy dates are dropped
once their scores are known). Minutes rest on two assumptions that are printed with them. Compute
is not predicted: Google counts EECU-hours by what a request costs inside, which nothing outside
tells beforehand.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sitsformer.config import Area, Config, EarthEngine
from sitsformer.embeddings import EmbeddingProduct, products
from sitsformer.grid import Tile, tiles
from sitsformer.imagery.earthengine import embeddings, listing, requests
from sitsformer.imagery.earthengine.collections import check_area, wanted
from sitsformer.imagery.earthengine.listing import Listing
from sitsformer.imagery.earthengine.requests import Request
from sitsformer.imagery.earthengine.session import WORKLOAD, Session

logger = logging.getLogger("sitsformer")

Wanted: TypeAlias = Mapping[tuple[str, str], Sequence[Tile]]
"""Tiles that embeddings are taken over, by layer and area."""

ASSUMED_SECONDS = 10.0
"""Seconds of a full request (48 MiB), assumed; smaller ones take less in proportion, at least 1."""
ASSUMED_LINE = 10e6
"""Bytes a second of the line, assumed."""
SAMPLED_TILES = 3
"""Tiles of an area that `plan` asks about: the first, the middle, the last."""

ALLOWANCES = (("Community", 150), ("Contributor", 1_000), ("Partner", 100_000))
"""Non-commercial compute a month by tier, EECU-hours (Google, Earth Engine noncommercial tiers, in
force since 2026-04-27)."""


@dataclass(frozen=True)
class Estimate:
    """What one or more tiles cost, at most.

    Attributes:
        tiles: number of tiles.
        dates: observations, added over the tiles; None: embeddings, one a year.
        requests: requests for metadata, scores, labels and reflectance, or for embeddings.
        size: bytes that come over the line.
        seconds: time, under the assumptions above.
    """

    tiles: int
    dates: int | None
    requests: int
    size: int
    seconds: float

    def __str__(self) -> str:
        dates = "" if self.dates is None else f"{self.dates} dates, "
        return (
            f"{self.tiles} tiles, {dates}at most {self.requests} requests, "
            f"{self.size / 1e6:,.0f} MB, about {max(self.seconds / 60, 0.1):,.1f} minutes"
        )


def estimate(tile: Tile, found: Listing, area: Area, settings: EarthEngine) -> Estimate:
    """What one tile costs at most."""
    packed = [
        *requests.pack("scores", tile, found.observations, (settings.cloud_score,)),
        *requests.label_requests(tile, area),
        *requests.pack("reflectance", tile, found.observations),
    ]
    return _tile(packed, len(found.observations), settings)


def _tile(packed: Sequence[Request], dates: int | None, settings: EarthEngine) -> Estimate:
    """What the requests for the pixels of a tile cost, and the one for what there is."""
    size = sum(
        item.window.height * item.window.width * item.fields * item.itemsize for item in packed
    )
    waiting = sum(max(1.0, ASSUMED_SECONDS * item.size / requests.LIMIT) for item in packed)
    seconds = max(waiting / settings.concurrent, size / ASSUMED_LINE) + 3
    return Estimate(1, dates, 1 + len(packed), size, seconds)


def add(estimates: Iterable[Estimate], scale: float = 1.0) -> Estimate:
    """Sum of estimates, times a factor."""
    parts = list(estimates)
    dates = [part.dates for part in parts if part.dates is not None]
    return Estimate(
        round(scale * sum(part.tiles for part in parts)),
        round(scale * sum(dates)) if dates else None,
        math.ceil(scale * sum(part.requests for part in parts)),
        round(scale * sum(part.size for part in parts)),
        scale * sum(part.seconds for part in parts),
    )


def announce(tile: Tile, found: Listing, area: Area, settings: EarthEngine) -> None:
    """Say in the log what is about to be asked for."""
    unscored = sum(not granule.scored for granule in found.granules)
    logger.info(
        "Earth Engine, tile %s of %s: %s; %d granules, %d superseded, %d without Cloud Score+",
        tile.name,
        tile.area,
        estimate(tile, found, area, settings),
        len(found.granules),
        len(found.superseded),
        unscored,
    )
    for line in label_maps(area):
        logger.info("labels of %s: %s", tile.area, line)


def label_maps(area: Area) -> list[str]:
    """Which map each label of an area is taken from, and of which year."""
    return [product.said(area.season_year) for product in wanted(area)]


def plan_area(session: Session, name: str, area: Area, settings: EarthEngine) -> Estimate:
    """Estimate an area from some of its tiles.

    Raises:
        EarthEngineError: a tile that cannot be exported.
    """
    all_tiles = tiles(name, area)
    sample = _sample(all_tiles)
    found = []
    for tile in sample:
        check_area(name, area, tile)
        listed = listing.ask(session, name, area, tile)
        found.append(estimate(tile, listed, area, settings))
    return add(found, len(all_tiles) / len(sample))


def plan_embeddings(
    session: Session,
    product: EmbeddingProduct,
    name: str,
    area: Area,
    wanted: Sequence[Tile],
    settings: EarthEngine,
) -> Estimate:
    """Estimate the embeddings over tiles of an area, all of one size.

    Raises:
        EarthEngineError: there is none at some of them, or of the season's year.
    """
    for tile in _sample(wanted):
        embeddings.look(session, product, name, area, tile)
    packed = embeddings.wanted(product, area, wanted[0])
    return add([_tile(packed, None, settings)], len(wanted))


def _sample(among: Sequence[Tile]) -> list[Tile]:
    """The first, the middle and the last of some tiles."""
    positions = {0, len(among) // 2, len(among) - 1}
    return [among[position] for position in sorted(positions)]


def report(config: Config, session: Session, embedded: Wanted) -> str:
    """The estimate of all that a config takes from Earth Engine, as text.

    Args:
        config: of the run.
        session: asked.
        embedded: tiles that its embeddings are taken over, without rasters of the user's.
    """
    chosen = {n: area for n, area in config.areas.items() if area.source == "earthengine"}
    settings = config.earthengine
    estimates = {name: plan_area(session, name, area, settings) for name, area in chosen.items()}
    for (layer, name), over in embedded.items():
        area, product = config.areas[name], products()[layer]
        found = plan_embeddings(session, product, name, area, over, settings)
        estimates[f"{name}, {layer} {area.season_year}"] = found
    width = max(len(name) for name in (*estimates, "together"))
    lines = [f"{name:<{width}}  {found}" for name, found in estimates.items()]
    if len(estimates) > 1:
        lines.append(f"{'together':<{width}}  {add(estimates.values())}")
    lines += [
        f"{name:<{width}}  labels {line}"
        for name, area in chosen.items()
        for line in label_maps(area)
    ]
    tiers = ", ".join(f"{tier} {hours:,}" for tier, hours in ALLOWANCES)
    return "\n".join(
        [
            *lines,
            "",
            f"Dates are counted on up to {SAMPLED_TILES} tiles an area; cloudy ones cost their "
            "score only.",
            f"Minutes assume {ASSUMED_SECONDS:.0f} s a full request, {settings.concurrent} at "
            f"once, {ASSUMED_LINE / 1e6:.0f} MB/s, one tile after another.",
            f"Share of the monthly non-commercial compute ({tiers} EECU-hours): not stated, for "
            "nothing outside Google tells what a request costs inside.",
            "Export one tile, read its EECU-hours in Cloud Monitoring under the workload tag "
            f"`{WORKLOAD}`, and multiply.",
        ]
    )
