"""Requests for pixels: what each asks for, how they are packed, and how they are split.

Every request names a window of the tile's own grid (UTM, 10 m, origin at a multiple of 60 m), so
that imagery, scores and labels share one grid and nothing is reprojected but by Earth Engine's
nearest neighbour. Fields are integers; masked pixels are filled before they leave the server,
because a masked pixel would arrive as 0.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sitsformer.config import Area
from sitsformer.cube import CLEAR_MISSING
from sitsformer.embeddings import products
from sitsformer.grid import Tile
from sitsformer.imagery.earthengine.collections import EE_BANDS, IMAGES, RECIPE, SCORES
from sitsformer.imagery.earthengine.layers import Layer, layers
from sitsformer.imagery.earthengine.listing import Observation
from sitsformer.sensors import BANDS, TILE_STEP
from sitsformer.stored import MISSING

LIMIT = 50_331_648
"""Largest computePixels request, bytes: width x height x sum over bands of itemsize + 1, the mask
byte (seen: the service's refusals name both sizes)."""
BAND_LIMIT = 1_024
"""Most bands of a request."""
SIDE_LIMIT = 32_768
"""Longest side of a request, pixels."""
SMALLEST = 36
"""Pixels: a window of this side is not split further."""

UNSCORED = 254
"""Cloud score of a pixel that Sentinel-2 saw and Cloud Score+ did not."""

Kind = Literal["scores", "reflectance", "labels", "embeddings"]


@dataclass(frozen=True)
class Window:
    """Pixels of a tile."""

    row: int
    column: int
    height: int
    width: int


@dataclass(frozen=True)
class Request:
    """One computePixels request.

    Attributes:
        kind: what the fields are: one score a date, the ten bands a date, label layers, or the axes
            of an embedding.
        tile: the tile whose grid is used.
        window: which of its pixels.
        observations: the dates, for scores and reflectance.
        first: position of the first date among all of its kind.
        options: for scores, the band of Cloud Score+; for embeddings, product, collection and year.
        layers: for labels, what is asked for.
    """

    kind: Kind
    tile: Tile
    window: Window
    observations: tuple[Observation, ...] = ()
    first: int = 0
    options: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()

    @property
    def fields(self) -> int:
        """Number of bands asked for."""
        if self.kind == "labels":
            return len(self.layers)
        if self.kind == "embeddings":
            return len(products()[self.options[0]].bands)
        return len(self.observations) * (len(BANDS) if self.kind == "reflectance" else 1)

    @property
    def dtype(self) -> str:
        """Type of all fields: of labels the widest one that a layer needs."""
        wide = any(layer.dtype == "uint16" for layer in self.layers)
        return "uint16" if self.kind == "reflectance" or wide else "uint8"

    @property
    def itemsize(self) -> int:
        """Bytes of a pixel of a field."""
        return 2 if self.dtype == "uint16" else 1

    @property
    def size(self) -> int:
        """Bytes as the service counts them."""
        return self.window.height * self.window.width * self.fields * (self.itemsize + 1)

    @property
    def key(self) -> str:
        """What is asked for, as a hash: the same request has the same key in any process."""
        described = {
            "recipe": RECIPE,
            "kind": self.kind,
            "grid": self.grid,
            "granules": [
                [[granule.index, granule.scored] for granule in seen.granules]
                for seen in self.observations
            ],
            "options": [*self.options, *map(str, self.layers)],
        }
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()

    @property
    def grid(self) -> dict[str, Any]:
        """The pixel grid, as the service wants it."""
        return {
            "dimensions": {"width": self.window.width, "height": self.window.height},
            "affineTransform": {
                "scaleX": self.tile.pixel,
                "shearX": 0,
                "translateX": self.tile.west + self.window.column * self.tile.pixel,
                "shearY": 0,
                "scaleY": -self.tile.pixel,
                "translateY": self.tile.north - self.window.row * self.tile.pixel,
            },
            "crsCode": f"EPSG:{self.tile.epsg}",
        }

    def __str__(self) -> str:
        dates = (
            f", {self.observations[0].date} to {self.observations[-1].date}"
            if (self.observations)
            else ""
        )
        return (
            f"{self.kind} of tile {self.tile.name} of {self.tile.area}, {self.window.width} x "
            f"{self.window.height} px, {self.fields} bands{dates}"
        )

    def split(self) -> tuple[Request, Request] | None:
        """Two halves, by date if there are several, else by the longer side; None if too small."""
        if len(self.observations) > 1:
            middle = len(self.observations) // 2
            return (
                replace(self, observations=self.observations[:middle]),
                replace(self, observations=self.observations[middle:], first=self.first + middle),
            )
        window = self.window
        if max(window.height, window.width) <= SMALLEST:
            return None
        start, side = ("row", "height") if window.height >= window.width else ("column", "width")
        length = getattr(window, side)
        half = length // 2
        one = replace(window, **{side: half})
        two = replace(window, **{start: getattr(window, start) + half, side: length - half})
        return replace(self, window=one), replace(self, window=two)

    def expression(self) -> Any:
        """The image to compute, one band a field, all of one integer type.

        One function mapped over the dates, instead of its steps written out for each: the graph
        is a fifth of the size, and so is the time to write and to read it.
        """
        import ee

        if self.kind == "embeddings":
            from sitsformer.imagery.earthengine import embeddings

            product, _, year = self.options
            return embeddings.image(products()[product], int(year), self.tile)
        if self.kind == "labels":
            images = [layer.image(self.dtype) for layer in self.layers]
            return ee.ImageCollection(images).toBands()
        if self.kind == "scores":
            dates = [_score(seen, self.options[0]) for seen in self.observations]
            bands = ee.ImageCollection(dates).map(_filled_score).toBands()
        else:
            dates = [_reflectance(seen) for seen in self.observations]
            bands = ee.ImageCollection(dates).map(_filled_reflectance).toBands()
        # The names that toBands gives are long, and the answer's header holds them all.
        return bands.rename([f"b{number}" for number in range(self.fields)])


def pack(
    kind: Kind,
    tile: Tile,
    observations: Sequence[Observation],
    options: tuple[str, ...] = (),
    limit: int | None = None,
    layers: tuple[Layer, ...] = (),
) -> list[Request]:
    """The fewest requests under the limits, as equal as they come.

    All bands of a date stay together; a date that is too big alone is cut into windows. Without a
    limit (bytes of one request) it is `LIMIT`.
    """
    limit = LIMIT if limit is None else limit
    window = Window(0, 0, tile.size, tile.size)
    whole = Request(kind, tile, window, tuple(observations), 0, options, layers)
    one = replace(whole, observations=whole.observations[:1])
    depth = one.fields * (one.itemsize + 1)
    most = min(math.isqrt(limit // depth), SIDE_LIMIT) // TILE_STEP * TILE_STEP
    pieces = math.ceil(tile.size / max(most, TILE_STEP))
    side = math.ceil(tile.size / pieces / TILE_STEP) * TILE_STEP
    windows = [
        Window(row, column, min(side, tile.size - row), min(side, tile.size - column))
        for row in range(0, tile.size, side)
        for column in range(0, tile.size, side)
    ]
    if kind in ("labels", "embeddings"):
        return [replace(whole, window=window) for window in windows]
    one = replace(one, window=windows[0])
    dates = max(1, min(limit // one.size, BAND_LIMIT // one.fields))
    return [
        replace(whole, window=window, observations=tuple(observations[start:stop]), first=start)
        for window in windows
        for start, stop in _equal_parts(len(observations), dates)
    ]


def label_requests(tile: Tile, area: Area) -> list[Request]:
    """Requests for the label layers of a tile; none where no labels are wanted."""
    wanted = layers(area)
    return pack("labels", tile, (), layers=wanted) if wanted else []


def _equal_parts(count: int, most: int) -> Iterator[tuple[int, int]]:
    parts = math.ceil(count / most) if count else 0
    for number in range(parts):
        yield count * number // parts, count * (number + 1) // parts


def _mosaic(images: list[Any]) -> Any:
    import ee

    return images[0] if len(images) == 1 else ee.ImageCollection(images).mosaic()


def _reflectance(seen: Observation) -> Any:
    import ee

    images = [ee.Image(f"{IMAGES}/{granule.index}") for granule in seen.granules]
    if len(images) == 1:
        return images[0]
    # Products of different years have different further bands: a mosaic wants them alike.
    return ee.ImageCollection(images).select(list(EE_BANDS)).mosaic()


def _filled_reflectance(image: Any) -> Any:
    # sameFootprint=False: outside the granule, too, missing is MISSING and not 0.
    return image.select(list(EE_BANDS)).unmask(MISSING, False).toUint16()


def _score(seen: Observation, band: str) -> Any:
    """The score of a date, 0 to 1, and UNSCORED / 100 where it was seen but not scored."""
    import ee

    scores = []
    for granule in seen.granules:
        if granule.scored:
            image = ee.Image(f"{SCORES}/{granule.index}").select([band], ["score"])
        else:
            seen_at = ee.Image(f"{IMAGES}/{granule.index}").select(EE_BANDS[0]).mask()
            image = ee.Image.constant(UNSCORED / 100).updateMask(seen_at).rename(["score"])
        scores.append(image)
    return _mosaic(scores)


def _filled_score(image: Any) -> Any:
    return image.multiply(100).round().toUint8().unmask(CLEAR_MISSING, False).toUint8()
