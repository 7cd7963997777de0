"""Cloud scores asked for beside the list of images, not after it.

An export has three steps that wait for each other: which images there are, which of their dates are
clear, the pixels of those. On a small tile the waiting is most of the time. The scores of whatever
images there are can be asked for by place and season alone, granule by granule; once the list has
come, the granules are mosaicked here as Earth Engine would have done it. That costs the service
the same reading, and the line a little more where granules overlap or were processed twice. Where
it does not fit into one request, or fails, the ordinary requests follow the list as ever.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from sitsformer.config import Area
from sitsformer.cube import CLEAR_MISSING
from sitsformer.grid import Tile
from sitsformer.sources.earthengine.collections import CLOUD_SCORE, SENTINEL2
from sitsformer.sources.earthengine.errors import (
    DamagedAnswerError,
    EarthEngineError,
    TooBigError,
)
from sitsformer.sources.earthengine.fetch import WORKER, read_structured
from sitsformer.sources.earthengine.limiter import StoppedError
from sitsformer.sources.earthengine.listing import within
from sitsformer.sources.earthengine.requests import LIMIT, UNSCORED, Request, Window
from sitsformer.sources.earthengine.session import Session

logger = logging.getLogger("sitsformer")

REVISIT_DAYS = 5
"""Every place is seen this often by the two satellites: a season has at least so many images."""

Scores = Mapping[str, tuple[bool, NDArray[np.uint8]]]
"""Granule -> whether Cloud Score+ has it, and its scores (y, x) as in `Request`s of scores."""

T = TypeVar("T")


class Ahead(Generic[T]):
    """A call under way in a thread of its own; a daemon, because it may hang."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._done = threading.Event()
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name=WORKER, daemon=True).start()

    def _run(self) -> None:
        try:
            self._found = self._call()
        except BaseException as error:
            self._error = error
        self._done.set()

    def result(self) -> T:
        """What the call gave, or what it raised."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._found


def fits(area: Area, tile: Tile) -> bool:
    """Whether the scores of a season may fit into one request."""
    images = math.ceil(((area.end - area.start).days + 1) / REVISIT_DAYS)
    return images * tile.size**2 * 2 <= LIMIT


def ask(session: Session, area: Area, tile: Tile, band: str, stop: threading.Event) -> Scores:
    """The scores of all granules of a tile and season; none where that is refused.

    Args:
        session: the connection.
        area: gives the season.
        tile: gives the grid.
        band: of Cloud Score+.
        stop: set when nobody waits for the answer any more.
    """
    import ee

    grid = Request("scores", tile, Window(0, 0, tile.size, tile.size)).grid
    what = f"cloud scores of tile {tile.name} of {tile.area}"

    def call() -> Scores:
        expression = _expression(area, tile, band)
        body = ee.data.computePixels({"expression": expression, "fileFormat": "NPY", "grid": grid})
        return decode(body, tile)

    try:
        return session.limiter.run(call, what, divisible=True, stop=stop)
    except StoppedError:
        return {}
    except (EarthEngineError, TooBigError) as error:
        # Whatever is wrong: the ordinary requests meet it again and say it better.
        logger.info("%s come date by date, not at once: %s", what, error)
        return {}


def decode(body: bytes, tile: Tile) -> Scores:
    """A structured array (y, x) with a field a granule -> layers by granule."""
    try:
        answer = read_structured(body)
    except (ValueError, EOFError, OSError) as error:
        raise DamagedAnswerError(f"the answer is no array: {error}") from None
    found = {}
    for name in answer.dtype.names or ():
        # 1_20210503T170851_20210503T171541_T15TVG_scored: merge puts the number, toBands the rest.
        place, _, kind = name.rpartition("_")
        layer = answer[name]
        if layer.shape != (tile.size, tile.size) or layer.dtype != np.uint8:
            raise DamagedAnswerError(f"the answer has {layer.dtype} {layer.shape} as {name}")
        found[place.partition("_")[2]] = (kind == "scored", layer)
    return found


def compose(request: Request, scores: Scores) -> NDArray[np.uint8] | None:
    """The answer to a request of scores, (y, x, date); None where a granule is not at hand."""
    granules = [granule for seen in request.observations for granule in seen.granules]
    if any(scores.get(item.index, (None,))[0] is not item.scored for item in granules):
        return None
    window = request.window
    here = (
        slice(window.row, window.row + window.height),
        slice(window.column, window.column + window.width),
    )
    shape = (window.height, window.width, len(request.observations))
    found = np.full(shape, CLEAR_MISSING, np.uint8)
    for number, seen in enumerate(request.observations):
        for granule in seen.granules:
            layer = scores[granule.index][1][here]
            np.copyto(found[..., number], layer, where=layer != CLEAR_MISSING)
    return found


def _expression(area: Area, tile: Tile, band: str) -> Any:
    import ee

    def filled(image: Any) -> Any:
        return image.toUint8().unmask(CLEAR_MISSING, False).toUint8()

    def scored(image: Any) -> Any:
        percent = image.select([band], ["scored"]).multiply(100).round()
        return filled(percent).set("system:index", image.get("system:index"))

    def unscored(image: Any) -> Any:
        seen = image.select(["B2"], ["unscored"]).multiply(0).add(UNSCORED)
        return filled(seen).set("system:index", image.get("system:index"))

    scores = within(CLOUD_SCORE, area, tile)
    known = ee.Filter.inList("system:index", scores.aggregate_array("system:index"))
    rest = within(SENTINEL2, area, tile).filter(known.Not())
    return scores.map(scored).merge(rest.map(unscored)).toBands()
